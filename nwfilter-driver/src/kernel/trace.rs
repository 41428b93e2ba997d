//! `Trace`: the way of a port's packets through our rules, as the kernel tells it while it happens.

use super::failure::{self, Outcome};
use super::names::{self, FRAMES, TABLE};
use super::object::What;
use super::{Kernel, lower, readback, step};
use crate::nft::expression::{Comparison, Expression, Register, Verdict, meta};
use crate::nft::object::{SUBSYSTEM, kind};
use crate::nft::socket::group;
use crate::nft::wire::Message;
use crate::nft::{BaseChain, Batch, Chain, Family, Rule, Socket, Table};
use crate::ruleset::{Hook, Origin};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// What happened to a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    /// It matched a rule, which did this with it.
    Rule {
        /// What the rule did.
        verdict: Verdict,
        /// Where the rule comes from; `None` for what the driver adds itself.
        origin: Option<Origin>,
    },
    /// It left a chain at its end.
    Return,
    /// It left one of the kernel's hooks at the end of its chain, and passed.
    Passed,
}

/// One thing that the kernel says of a traced packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Which packet; the same on its whole way.
    pub packet: u32,
    /// The family of the table where it is.
    pub family: Family,
    /// The chain where it is, as the kernel names it.
    pub chain: String,
    /// What happened.
    pub happening: Happening,
    /// The packet's headers, from the Ethernet header on (from the IP header on in the IP families); empty where the
    /// kernel does not repeat them.
    pub headers: Vec<u8>,
}

/// Marks the packets of one port for tracing, until it is dropped.
#[derive(Debug)]
pub struct Trace {
    /// The kernel deletes the table that marks packets with this socket, however the process ends.
    _owner: Socket,
    events: Socket,
    reader: Socket,
    origins: HashMap<(Family, u64), Option<Origin>>,
    heard: Vec<Step>,
    lost: u64,
}

/// So many packets in a second are traced each way: whoever looks can not read more, and a guest that floods its port
/// must not keep the machine busy with tales of it.
const PER_SECOND: u64 = 200;
const BURST: u32 = 50;
const PREROUTING: u32 = 0;
const FORWARD: u32 = 2;
const POSTROUTING: u32 = 4;

impl Kernel {
    /// Traces the packets of a port through our tables. Each trace costs the port's packets some speed while it runs.
    ///
    /// # Errors
    /// The kernel does not trace, or no device can have that name.
    pub fn trace(&self, port: &str) -> Outcome<Trace> {
        let Some(device) = names::device_key(port) else {
            let message = format!("cannot trace port '{port}': no device can have that name");
            return Err(failure::Failure::unsupported(message, None));
        };
        let open = |groups| Socket::open(groups).map_err(failure::unread);
        let (mut owner, events, reader) = (open(group::NONE)?, open(group::TRACE)?, open(group::NONE)?);
        owner.commit(marking(owner.port(), &device)).map_err(failure::failed)?;
        Ok(Trace {
            _owner: owner,
            events,
            reader,
            origins: HashMap::new(),
            heard: Vec::new(),
            lost: 0,
        })
    }
}

