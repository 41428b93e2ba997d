//! `run`: a frame's way through the hooks, rule by rule, as the kernel's tables would decide it.

use super::connection::{Connections, Tracked};
use super::limit::Limit;
use super::packet::Packet;
use super::question::{self, masked};
use crate::ruleset::{
    Base, ChainName, Condition, Hook, Load, Origin, Predicate, Program, Rule, SlotKey, Test, Verdict,
};
use std::collections::BTreeSet;
use std::fmt;

/// The kernel follows so many jumps, one within the other.
const MAX_DEPTH: usize = 16;

/// Which way a frame goes, seen from the port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the guest, through the bridge.
    Out,
    /// To the guest, through the bridge.
    In,
    /// From the guest to the host itself.
    ToHost,
    /// From the host itself to the guest.
    FromHost,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Out, Self::In, Self::ToHost, Self::FromHost];

    /// The hooks that a frame passes, in their order.
    #[must_use]
    pub const fn hooks(self) -> &'static [Hook] {
        match self {
            Self::Out | Self::ToHost => &[Hook::FrameOut, Hook::PacketOut],
            Self::In => &[Hook::PacketIn, Hook::FrameIn],
            Self::FromHost => &[Hook::FrameIn],
        }
    }

    /// Its name in packet descriptions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::ToHost => "to-host",
            Self::FromHost => "from-host",
        }
    }
}

/// What is in force on a port.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The rules.
    pub program: &'a Program,
    /// The port's elements of each slot.
    pub slots: &'a [BTreeSet<Vec<u8>>],
}

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fate {
    /// It arrives.
    Pass,
    /// It is gone.
    Drop,
    /// It is gone and its sender is told.
    Reject,
    /// It is a fragment and waits for the others, since connections are tracked.
    Held,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Drop => "drop",
            Self::Reject => "reject",
            Self::Held => "held",
        })
    }
}

/// A rule that matched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The chain that it stands in.
    pub chain: ChainName,
    /// Its place in the chain, from 0.
    pub rule: usize,
    /// Where in the filters it comes from; `None` for a jump between chains.
    pub origin: Option<Origin>,
    /// What it did.
    pub verdict: Verdict,
}

/// What becomes of a frame and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What becomes of it.
    pub fate: Fate,
    /// The rule that decided so: the one that dropped it, or the last that accepted it. `None` if no rule did.
    pub decided: Option<Step>,
    /// All rules that matched, in their order.
    pub path: Vec<Step>,
    /// What else should be known: the kernel's own reasons, and what had to be supposed.
    pub notes: Vec<String>,
}

/// Sends a frame the given way past a port's rules.
///
/// `connections` remembers what passed, so that a later packet may belong to an earlier one.
pub fn run(rules: Rules<'_>, way: Way, frame: &[u8], connections: &mut Connections) -> Outcome {
    let mut walk = Walk {
        rules,
        tracked: None,
        exceeded: Vec::new(),
        outcome: Outcome {
            fate: Fate::Pass,
            decided: None,
            path: Vec::new(),
            notes: Vec::new(),
        },
    };
    walk.travel(way, frame, connections);
    walk.outcome
}

/// For which IP versions a program makes the kernel track connections.
#[must_use]
pub fn tracks(program: &Program) -> [bool; 2] {
    let mut versions = [false; 2];
    for rule in program.chains.values().flatten() {
        let asks = |condition: &Condition| {
            matches!(
                condition,
                Condition::State { .. } | Condition::Reply(_) | Condition::Predicate { .. }
            )
        };
        if !rule.conditions.iter().any(asks) {
            continue;
        }
        match rule.conditions.iter().find_map(ether_type) {
            Some([0x08, 0x00]) => versions[0] = true,
            Some([0x86, 0xdd]) => versions[1] = true,
            Some(_) => {}
            None => versions = [true; 2],
        }
    }
    versions
}

