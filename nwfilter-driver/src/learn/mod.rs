//! Learning a guest's addresses from its frames: one thread for all ports.
//!
//! ```text
//! frame, dhcp, dhcp6   what bytes from a wire say
//! dialogue             which DHCP answers count
//! addresses            which addresses count without DHCP
//! lease, book          who has which address until when
//! record, leases_file  the same on the disk
//! rate, bpf            how much is looked at
//! socket, sys          frames of a port
//! poller, clock        waiting
//! port, ports          lessons
//! check                what fuzzing holds against it
//! ```
//!
//! A packet socket sees what the guest sends before any filter does, and what goes to the guest behind all of them. So a
//! port can be learned while it is closed, and an answer of a DHCP server counts only if the port's rules let it pass.

pub mod addresses;
pub mod book;
pub mod bpf;
pub mod check;
pub mod clock;
pub mod dhcp;
pub mod dhcp6;
pub mod dialogue;
pub mod frame;
pub mod lease;
pub mod leases_file;
pub mod rate;
pub mod record;
pub mod socket;

mod poller;
mod port;
mod ports;
mod sys;
#[cfg(test)]
pub(crate) mod testing;

use crate::engine::{Learner, Lesson, Pupil};
use crate::links::Links;
use clock::Now;
use driver_api::error::{Code, Error, Origin, Result};
use parking_lot::Mutex;
use poller::{LINKS, Poller};
use ports::Ports;
use socket::Buffer;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// How many threads close sockets when the driver ends.
const CLOSERS: usize = 16;

/// Learns addresses of all ports.
#[derive(Debug)]
pub struct Learn {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    poller: Arc<Poller>,
    /// Never held while the pupil is told: a leaf below all locks.
    ports: Mutex<Ports>,
    closing: AtomicBool,
}

impl Learn {
    /// Reads the leases that are known. Frames are seen in the network namespace of the calling thread, as soon as there
    /// are lessons; nobody is told before [`Learn::teach`].
    ///
    /// # Errors
    /// 38 when the kernel gives no descriptor.
    pub fn open(state_dir: &Path) -> Result<Self> {
        let poller = Arc::new(Poller::open()?);
        let links = Links::open()?;
        poller.add(&links, LINKS).map_err(|error| {
            let message = "the kernel does not tell when network devices change";
            Error::new(Code::SYSTEM_ERROR, Origin::NWFILTER, message).because(error)
        })?;
        let ports = Ports::new(state_dir, Arc::clone(&poller), links, Now::read());
        let shared = Shared {
            poller,
            ports: Mutex::new(ports),
            closing: AtomicBool::new(false),
        };
        Ok(Self {
            shared: Arc::new(shared),
            thread: Mutex::new(None),
        })
    }

    /// Starts the thread that tells `pupil` what is learned. To be called once.
    ///
    /// # Errors
    /// 38 when there is no thread to be had, 55 when it was called before.
    pub fn teach(&self, pupil: Arc<dyn Pupil>) -> Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_some() {
            let message = "addresses are learned for somebody already";
            return Err(Error::new(Code::OPERATION_INVALID, Origin::NWFILTER, message));
        }
        let shared = Arc::clone(&self.shared);
        let started = thread::Builder::new()
            .name("nwfilter-learn".to_owned())
            .spawn(move || shared.run(&*pupil));
        *thread = Some(started.map_err(|error| {
            let message = "the kernel gives no thread to learn addresses in";
            Error::new(Code::SYSTEM_ERROR, Origin::NWFILTER, message).because(error)
        })?);
        Ok(())
    }

    /// What is known of a port with a lesson.
    #[must_use]
    pub fn addresses(&self, port: &str) -> Option<BTreeSet<IpAddr>> {
        self.shared.ports.lock().addresses(port)
    }

    /// Ends the thread and waits for it: for what the pupil does at this moment, so hold no lock that it needs. Leases
    /// stay in their file.
    pub fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.poller.call();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id())
            && thread.join().is_err()
        {
            tracing::error!("the thread that learns addresses had panicked");
        }
        // Closing one takes a while, closing many at once hardly longer.
        let all = Mutex::new(self.shared.ports.lock().take_all());
        let close = || {
            loop {
                let next = all.lock().pop();
                if next.is_none() {
                    return;
                }
            }
        };
        let closers = CLOSERS.min(all.lock().len());
        thread::scope(|scope| {
            for _ in 1..closers {
                // Without a thread the others close what is left.
                let _ = thread::Builder::new().spawn_scoped(scope, close);
            }
            close();
        });
    }
}

impl Drop for Learn {
    fn drop(&mut self) {
        self.close();
    }
}

impl Learner for Learn {
    fn start(&self, lesson: Lesson) -> Result<()> {
        let port = lesson.port.clone();
        let started = self.shared.ports.lock().start(lesson, Now::read());
        started.map_err(|error| {
            let message = format!(
                "addresses of port '{port}' can not be learned: the kernel shows no frames of it (needs CAP_NET_RAW)"
            );
            Error::new(Code::SYSTEM_ERROR, Origin::NWFILTER, message).because(error)
        })?;
        self.shared.poller.call();
        Ok(())
    }

    fn stop(&self, port: &str) {
        self.shared.ports.lock().stop(port);
    }
}

impl Shared {
    fn run(&self, pupil: &dyn Pupil) {
        let mut buffer = Buffer::default();
        loop {
            let closes = self.ports.lock().has_unneeded();
            let ready = match self.poller.wait(!closes) {
                Ok(ready) => ready,
                Err(error) => {
                    tracing::error!(%error, "waiting for frames failed, no more addresses are learned");
                    return;
                }
            };
            if self.closing.load(Ordering::Acquire) {
                return;
            }
            if closes && ready.is_empty() {
                let unneeded = self.ports.lock().take_unneeded();
                drop(unneeded);
            }
            for news in self.take_in(&ready, &mut buffer) {
                let addresses: Vec<IpAddr> = news.addresses.iter().copied().collect();
                // A fault in the answer to one port must not end the lessons of all.
                let told = catch_unwind(AssertUnwindSafe(|| {
                    pupil.learned(&news.port, news.generation, &addresses)
                }));
                let result = told.unwrap_or_else(|_| {
                    let message = "the change of the port's rules panicked";
                    Err(Error::new(Code::INTERNAL, Origin::NWFILTER, message))
                });
                self.ports.lock().answered(news, result, Now::read());
            }
            let next = self.ports.lock().next_due();
            self.poller.set_timer(next);
        }
    }

    fn take_in(&self, ready: &[u64], buffer: &mut Buffer) -> Vec<ports::News> {
        let mut ports = self.ports.lock();
        let now = Now::read();
        for number in ready {
            match *number {
                LINKS => ports.devices(),
                number => ports.frames(number, buffer, now),
            }
        }
        ports.due(now);
        ports.news(now)
    }
}

#[cfg(test)]
mod tests;
