//! A host's network for tests: devices are files that are there as long as somebody holds them.

use crate::core::fault;
use crate::net::{Counters, Neighbour, Network, Traffic};
use crate::plan::Nic;
use driver_api::error::{Code, Result};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_link};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct FakeNetwork {
    log: Arc<Mutex<Vec<String>>>,
    state: Arc<Mutex<State>>,
}

#[derive(Default, Debug)]
struct State {
    /// The other end of each tap, a pipe.
    taps: BTreeMap<String, std::io::PipeReader>,
    strangers: BTreeSet<String>,
    neighbours: Vec<Neighbour>,
}

impl FakeNetwork {
    pub(crate) fn new(log: &Arc<Mutex<Vec<String>>>) -> Self {
        Self {
            log: Arc::clone(log),
            state: Arc::default(),
        }
    }

    /// Somebody else has a device of this name.
    pub(crate) fn stranger(&self, name: &str) {
        self.state.lock().strangers.insert(name.to_owned());
    }

    /// The host has seen somebody.
    pub(crate) fn neighbour(&self, mac: &str, address: &str) {
        let mac = mac.parse().unwrap();
        let address = address.parse().unwrap();
        self.state.lock().neighbours.push(Neighbour { mac, address });
    }

    /// The taps that are there.
    pub(crate) fn taps(&self) -> Vec<String> {
        let mut state = self.state.lock();
        state.taps.retain(|_, reader| is_held(reader));
        state.taps.keys().cloned().collect()
    }
}

/// Whether this process has the other end of a pipe. The pipe itself would not tell: a child that another test is about
/// to start has it too, until it has become the other program.
fn is_held(reader: &std::io::PipeReader) -> bool {
    let file = |fd: &str| read_link(format!("/proc/self/fd/{fd}"));
    let pipe = file(&reader.as_raw_fd().to_string()).unwrap();
    let open = read_dir("/proc/self/fd").unwrap().flatten();
    // Somebody else's may be closed meanwhile.
    open.filter(|fd| file(&fd.file_name().to_string_lossy()).is_ok_and(|file| file == pipe))
        .count()
        > 1
}

impl Network for FakeNetwork {
    fn check(&self, nic: &Nic) -> Result<()> {
        match nic.bridge.as_deref() {
            Some("nobridge") => Err(fault(Code::SYSTEM_ERROR, "there is no such bridge")),
            _ => Ok(()),
        }
    }

    fn make(&self, name: &str, _: &Nic) -> Result<Option<OwnedFd>> {
        if self.taps().iter().any(|tap| tap == name) || self.state.lock().strangers.contains(name) {
            return Ok(None);
        }
        let (reader, writer) = std::io::pipe().unwrap();
        self.state.lock().taps.insert(name.to_owned(), reader);
        self.log.lock().push(format!("make {name}"));
        Ok(Some(writer.into()))
    }

    fn adopt(&self, name: &str, _: &Nic) -> Result<OwnedFd> {
        if !self.state.lock().strangers.contains(name) {
            return Err(fault(Code::SYSTEM_ERROR, "there is no such tap"));
        }
        self.log.lock().push(format!("adopt {name}"));
        let (reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        self.state.lock().taps.insert(name.to_owned(), reader);
        Ok(writer.into())
    }

    fn shape(&self, name: &str, _: crate::def::interface::Mac, shaping: &crate::def::shaping::Shaping) -> Result<()> {
        self.log.lock().push(format!("shape {name} {shaping:?}"));
        Ok(())
    }

    fn connect(&self, name: &str, nic: &Nic) -> Result<()> {
        let bridge = nic.bridge.as_deref().unwrap_or_default();
        let down = if nic.up { "" } else { " down" };
        self.log.lock().push(format!("connect {name} {bridge}{down}"));
        match bridge {
            "full" => Err(fault(Code::SYSTEM_ERROR, "the bridge has no place left")),
            _ => Ok(()),
        }
    }

    fn remove(&self, name: &str) -> Result<()> {
        if self.state.lock().taps.remove(name).is_some() {
            self.log.lock().push(format!("remove {name}"));
        }
        Ok(())
    }

    fn counters(&self, name: &str) -> io::Result<Counters> {
        if !self.taps().iter().any(|tap| tap == name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let traffic = |n| Traffic {
            bytes: n,
            packets: n + 1,
            errors: n + 2,
            drops: n + 3,
        };
        Ok(Counters {
            rx: traffic(100),
            tx: traffic(200),
        })
    }

    fn neighbours(&self) -> io::Result<Vec<Neighbour>> {
        Ok(self.state.lock().neighbours.clone())
    }
}