/// The Ethernet type that a condition asks for, if it is about that.
fn ether_type(condition: &Condition) -> Option<&[u8]> {
    const ETHER_TYPE: Load = Load::payload(Base::Link, 12, 2);
    match condition {
        Condition::Bytes {
            load: ETHER_TYPE,
            mask: None,
            test: Test::Equal(value),
            negated: false,
        } => Some(value),
        _ => None,
    }
}

struct Walk<'a> {
    rules: Rules<'a>,
    tracked: Option<Tracked>,
    /// Limits that the packet's sender is above.
    exceeded: Vec<Limit>,
    outcome: Outcome,
}

/// What a chain says of a packet.
enum Said {
    /// Back to who jumped here.
    Nothing,
    /// The hook is done with it.
    Decided(Verdict),
}

impl Walk<'_> {
    fn travel(&mut self, way: Way, frame: &[u8], connections: &mut Connections) {
        let mut packet = match Packet::read(frame) {
            Ok(packet) => packet,
            Err(why) => return self.lost(Fate::Drop, format!("no device takes this frame: {why}")),
        };
        let tracks = tracks(self.rules.program);
        // From the guest the first hook comes before the kernel's IP side, to the guest both come behind it. What the
        // host itself sends does not pass there.
        let (before, behind): (&[Hook], &[Hook]) = match way {
            Way::Out | Way::ToHost => way.hooks().split_at(1),
            Way::In | Way::FromHost => (&[], way.hooks()),
        };
        // A packet that is rejected there still goes on to where the kernel tells its sender.
        if before.iter().any(|hook| !self.ask(*hook, &packet)) && self.outcome.fate != Fate::Reject {
            return;
        }
        if way != Way::FromHost
            && let Some(why) = packet.malformed()
        {
            return self.lost(Fate::Drop, format!("the bridge drops it: {why}"));
        }
        if way != Way::FromHost
            && let Some(version) = packet.ip_version()
        {
            let tracking = tracks[usize::from(version == 6)];
            if tracking && packet.is_fragment() {
                return self.lost(
                    Fate::Held,
                    "a fragment waits for the others before it goes on".to_owned(),
                );
            }
            packet = packet.trimmed();
            if way != Way::ToHost
                && let Some(why) = packet.malformed_again()
            {
                return self.lost(Fate::Drop, format!("the bridge does not forward it: {why}"));
            }
            if tracking && !self.track(&packet, connections) {
                return self.lost(
                    Fate::Drop,
                    "the kernel drops what it should count and finds no connection in".to_owned(),
                );
            }
        }
        let passed = self.outcome.fate == Fate::Pass && behind.iter().all(|hook| self.ask(*hook, &packet));
        // The host itself gets a copy of what is sent to a group: whatever the guest is spared, and to reject what it sends.
        let to_group = packet.link()[0] & 1 == 1;
        let copied = to_group && (way == Way::In || self.outcome.fate == Fate::Reject);
        if (passed || copied)
            && let Some(tracked) = self.tracked.take()
        {
            connections.confirm(tracked);
        }
    }

    /// Looks the connection up and counts it. `false`: the kernel can not do that, and drops the packet.
    fn track(&mut self, packet: &Packet<'_>, connections: &mut Connections) -> bool {
        let mut limits = Limit::all(self.rules.program);
        if limits.iter().any(|limit| limit.drops(packet)) {
            return false;
        }
        let tracked = connections.look(packet);
        limits.retain(|limit| limit.counts(packet) && limit.is_exceeded(connections.count(limit, packet, &tracked)));
        self.exceeded = limits;
        self.tracked = Some(tracked);
        true
    }

    fn lost(&mut self, fate: Fate, note: String) {
        self.outcome.fate = fate;
        self.outcome.notes.push(note);
    }

    /// Whether the packet goes on behind this hook.
    fn ask(&mut self, hook: Hook, packet: &Packet<'_>) -> bool {
        if matches!(hook, Hook::PacketOut | Hook::PacketIn) && packet.ip_version().is_none() {
            return true;
        }
        let verdict = match self.chain(ChainName::first(hook), packet, 0) {
            Said::Nothing => return true,
            Said::Decided(verdict) => verdict,
        };
        self.outcome.decided = self.outcome.path.last().cloned();
        match verdict {
            Verdict::Drop => self.outcome.fate = Fate::Drop,
            Verdict::Reject if hook == Hook::FrameIn => {
                self.lost(
                    Fate::Drop,
                    "dropped: the kernel can not reject frames on their way to the guest".to_owned(),
                );
            }
            Verdict::Reject if packet.ip_version().is_none() => {
                self.lost(
                    Fate::Drop,
                    "dropped: only untagged IP packets can be rejected".to_owned(),
                );
            }
            Verdict::Reject => self.outcome.fate = Fate::Reject,
            _ => return true,
        }
        false
    }

    fn chain(&mut self, name: ChainName, packet: &Packet<'_>, depth: usize) -> Said {
        let program = self.rules.program;
        let Some(rules) = program.chains.get(&name) else {
            return Said::Nothing;
        };
        for (at, rule) in rules.iter().enumerate() {
            if !self.matches(name.hook, rule, packet) {
                continue;
            }
            self.outcome.path.push(Step {
                chain: name.clone(),
                rule: at,
                origin: rule.origin,
                verdict: rule.verdict.clone(),
            });
            match &rule.verdict {
                Verdict::Continue => {}
                Verdict::Return => return Said::Nothing,
                Verdict::Jump(suffix) if depth < MAX_DEPTH => {
                    let next = ChainName {
                        hook: name.hook,
                        suffix: suffix.clone(),
                    };
                    if let Said::Decided(verdict) = self.chain(next, packet, depth + 1) {
                        return Said::Decided(verdict);
                    }
                }
                Verdict::Jump(_) => return Said::Nothing,
                decided => return Said::Decided(decided.clone()),
            }
        }
        Said::Nothing
    }

    fn matches(&mut self, hook: Hook, rule: &Rule, packet: &Packet<'_>) -> bool {
        let holds = |condition| self.holds(hook, rule, condition, packet).unwrap_or_default();
        rule.conditions.iter().all(holds)
    }

    /// Whether a condition holds; `None` if what it asks for is not there.
    fn holds(&mut self, hook: Hook, rule: &Rule, condition: &Condition, packet: &Packet<'_>) -> Option<bool> {
        let (found, negated) = match condition {
            Condition::Slot { slot, keys, negated } => (self.in_slot(*slot, keys, packet)?, *negated),
            Condition::State { states, negated } => {
                let state = self.tracked.as_ref().map_or(0, Tracked::state);
                (state & states != 0, *negated)
            }
            Condition::Reply(wanted) => (self.tracked.as_ref()?.is_reply()? == *wanted, false),
            Condition::Predicate { predicate, negated } => (self.predicate(hook, rule, predicate), *negated),
            of_frame => return question::holds(of_frame, packet),
        };
        Some(found != negated)
    }

    fn in_slot(&self, slot: u32, keys: &[SlotKey], packet: &Packet<'_>) -> Option<bool> {
        let mut element = Vec::new();
        for key in keys {
            element.extend(masked(packet.load(key.load)?, key.mask.as_deref()));
        }
        let slot = usize::try_from(slot).ok().and_then(|slot| self.rules.slots.get(slot));
        Some(slot.is_some_and(|slot| slot.contains(&element)))
    }

    fn predicate(&mut self, hook: Hook, rule: &Rule, predicate: &Predicate) -> bool {
        match predicate {
            Predicate::Connections { .. } => {
                Limit::of(hook, rule, predicate).is_some_and(|limit| self.exceeded.contains(&limit))
            }
            Predicate::IpSet { name, .. } => {
                let note = format!("depends on ipset '{name}', taken as if the packet were not in it");
                if !self.outcome.notes.contains(&note) {
                    self.outcome.notes.push(note);
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
