//! The rule set in the kernel: its layout in nf_tables, the difference between two states, one transaction, and what
//! the kernel says afterwards.
//!
//! ```text
//! names      what tables, chains, sets and mark bits are called
//! object     what the tables should hold, as values that can be compared
//! lower      rules of a program to rules of nf_tables
//! frame      the base chains and the maps that lead ports to programs
//! image      all objects of a rule set, or of a part of it
//! change     two images to one transaction
//! failure    why not
//! ```

pub mod failure;

mod change;
mod frame;
mod image;
mod lower;
mod names;
mod object;

pub use failure::{Failure, Outcome};

use crate::nft::object::kind;
use crate::nft::socket::{Failed, group};
use crate::nft::{Element, Socket, Verdict};
use crate::ruleset::{Desired, ProgramName};
use driver_api::error::{Code, Error, Origin, Result};
use image::Image;
use names::Map;
use object::Plan;
use std::collections::BTreeMap;
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
    /// Two fields of a frame can be compared with one another (kernels from 6.13).
    pub compare_fields: bool,
}

/// The rule set's place in the kernel: the tables `lockstep_nwfilter` of the network namespace that it was opened in.
///
/// Everything is in the kernel's hands: dropping this changes no rule.
#[derive(Debug)]
pub struct Kernel {
    socket: Mutex<Socket>,
    facts: Facts,
}

impl Kernel {
    /// Opens the way to nf_tables, in the network namespace of the calling thread, and finds out what this kernel can.
    ///
    /// # Errors
    /// `BUILD_FIREWALL` (63): no nf_tables, or no right to change them.
    pub fn open(options: Options) -> Result<Self> {
        let socket = Socket::open(group::NONE).map_err(|error| {
            Error::new(
                Code::BUILD_FIREWALL,
                Origin::NWFILTER,
                "cannot open a netlink socket to nf_tables",
            )
            .because(error)
        })?;
        let facts = Facts {
            state_plan: options.state_plan.unwrap_or(StatePlan::Mark),
            compare_fields: true,
        };
        Ok(Self {
            socket: Mutex::new(socket),
            facts,
        })
    }

    /// What this kernel can.
    #[must_use]
    pub const fn facts(&self) -> Facts {
        self.facts
    }

    /// Brings the kernel from one rule set to another in one transaction: only what differs is sent, nothing if they
    /// mean the same.
    ///
    /// # Errors
    /// [`Failure::Stale`] if the kernel does not hold `from` (somebody else changed it): [`Kernel::install`] repairs.
    /// Else the kernel refused something, or this kernel can not do what a rule asks; what was in force still is.
    pub fn apply(&self, from: &Desired, to: &Desired) -> Outcome<()> {
        let part = image::Part::between(from, to);
        let old = Image::of(from, Some(&part), self.plan())?;
        let new = Image::of(to, Some(&part), self.plan())?;
        let batch = change::batch(&old, &new);
        self.socket().commit(batch).map_err(|failed| match failed {
            Failed::Refused(refusal) => failure::refused(refusal),
            Failed::Io(error) => failure::unsent(error),
        })
    }

    /// Replaces whatever our tables hold by a rule set, in one transaction.
    ///
    /// # Errors
    /// The kernel refused something, or this kernel can not do what a rule asks; what was in force still is.
    pub fn install(&self, to: &Desired) -> Outcome<()> {
        let new = Image::of(to, None, self.plan())?;
        let batch = change::replacement(&new);
        self.socket().commit(batch).map_err(|failed| match failed {
            Failed::Refused(refusal) => failure::refused(refusal),
            Failed::Io(error) => failure::unsent(error),
        })
    }

    /// Which program the kernel's maps lead each port to. Ports of programs without any rule are not known there.
    ///
    /// # Errors
    /// The kernel can not be asked.
    pub fn names(&self) -> Result<BTreeMap<String, ProgramName>> {
        let mut found = BTreeMap::new();
        let mut socket = self.socket();
        for map in Map::ALL {
            let elements = socket.list(
                Some(names::FRAMES),
                kind::GETSETELEM,
                |w| {
                    w.text(1, names::TABLE);
                    w.text(2, map.name());
                },
                Element::decode_list,
            );
            let elements = match elements {
                Ok(elements) => elements,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
                Err(error) => return Err(failure::unread(error)),
            };
            for element in elements.into_iter().flatten() {
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

    const fn plan(&self) -> Plan {
        Plan {
            state: self.facts.state_plan,
            compare_fields: self.facts.compare_fields,
        }
    }
}

#[cfg(test)]
mod tests;
