//! `Ports`: all lessons, the leases behind them, and the times at which something is due.

use super::book::{Book, record};
use super::clock::Now;
use super::dialogue::Step;
use super::lease::Lease;
use super::leases_file::LeasesFile;
use super::poller::{FIRST_PORT, Poller};
use super::port::Port;
use super::record::Record;
use super::socket::{Buffer, Tap};
use crate::engine::Lesson;
use crate::links::{Event, Links};
use driver_api::error::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the pupil is to be told.
#[derive(Debug)]
pub(super) struct News {
    pub(super) port: String,
    pub(super) generation: u64,
    pub(super) addresses: BTreeSet<IpAddr>,
}

#[derive(Debug)]
pub(super) struct Ports {
    ports: BTreeMap<String, Port>,
    /// Ports by the poller's numbers; a number is used once only.
    numbers: BTreeMap<u64, String>,
    next_number: u64,
    poller: Arc<Poller>,
    links: Links,
    book: Book,
    file: LeasesFile,
    /// When to look at which port.
    agenda: BTreeSet<(Duration, String)>,
    /// Ports that may have news.
    changed: BTreeSet<String>,
    /// Sockets that nobody needs any more. The kernel takes a while to close one, some 16 ms in which nobody should wait.
    unneeded: Vec<Tap>,
}

impl Ports {
    pub(super) fn new(state_dir: &Path, poller: Arc<Poller>, links: Links, now: Now) -> Self {
        let (file, book) = LeasesFile::load(state_dir, now);
        Self {
            ports: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next_number: FIRST_PORT,
            poller,
            links,
            book,
            file,
            agenda: BTreeSet::new(),
            changed: BTreeSet::new(),
            unneeded: Vec::new(),
        }
    }

    /// Begins a lesson in the place of the port's last one.
    ///
    /// # Errors
    /// The kernel gives no packet socket; there is then no lesson. That there is no such device is no error.
    pub(super) fn start(&mut self, lesson: Lesson, now: Now) -> io::Result<()> {
        let name = lesson.port.clone();
        self.stop(&name);
        let number = self.next_number;
        self.next_number += 1;
        let port = Port::new(lesson, number);
        self.book.expire(&port.key, now);
        self.numbers.insert(number, name.clone());
        self.ports.insert(name.clone(), port);
        self.schedule(&name, now);
        if let Err(error) = self.listen(&name) {
            self.stop(&name);
            return Err(error);
        }
        self.changed.insert(name);
        Ok(())
    }

    pub(super) fn stop(&mut self, name: &str) {
        if let Some(mut port) = self.ports.remove(name) {
            hang_up(&mut port, &self.poller, &mut self.unneeded);
            self.numbers.remove(&port.number);
            self.changed.remove(name);
            if let Some(due) = port.due {
                self.agenda.remove(&(due, name.to_owned()));
            }
        }
    }

    /// Puts the port where it belongs in the agenda.
    fn schedule(&mut self, name: &str, now: Now) {
        let Some(port) = self.ports.get_mut(name) else {
            return;
        };
        let next = port.next_due(&self.book, now);
        if next != port.due {
            let was = port.due.map(|was| (was, name.to_owned()));
            port.due = next;
            was.map(|was| self.agenda.remove(&was));
            self.agenda.extend(next.map(|next| (next, name.to_owned())));
        }
    }

    pub(super) fn addresses(&self, name: &str) -> Option<BTreeSet<IpAddr>> {
        Some(self.ports.get(name)?.addresses(&self.book))
    }

    /// Brings the port's socket to what is still to be seen, if there is a device.
    fn listen(&mut self, name: &str) -> io::Result<()> {
        let Some(port) = self.ports.get_mut(name) else {
            return Ok(());
        };
        let look = port.look();
        if look.is_nothing() {
            hang_up(port, &self.poller, &mut self.unneeded);
            return Ok(());
        }
        if let Some(tap) = &mut port.tap {
            return tap.look_for(look);
        }
        let Some(device) = self.links.index(name) else {
            return Ok(());
        };
        let tap = match Tap::open(device, look) {
            Ok(tap) => tap,
            // It went in this moment; the kernel tells when it is back.
            Err(error)
                if [rustix::io::Errno::NODEV, rustix::io::Errno::NXIO]
                    .iter()
                    .any(|gone| is(&error, *gone)) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if port.paused.is_none() {
            self.poller.add(&tap, port.number)?;
        }
        port.tap = Some(tap);
        Ok(())
    }

    fn listen_again(&mut self, name: &str) {
        if let Err(error) = self.listen(name) {
            tracing::error!(port = name, %error, "the port's frames can not be seen, nothing is learned");
        }
    }

    /// Reads the frames of a port, as many as it may have looked at.
    pub(super) fn frames(&mut self, number: u64, buffer: &mut Buffer, now: Now) {
        if let Some(name) = self.numbers.get(&number).cloned() {
            self.read(&name, buffer, now);
            self.schedule(&name, now);
        }
    }

    fn read(&mut self, name: &str, buffer: &mut Buffer, now: Now) {
        while let Some(port) = self.ports.get_mut(name)
            && let Some(tap) = &port.tap
        {
            let (way, frame) = match tap.next(buffer) {
                Ok(Some(next)) => next,
                // The device is down: the socket sees it again when it is up.
                Err(error) if is(&error, rustix::io::Errno::NETDOWN) => return,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(port = name, %error, "the port's frames can not be seen until it comes back");
                    hang_up(port, &self.poller, &mut self.unneeded);
                    return;
                }
            };
            if let Err(flood) = port.bucket.take(now.up) {
                if flood.begins {
                    tracing::warn!(
                        port = name,
                        "too many frames to learn addresses from, most are not looked at"
                    );
                }
                // The kernel drops what comes now: a frame that is not read costs next to nothing.
                self.poller.remove(tap);
                port.paused = Some(flood.until);
                return;
            }
            let steps = port.hear(way, frame, now);
            for step in steps {
                self.step(name, step, now);
            }
            self.changed.insert(name.to_owned());
            self.listen_again(name);
        }
    }

