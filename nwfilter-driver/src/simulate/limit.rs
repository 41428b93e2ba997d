//! `Limit`: a limit on connections with the packets that they are counted among.

use super::packet::Packet;
use super::question;
use crate::ruleset::{Condition, Hook, Predicate, Program, Rule};

/// Rules with equal limits count together.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Limit {
    v6: bool,
    /// More than so many connections.
    above: u32,
    /// The guest is the sender.
    out: bool,
    /// Of a protocol whose packets begin with ports.
    with_ports: bool,
    /// What the rule asks of the frame; values of ports and states do not count.
    before: Vec<Condition>,
}

/// Whose connections are counted: the guest's hardware address and the sender's address.
pub type Sender = (Vec<u8>, Vec<u8>);

impl Limit {
    /// The limit that a rule's predicate is, if it is one.
    #[must_use]
    pub fn of(hook: Hook, rule: &Rule, predicate: &Predicate) -> Option<Self> {
        let Predicate::Connections { v6, above, protocol } = predicate else {
            return None;
        };
        let of_frame = |condition: &&Condition| {
            matches!(
                condition,
                Condition::Bytes { .. } | Condition::Same { .. } | Condition::TcpOption { .. }
            )
        };
        Some(Self {
            v6: *v6,
            above: *above,
            out: hook.is_out(),
            with_ports: matches!(protocol, Some(6 | 17 | 132 | 136)),
            before: rule.conditions.iter().filter(of_frame).cloned().collect(),
        })
    }

    /// All limits of a program, each once.
    #[must_use]
    pub fn all(program: &Program) -> Vec<Self> {
        let mut limits = Vec::new();
        for (chain, rules) in &program.chains {
            for rule in rules {
                for condition in &rule.conditions {
                    let Condition::Predicate { predicate, .. } = condition else {
                        continue;
                    };
                    let limit = Self::of(chain.hook, rule, predicate);
                    limits.extend(limit.filter(|limit| !limits.contains(limit)));
                }
            }
        }
        limits
    }

    /// Whether a packet's connection is counted.
    #[must_use]
    pub fn counts(&self, packet: &Packet<'_>) -> bool {
        let version = if self.v6 { 6 } else { 4 };
        let holds = |condition| question::holds(condition, packet).unwrap_or_default();
        packet.ip_version() == Some(version) && self.before.iter().all(holds)
    }

    /// Whether the kernel drops a packet that this limit counts, since it names no connection: a later fragment that did
    /// not wait for the others. Of protocols without ports such packets are not counted in the first place.
    #[must_use]
    pub fn drops(&self, packet: &Packet<'_>) -> bool {
        let is_later = packet.transport().is_some_and(|transport| transport.later_fragment);
        self.with_ports && is_later && self.counts(packet)
    }

    /// Whose connection it is.
    #[must_use]
    pub fn sender(&self, packet: &Packet<'_>) -> Sender {
        let part = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
        let mac = packet.link().get(if self.out { 6..12 } else { 0..6 });
        let address = packet.network().get(if self.v6 { 8..24 } else { 12..16 });
        (part(mac), part(address))
    }

    /// Whether so many connections are too many.
    #[must_use]
    pub fn is_exceeded(&self, connections: usize) -> bool {
        u32::try_from(connections).is_ok_and(|connections| connections > self.above)
    }
}
