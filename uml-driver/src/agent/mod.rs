//! The agent: a program in a guest that tells of it, and that can be asked to shut it down (docs/uml-agent.md).
//!
//! It speaks by notifications of its kernel (`/proc/mconsole`), and hears what the host writes into its kernel's log. Whoever
//! is root in the guest can say all that an agent says, so nothing of it is believed but what concerns that guest alone,
//! and all of it has bounds.

mod message;

use crate::core::Core;
use crate::state::machine::Phase;
use crate::state::table::Entry;
use driver_api::types::device::{Address, InterfaceAddresses};
use driver_api::types::guest::GuestId;
use driver_api::types::notice::{DomainNotice, Notice};
use message::Message;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most addresses that one guest may tell.
const ADDRESSES: usize = 256;
/// An agent that missed so many of its signs of life is gone.
const MISSES: u32 = 3;

/// libvirt's `VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL`: it spoke, or was silent for too long.
const CHANNEL: u32 = 2;
/// The same, `..._UNKNOWN`: its guest is gone.
const UNKNOWN: u32 = 0;

/// What an agent has said.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Agent {
    heard: Instant,
    interval: Duration,
    /// What the guest calls itself.
    pub(crate) hostname: Option<String>,
    /// Its load over 1, 5 and 15 minutes.
    pub(crate) load: Option<[f64; 3]>,
    /// The addresses of its interfaces.
    pub(crate) interfaces: Arc<[InterfaceAddresses]>,
    /// The table that is being told.
    next: Option<Vec<InterfaceAddresses>>,
}

impl Agent {
    fn new(interval: Duration, now: Instant) -> Self {
        Self {
            heard: now,
            interval,
            hostname: None,
            load: None,
            interfaces: Arc::default(),
            next: None,
        }
    }

    /// When it is taken for gone if it says nothing until then.
    fn deadline(&self) -> Instant {
        self.heard + self.interval * MISSES
    }

    fn take(&mut self, message: Message, now: Instant) {
        match message {
            Message::Hello(interval) => (self.heard, self.interval) = (now, interval),
            Message::Hostname(name) => self.hostname = Some(name),
            Message::Load(load) => self.load = Some(load),
            Message::Begin => self.next = Some(Vec::new()),
            Message::Addr {
                interface,
                mac,
                address,
            } => {
                if let Some(next) = &mut self.next {
                    add(next, interface, mac.map(|mac| mac.to_string()), address);
                }
            }
            Message::End => self.interfaces = self.next.take().map_or_else(|| Arc::clone(&self.interfaces), Arc::from),
        }
    }
}

fn add(table: &mut Vec<InterfaceAddresses>, name: String, mac: Option<String>, address: Address) {
    if table.iter().map(|known| known.addresses.len()).sum::<usize>() >= ADDRESSES {
        return;
    }
    match table.iter_mut().find(|known| known.name == name && known.mac == mac) {
        Some(known) => known.addresses.push(address),
        None => table.push(InterfaceAddresses {
            name,
            mac,
            addresses: vec![address],
        }),
    }
}

impl Core {
    /// A guest has written something for the host.
    pub(crate) fn agent_said(&self, entry: &Entry, guest: GuestId, text: &str, now: Instant) {
        let news = self.pulse.book.note(guest, |vitals| {
            let before = vitals.agent.is_some();
            for message in message::read(text) {
                match (&mut vitals.agent, message) {
                    (Some(agent), message) => agent.take(message, now),
                    (none, Message::Hello(interval)) => *none = Some(Agent::new(interval, now)),
                    // Without a greeting nobody knows when to take it for gone.
                    (None, _) => {}
                }
            }
            !before && vitals.agent.is_some()
        });
        if news == Some(true) {
            tracing::info!(dom = %entry.name, "the agent in the guest has spoken");
            self.tell_agent(entry, true, CHANNEL);
            self.pulse.wake();
        }
    }

    /// Finds the agents that are silent for too long; when the next one may be.
    pub(crate) fn miss_agents(&self, now: Instant) -> Option<Instant> {
        let (mut late, mut next) = (Vec::new(), None);
        self.pulse.book.note_all(|guest, vitals| match &vitals.agent {
            Some(agent) if agent.deadline() <= now => late.push(guest),
            Some(agent) => next = next.into_iter().chain([agent.deadline()]).min(),
            None => {}
        });
        for guest in late {
            let runs = |entry: &Arc<Entry>| entry.load().is_some_and(|record| record.runs_on(guest));
            let Some(entry) = self.table.entries().into_iter().find(runs) else {
                continue;
            };
            if entry.load().is_some_and(|record| record.phase == Phase::Paused) {
                // A stopped guest says nothing, and nobody can blame its agent.
                let later = self.pulse.book.note(guest, |vitals| {
                    let agent = vitals.agent.as_mut()?;
                    agent.heard = now;
                    Some(agent.deadline())
                });
                next = next.into_iter().chain(later.flatten()).min();
                continue;
            }
            self.pulse.book.note(guest, |vitals| vitals.agent = None);
            tracing::info!(dom = %entry.name, "the agent in the guest is silent");
            self.tell_agent(&entry, false, CHANNEL);
        }
        next
    }

    /// Forgets what was known of a guest that is gone, its agent included.
    pub(crate) fn forget_vitals(&self, entry: &Entry, guest: GuestId) {
        if self.pulse.book.forget(guest).agent.is_some() {
            self.tell_agent(entry, false, UNKNOWN);
        }
    }

    fn tell_agent(&self, entry: &Entry, connected: bool, reason: u32) {
        self.host.notify(DomainNotice {
            uuid: entry.uuid,
            name: entry.name.clone(),
            id: entry.load().and_then(|record| record.shown_id()),
            notice: Notice::Agent { connected, reason },
        });
    }
}

#[cfg(test)]
mod tests;
