//! Guests for tests: each is a thread that speaks mconsole on a socket in its run folder and does as it is told.

use super::kernel::Kernel;
use super::locks::Locks;
use crate::driver::Uml;
use crate::mconsole::packet::MAGIC;
use crate::workers::Workers;
use driver_api::driver::VirtDriver;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::domain::DomainEvent;
use driver_api::types::guest::{Exit, GuestEvent, GuestId, Started};
use driver_api::types::launch::Launch;
use driver_api::types::notice::DomainNotice;
use driver_api::types::param::Param;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// How the next guests behave when they are started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Boots {
    /// It answers.
    #[default]
    Well,
    /// It says nothing at all.
    Never,
    /// It ends with code 1 at once.
    Dies,
    /// It panics at once.
    Panics,
    /// Its kernel chose another console socket than it was told.
    Elsewhere,
    /// The host can not even start it.
    Refused,
}

#[derive(Debug)]
pub(super) struct Guest {
    pub(super) started: Started,
    pub(super) socket: PathBuf,
    pub(super) alive: bool,
    pub(super) exit: Option<Exit>,
    /// What it was born with, until its end.
    pub(super) taps: Vec<OwnedFd>,
    pub(super) kernel: Arc<Mutex<Kernel>>,
    /// The aliases of its consoles by place; the spare ones are empty.
    pub(super) consoles: Vec<String>,
    /// Its ways into networks, by name.
    pub(super) links: BTreeMap<String, Option<OwnedFd>>,
}

pub(crate) struct FakeHost {
    pub(crate) locks: &'static Locks,
    pub(crate) events: Mutex<Vec<DomainEvent>>,
    pub(crate) notices: Mutex<Vec<DomainNotice>>,
    /// What every guest was limited to, and what each one uses.
    pub(crate) limits: Mutex<Vec<Param>>,
    pub(crate) usage: Mutex<Vec<Param>>,
    /// The next thing that is plugged in or out fails.
    pub(crate) no_plug: AtomicBool,
    pub(crate) boots: Mutex<Boots>,
    /// What was ordered, guest by guest.
    pub(crate) launches: Mutex<Vec<Launch>>,
    /// Guests that were killed, and all that became of ports, in order.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    /// The ports that have a filter.
    pub(crate) filtered: Mutex<BTreeSet<String>>,
    /// The threads on which events are told.
    pub(crate) workers: Workers,
    /// Guests do what they are told, but do not answer.
    pub(crate) mute: Arc<AtomicBool>,
    /// What guests' kernels were told, in order.
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
    pub(super) run: PathBuf,
    /// Guests are never given the same number again.
    pub(super) count: AtomicU64,
    pub(super) guests: Mutex<BTreeMap<u64, Guest>>,
    driver: Mutex<Option<Weak<crate::core::Core>>>,
}

impl std::fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeHost")
    }
}

pub(super) fn notification(kind: u32, text: &str) -> GuestEvent {
    let length = u32::try_from(text.len()).unwrap();
    let mut bytes: Vec<u8> = [MAGIC, 2, kind, length]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    bytes.extend_from_slice(text.as_bytes());
    GuestEvent::Notified(bytes)
}

/// The guest's side of mconsole until its socket is told to quit.
pub(super) fn speak(
    socket: &UnixDatagram,
    run: &Path,
    mute: &AtomicBool,
    heard: &Mutex<Vec<String>>,
    kernel: &Mutex<Kernel>,
) {
    let mut request = [0_u8; 600];
    while let Ok((_, from)) = socket.recv_from(&mut request) {
        let Some(name) = from.as_pathname() else { return };
        let command = std::str::from_utf8(&request[12..])
            .unwrap()
            .trim_end_matches('\0')
            .to_owned();
        heard.lock().push(command.clone());
        // One that a test holds still tells how long it is up.
        let held = command == "proc uptime" && kernel.try_lock().is_none();
        let (error, text) = match held {
            true => (0, "5.20 1.30\n".to_owned()),
            false => kernel.lock().answer(&command),
        };
        let mut reply: Vec<u8> = [error.cast_unsigned(), 0, u32::try_from(text.len()).unwrap()]
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        reply.extend_from_slice(text.as_bytes());
        if !mute.load(Ordering::SeqCst) {
            let _ = socket.send_to(&reply, run.join(name));
        }
        if command == "halt" {
            std::fs::write(run.join("halted"), "").unwrap();
        }
    }
}

