//! The rule set in the kernel: its layout in nf_tables, the difference between two states, one transaction, and what
//! the kernel says afterwards.
//!
//! ```text
//! names      what tables, chains, sets and mark bits are called
//! object     what the tables should hold, as values that can be compared
//! slot       sets of values that differ from port to port
//! step       short runs of expressions
//! lower      rules of a program to rules of nf_tables
//! frame      the base chains and the maps that lead ports to programs
//! predicate  questions that only the IP tables can ask
//! image      all objects of a rule set, or of a part of it
//! change     two images to one transaction
//! readback   what the kernel holds
//! deviation  how that differs from what it should
//! probe      what this kernel can
//! counters   what rules counted
//! watch      changes by others
//! trace      the way of packets
//! failure    why not
//! ```

pub mod counters;
pub mod deviation;
pub mod failure;
pub mod trace;
pub mod watch;

mod change;
mod frame;
mod image;
mod lower;
mod names;
mod object;
mod predicate;
mod probe;
mod readback;
mod slot;
mod step;

pub use deviation::Deviation;
pub use failure::{Failure, Outcome};

use crate::nft::ip_set;
use crate::nft::object::kind;
use crate::nft::socket::{Failed, group};
use crate::nft::wire::Message;
use crate::nft::{Batch, Socket, Verdict};
use crate::ruleset::{Desired, ProgramName};
use driver_api::error::{Code, Error, Origin, Result};
use image::Image;
use names::Map;
use object::{Plan, What};
use predicate::IpSets;
use rustix::thread::{MembarrierCommand, membarrier};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How rules learn the state of a packet's connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StatePlan {
    /// The bridge family has connection tracking of its own.
    Conntrack,
    /// Tables of the IP families ask, and leave the answer in bits of the packet's mark.
    Mark,
}

impl StatePlan {
    /// As users write and read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conntrack => "conntrack",
            Self::Mark => "mark",
        }
    }
}

/// What the driver's options say about the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Instead of the plan that the probe finds.
    pub state_plan: Option<StatePlan>,
}

/// What was found out about the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// How rules learn the state of connections.
    pub state_plan: StatePlan,
    /// IPv4 packets in bridges pass the IP tables (`bridge-nf-call-iptables`); without, rules that ask for states by
    /// marks match nothing and what is to be rejected is only dropped.
    pub calls_ip: bool,
    /// The same for IPv6 (`bridge-nf-call-ip6tables`).
    pub calls_ip6: bool,
}

/// The rule set's place in the kernel: the tables `lockstep_nwfilter` of the network namespace that it was opened in.
///
/// Everything is in the kernel's hands: dropping this changes no rule.
#[derive(Debug)]
pub struct Kernel {
    socket: Mutex<Socket>,
    /// For questions, which so never wait for a transaction.
    reader: Mutex<Socket>,
    facts: Facts,
}

impl Kernel {
    /// Opens the way to nf_tables, in the network namespace of the calling thread, and finds out what this kernel can.
    ///
    /// # Errors
    /// `BUILD_FIREWALL` (63): no nf_tables, or no right to change them.
    pub fn open(options: Options) -> Result<Self> {
        let refused = |error: io::Error| {
            let message = "cannot use nf_tables, which all filters need";
            Error::new(Code::BUILD_FIREWALL, Origin::NWFILTER, message).because(error)
        };
        let mut socket = Socket::open(group::NONE).map_err(refused)?;
        let reader = Socket::open(group::NONE).map_err(refused)?;
        let facts = probe::facts(&mut socket, options).map_err(refused)?;
        Ok(Self {
            socket: Mutex::new(socket),
            reader: Mutex::new(reader),
            facts,
        })
    }