/// A table of its own, whose rules do nothing but mark what comes from the port and goes there.
fn marking(number: u32, device: &[u8]) -> Batch<What> {
    let mut batch = Batch::default();
    let table = Table {
        name: format!("lockstep_trace_{number}"),
        comment: None,
        owned: true,
        dormant: false,
    };
    batch.add_table(FRAMES, &table, What::Table(FRAMES));
    // Before our own chains of the same hook.
    let chains = [
        ("prerouting", Hook::FrameOut, PREROUTING, -400),
        ("forward", Hook::FrameIn, FORWARD, -400),
        ("postrouting", Hook::FrameIn, POSTROUTING, 290),
    ];
    for (name, side, hook, priority) in chains {
        let chain = Chain {
            table: table.name.clone(),
            name: name.to_owned(),
            base: Some(BaseChain { hook, priority }),
        };
        batch.add_chain(FRAMES, &chain, What::Chain(chain.name.clone()));
        let first = Register::FIRST;
        let rule = Rule {
            expressions: vec![
                step::device(side, first),
                Expression::Compare {
                    from: first,
                    how: Comparison::Equal,
                    with: device.to_vec(),
                },
                Expression::Limit {
                    per_second: PER_SECOND,
                    burst: BURST,
                },
                Expression::Immediate {
                    into: first,
                    value: vec![1],
                },
                Expression::MetaSet {
                    key: meta::NFTRACE,
                    from: first,
                },
            ],
            comment: None,
        };
        let label = What::Rule {
            chain: chain.name.clone(),
            origin: None,
        };
        batch.add_rule(FRAMES, &table.name, name, &rule, label);
    }
    batch
}

impl Trace {
    /// The next step; `None` if there is none yet: the descriptor becomes readable then.
    ///
    /// # Errors
    /// The socket can not be read.
    pub fn next_step(&mut self) -> io::Result<Option<Step>> {
        while self.heard.is_empty() {
            let raw: Vec<Raw> = match self.events.hear(false) {
                Ok(Some(messages)) => messages.filter_map(Raw::decode).collect(),
                Ok(None) => {
                    self.lost += 1;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            };
            for raw in raw {
                let step = self.step(raw);
                self.heard.push(step);
            }
        }
        Ok(Some(self.heard.remove(0)))
    }

    /// How often there was more than could be kept.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    fn step(&mut self, raw: Raw) -> Step {
        let happening = match raw.kind {
            RawKind::Rule { handle, verdict } => Happening::Rule {
                verdict,
                origin: self.origin(raw.family, &raw.chain, handle),
            },
            RawKind::Return => Happening::Return,
            RawKind::Policy => Happening::Passed,
        };
        Step {
            packet: raw.packet,
            family: raw.family,
            chain: raw.chain,
            happening,
            headers: raw.headers,
        }
    }

    /// Rules are given new numbers whenever they are made anew, so that a number never means two rules.
    fn origin(&mut self, family: Family, chain: &str, handle: u64) -> Option<Origin> {
        if let Some(origin) = self.origins.get(&(family, handle)) {
            return *origin;
        }
        for placed in readback::rules(&mut self.reader, family, chain).unwrap_or_default() {
            let origin = placed.rule.comment.as_deref().and_then(lower::origin);
            self.origins.insert((family, placed.handle), origin);
        }
        // A rule that is gone already stays unknown, and is not asked for again.
        *self.origins.entry((family, handle)).or_insert(None)
    }
}

impl AsFd for Trace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

/// A message as it came.
struct Raw {
    packet: u32,
    family: Family,
    chain: String,
    kind: RawKind,
    headers: Vec<u8>,
}

enum RawKind {
    Rule { handle: u64, verdict: Verdict },
    Return,
    Policy,
}

impl Raw {
    /// Reads what is said of our own tables; others that the packet passes are not ours to tell.
    fn decode(message: Message<'_>) -> Option<Self> {
        if message.header.kind != (SUBSYSTEM << 8) | kind::TRACE {
            return None;
        }
        let attributes = message.attributes();
        if attributes.text(1)? != TABLE {
            return None;
        }
        let kind = match attributes.number(4)? {
            1 => RawKind::Policy,
            2 => RawKind::Return,
            3 => RawKind::Rule {
                handle: attributes.long(3)?,
                verdict: Verdict::decode_bare(attributes.inside(5)?)?,
            },
            _ => return None,
        };
        let mut headers = Vec::new();
        for part in [7, 8, 9] {
            headers.extend_from_slice(attributes.get(part).unwrap_or_default());
        }
        Some(Self {
            packet: attributes.number(6)?,
            family: Family::from_number(message.family())?,
            chain: attributes.text(2)?,
            kind,
            headers,
        })
    }
}