impl FakeHost {
    pub(crate) fn new(root: &Path) -> Arc<Self> {
        Arc::new(Self {
            locks: Locks::new(),
            events: Mutex::default(),
            notices: Mutex::default(),
            limits: Mutex::default(),
            usage: Mutex::default(),
            no_plug: AtomicBool::new(false),
            boots: Mutex::default(),
            launches: Mutex::default(),
            log: Arc::default(),
            filtered: Mutex::default(),
            mute: Arc::default(),
            heard: Arc::default(),
            workers: Workers::default(),
            run: root.join("guests"),
            count: AtomicU64::new(0),
            guests: Mutex::default(),
            driver: Mutex::default(),
        })
    }

    pub(crate) fn serve(&self, uml: &Uml) {
        *self.driver.lock() = Some(Arc::downgrade(&uml.0));
    }

    /// The host is dead: nobody hears of events.
    pub(crate) fn deafen(&self) {
        *self.driver.lock() = None;
    }

    /// The guests that are alive.
    pub(crate) fn alive(&self) -> Vec<u64> {
        self.guests
            .lock()
            .iter()
            .filter(|(_, guest)| guest.alive)
            .map(|(id, _)| *id)
            .collect()
    }

    /// Every guest that is still known, alive or not.
    pub(crate) fn known(&self) -> Vec<u64> {
        self.guests.lock().keys().copied().collect()
    }

    /// Hands an event to the driver on this thread.
    pub(crate) fn tell(&self, guest: u64, event: GuestEvent) {
        let driver = self.driver.lock().clone().and_then(|weak| weak.upgrade());
        if let Some(core) = driver {
            self.locks
                .session(|cx| Uml(core).guest_event(cx, GuestId(guest), event));
        }
    }

    /// A guest says that it panicked.
    pub(crate) fn panic(&self, guest: u64, why: &str) {
        self.tell(guest, notification(1, why));
    }

    /// Guest root writes something for the host.
    pub(crate) fn says(&self, guest: u64, text: &str) {
        self.tell(guest, notification(3, text));
    }

    /// A guest ends by itself.
    pub(crate) fn end(&self, guest: u64, exit: Exit) {
        if self.over(guest, &exit) {
            self.tell(guest, GuestEvent::Exited(exit));
        }
    }

    pub(super) fn over(&self, guest: u64, exit: &Exit) -> bool {
        let mut guests = self.guests.lock();
        let Some(known) = guests.get_mut(&guest).filter(|known| known.alive) else {
            return false;
        };
        known.alive = false;
        known.taps.clear();
        known.links.clear();
        known.exit = Some(exit.clone());
        // An unnamed sender ends the thread.
        let _ = UnixDatagram::unbound().unwrap().send_to(b"quit", &known.socket);
        true
    }
}

pub(super) fn alive(guests: &mut BTreeMap<u64, Guest>, guest: GuestId) -> Result<&mut Guest> {
    let known = guests.get_mut(&guest.0).filter(|known| known.alive);
    known.ok_or_else(|| Error::new(Code::SYSTEM_ERROR, Origin::NONE, "there is no such guest"))
}

impl FakeHost {
    /// The kernel of a guest.
    pub(crate) fn kernel(&self, guest: u64) -> Arc<Mutex<Kernel>> {
        Arc::clone(&self.guests.lock()[&guest].kernel)
    }

    /// What a guest has been given by its supervisor: links and consoles that are not spare.
    pub(crate) fn served(&self, guest: u64) -> Vec<String> {
        let guests = self.guests.lock();
        let consoles = guests[&guest].consoles.iter().filter(|alias| !alias.is_empty());
        consoles.chain(guests[&guest].links.keys()).cloned().collect()
    }

    pub(super) fn refuse_to_plug(&self) -> Result<()> {
        if self.no_plug.swap(false, Ordering::SeqCst) {
            return Err(Error::new(Code::SYSTEM_ERROR, Origin::NONE, "no plugging today"));
        }
        Ok(())
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        for guest in self.alive() {
            self.over(guest, &Exit::default());
        }
    }
}