    fn step(&mut self, name: &str, step: Step, now: Now) {
        let Some(port) = self.ports.get(name) else {
            return;
        };
        match step {
            Step::Rogue { .. } => {}
            Step::End { address, why } => {
                if self.book.end(&port.key, address) {
                    tracing::info!(port = name, %address, why, "lease ended");
                    let key = port.key.clone();
                    self.file.append(&Record::End { key, address }, &mut self.book, now);
                }
            }
            Step::Grant {
                address,
                server,
                seconds,
            } => {
                let left = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                let lease = Lease {
                    until: left.map(|left| now.up + left),
                    server,
                };
                if self.book.grant(&port.key, address, lease).is_err() {
                    tracing::debug!(port = name, %address, "the guest has too many leases, this one does not count");
                    return;
                }
                tracing::debug!(port = name, %address, %server, seconds, "lease");
                let record = record(&port.key, address, lease, now);
                self.file.append(&record, &mut self.book, now);
            }
        }
    }

    /// Does what is due.
    pub(super) fn due(&mut self, now: Now) {
        while let Some((when, _)) = self.agenda.first()
            && *when <= now.up
            && let Some((_, name)) = self.agenda.pop_first()
        {
            let Some(port) = self.ports.get_mut(&name) else {
                continue;
            };
            for address in self.book.expire(&port.key, now) {
                tracing::info!(port = name, %address, "lease expired");
            }
            if port.paused.is_some_and(|until| until <= now.up) {
                port.paused = None;
                if let Some(tap) = &port.tap
                    && let Err(error) = self.poller.add(tap, port.number)
                {
                    tracing::error!(port = name, %error, "the port can not be waited for, nothing is learned");
                }
            }
            // It was taken out above.
            port.due = None;
            self.schedule(&name, now);
            self.changed.insert(name);
        }
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.agenda.first().map(|(when, _)| *when)
    }

    /// Whether there are sockets to be closed.
    pub(super) const fn has_unneeded(&self) -> bool {
        !self.unneeded.is_empty()
    }

    /// The next socket to be closed, by dropping it.
    pub(super) fn take_unneeded(&mut self) -> Option<Tap> {
        self.unneeded.pop()
    }

    /// All sockets, to be closed; nothing is learned any more.
    pub(super) fn take_all(&mut self) -> Vec<Tap> {
        for port in self.ports.values_mut() {
            hang_up(port, &self.poller, &mut self.unneeded);
        }
        std::mem::take(&mut self.unneeded)
    }

    /// Takes in what the kernel tells of devices.
    pub(super) fn devices(&mut self) {
        for event in self.links.events() {
            let names: Vec<String> = match &event {
                Event::There { index, name } => self.ports_where(|port, device| port == name || device == Some(*index)),
                Event::Gone { index } => self.ports_where(|_, device| device == Some(*index)),
                Event::Lost => self.ports_where(|_, _| true),
            };
            for name in names {
                self.device(&name);
            }
        }
    }

    fn ports_where(&self, matches: impl Fn(&str, Option<u32>) -> bool) -> Vec<String> {
        let ports = self.ports.iter();
        ports
            .filter(|(name, port)| matches(name, port.tap.as_ref().map(Tap::device)))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Makes sure that the port's socket is on the device that has its name now.
    fn device(&mut self, name: &str) {
        let now = self.links.index(name);
        let Some(port) = self.ports.get_mut(name) else {
            return;
        };
        let was = port.tap.as_ref().map(Tap::device);
        if was != now {
            tracing::debug!(port = name, was, now, "the port's device changed");
            hang_up(port, &self.poller, &mut self.unneeded);
            self.listen_again(name);
        }
    }

    /// What is to be told.
    pub(super) fn news(&mut self, now: Now) -> Vec<News> {
        let changed = std::mem::take(&mut self.changed);
        let news = changed.into_iter().filter_map(|name| {
            let port = self.ports.get(&name)?;
            Some(News {
                generation: port.lesson.generation,
                addresses: port.news(&self.book, now)?,
                port: name,
            })
        });
        news.collect()
    }

    /// The pupil's answer.
    pub(super) fn answered(&mut self, news: News, result: Result<(), Error>, now: Now) {
        let name = news.port;
        let Some(port) = self.ports.get_mut(&name) else {
            return;
        };
        if port.lesson.generation != news.generation {
            return;
        }
        let addresses = &news.addresses;
        match result {
            Ok(()) => {
                tracing::debug!(port = name, ?addresses, "what was learned is in force");
                port.taken(news.addresses);
            }
            Err(error) => {
                if port.refused(news.addresses.clone(), now) {
                    tracing::error!(port = name, ?addresses, %error, "the port's rules can not be made for what was learned, it stays as it is");
                } else {
                    tracing::debug!(port = name, ?addresses, %error, "the port's rules can still not be made");
                }
            }
        }
        self.schedule(&name, now);
    }
}

/// Listens to a port no longer. Whoever closes the socket may take its time.
fn hang_up(port: &mut Port, poller: &Poller, unneeded: &mut Vec<Tap>) {
    if let Some(tap) = port.tap.take() {
        poller.remove(&tap);
        unneeded.push(tap);
    }
}

fn is(error: &io::Error, errno: rustix::io::Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

#[cfg(test)]
mod tests;