    /// What this kernel can. The switches of `br_netfilter` are read again.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            calls_ip: probe::calls("bridge-nf-call-iptables"),
            calls_ip6: probe::calls("bridge-nf-call-ip6tables"),
            ..self.facts
        }
    }

    /// Brings the kernel from one rule set to another in one transaction: only what differs is sent, nothing if they
    /// mean the same. What was changed is read back.
    ///
    /// When ports that are filtered already get the first rules that ask for states of connections, one transaction
    /// goes before that only has the states noted.
    ///
    /// # Errors
    /// [`Failure::Stale`] if the kernel does not hold `from`, or not `to` afterwards (somebody else changed it):
    /// [`Kernel::install`] repairs. Else the kernel refused something, or this kernel can not do what a rule asks; what
    /// was in force still is.
    pub fn apply(&self, from: &Desired, to: &Desired) -> Outcome<()> {
        self.apply_altered(from, to, |_| {})
    }

    fn apply_altered(&self, from: &Desired, to: &Desired, alter: impl FnOnce(&mut Batch<What>)) -> Outcome<()> {
        let part = image::Part::between(from, to);
        let mut socket = self.socket();
        let sets = ip_sets(&mut socket, &[from, to])?;
        let old = Image::of(from, Some(&part), self.plan(), &sets)?;
        let new = Image::of(to, Some(&part), self.plan(), &sets)?;
        let (mut batch, check) = change::batch(&old, &new);
        let ahead = Image::ahead(from, to, &part, self.plan(), &sets)?;
        if let Some(ahead) = &ahead {
            let (first, _) = change::batch(&old, ahead);
            socket
                .commit(first)
                .map_err(|failed| self.cause(&mut socket, from, failed))?;
            wait_for_packets();
            (batch, _) = change::batch(ahead, &new);
        }
        alter(&mut batch);
        if let Err(failed) = socket.commit(batch) {
            if let Some(ahead) = &ahead {
                let (back, _) = change::batch(ahead, &old);
                socket
                    .commit(back)
                    .map_err(|failed| self.cause(&mut socket, from, failed))?;
            }
            return Err(self.cause(&mut socket, from, failed));
        }
        match readback::deviation(&mut socket, &check) {
            Ok(None) => Ok(()),
            Ok(Some(object)) => Err(failure::stale(&format!("{object} is not what was just written"))),
            Err(error) => Err(failure::stale(&format!(
                "what was just written can not be read back ({error})"
            ))),
        }
    }

    /// Replaces whatever our tables hold by a rule set, in one transaction, and reads all back.
    ///
    /// # Errors
    /// The kernel refused something, or this kernel can not do what a rule asks; what was in force still is.
    /// [`Failure::Stale`] if it reads back as something else.
    pub fn install(&self, to: &Desired) -> Outcome<()> {
        let mut socket = self.socket();
        let sets = ip_sets(&mut socket, &[to])?;
        let new = Image::of(to, None, self.plan(), &sets)?;
        let there = readback::families(&mut socket).map_err(failure::unread)?;
        let batch = change::replacement(&new, &there);
        socket.commit(batch).map_err(failure::failed)?;
        match self.deviations(&mut socket, to)?.first() {
            Some(deviation) => Err(failure::stale(&deviation.to_string())),
            None => Ok(()),
        }
    }

    /// Compares all that our tables hold with what should be in force; empty if they mean the same.
    ///
    /// # Errors
    /// The kernel can not be asked, or can not do what a rule asks.
    pub fn verify(&self, desired: &Desired) -> Outcome<Vec<Deviation>> {
        self.deviations(&mut self.reader(), desired)
    }

    /// Why a transaction failed: a refusal has its reason in the rules only if the kernel held what it was thought to.
    fn cause(&self, socket: &mut Socket, held: &Desired, failed: Failed<What>) -> Failure {
        match self.deviations(socket, held) {
            Ok(deviations) => match deviations.first() {
                Some(deviation) => failure::stale(&deviation.to_string()),
                None => failure::failed(failed),
            },
            Err(failure) => failure,
        }
    }

    fn deviations(&self, socket: &mut Socket, desired: &Desired) -> Outcome<Vec<Deviation>> {
        let sets = ip_sets(socket, &[desired])?;
        let wanted = Image::of(desired, None, self.plan(), &sets)?;
        let found = readback::image(socket).map_err(failure::unread)?;
        Ok(deviation::between(&wanted, &found))
    }

    /// The number of the last transaction of anybody in this network namespace.
    ///
    /// # Errors
    /// The kernel can not be asked.
    pub fn generation(&self) -> Result<u32> {
        let read = |message: Message<'_>| message.attributes().number(1);
        let found = self.reader().get(None, kind::GETGEN, |_| {}, read);
        let found = found.map_err(|error| failure::unread(error).into_error())?;
        found.first().copied().ok_or_else(|| {
            let message = "the kernel does not tell the generation of its rules";
            Error::new(Code::BUILD_FIREWALL, Origin::NWFILTER, message)
        })
    }

    /// Which program the kernel's maps lead each port to. Ports of programs without any rule are not known there.
    ///
    /// # Errors
    /// The kernel can not be asked.
    pub fn names(&self) -> Result<BTreeMap<String, ProgramName>> {
        let mut found = BTreeMap::new();
        let mut socket = self.reader();
        for map in Map::ALL {
            let elements = readback::elements(&mut socket, names::FRAMES, map.name());
            let elements = match elements {
                Ok(elements) => elements,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
                Err(error) => return Err(failure::unread(error).into_error()),
            };
            for element in elements {
                let Some(Verdict::Jump(chain)) = &element.verdict else {
                    continue;
                };
                if let (Some(port), Some(program)) = (names::port_of(&element.key), map.program_of(chain)) {
                    found.insert(port, program);
                }
            }
        }
        Ok(found)
    }

    fn socket(&self) -> MutexGuard<'_, Socket> {
        // Every call drains the socket before it asks, so that a panic in another leaves nothing to trip over.
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Socket> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    const fn plan(&self) -> Plan {
        Plan {
            state: self.facts.state_plan,
        }
    }
}

/// Returns when every packet that is on its way through the kernel's hooks now has come to its end.
fn wait_for_packets() {
    // Hooks are run within RCU read sections, which this waits for. Kernels without it (and those with CPUs set apart)
    // go on at once: then a packet may be lost that was on its way.
    if let Err(error) = membarrier(MembarrierCommand::Global) {
        tracing::debug!(%error, "packets on their way can not be waited for");
    }
}

/// The numbers of the IP sets that rules ask; a set that is not there has none.
fn ip_sets(socket: &mut Socket, rule_sets: &[&Desired]) -> Outcome<IpSets> {
    let mut sets = IpSets::default();
    for name in IpSets::names(rule_sets) {
        if !sets.0.contains_key(name)
            && let Some(index) = ip_set::index(socket, name).map_err(failure::unread)?
        {
            sets.0.insert(name.to_owned(), index);
        }
    }
    Ok(sets)
}

#[cfg(test)]
mod tests;
