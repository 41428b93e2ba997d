//! What a rule does not do as it was written, on this kernel.

use crate::kernel::{Facts, StatePlan};
use crate::ruleset::{Base, Condition, Hook, Load, Rule, Test, Verdict};

/// Which IP version a rule is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V4,
    V6,
    /// Any frame.
    Any,
    /// No IP at all.
    None,
}

/// Makes notes about rules, knowing what the kernel can.
#[derive(Clone, Copy, Debug)]
pub struct Noter {
    facts: Option<Facts>,
}

impl Noter {
    /// Without facts only what no kernel can is noted.
    #[must_use]
    pub const fn new(facts: Option<Facts>) -> Self {
        Self { facts }
    }

    /// What is to be said about a rule; mostly nothing.
    #[must_use]
    pub fn note(self, hook: Hook, rule: &Rule) -> String {
        let version = version(rule);
        let tracks = |condition: &Condition| {
            matches!(
                condition,
                Condition::State { .. } | Condition::Reply(_) | Condition::Predicate { .. }
            )
        };
        if rule.conditions.iter().any(tracks)
            && let Some(switch) = self.switched_off(version, true)
        {
            return format!("never matches: {switch} is 0");
        }
        if rule.verdict != Verdict::Reject {
            return String::new();
        }
        match (hook, version) {
            (Hook::FrameIn, _) => "drops, the sender is not told: frames to a guest can not be rejected".to_owned(),
            (_, Version::None) => "drops, the sender is not told: only IP packets can be rejected".to_owned(),
            (_, version) => match (self.switched_off(version, false), version) {
                (Some(switch), _) => format!("drops, the sender is not told: {switch} is 0"),
                (None, Version::Any) => "tells only senders of IP packets".to_owned(),
                (None, _) => String::new(),
            },
        }
    }

    /// The switch of `br_netfilter` that keeps IP packets of this version from the tables that would have to see them.
    fn switched_off(self, version: Version, states: bool) -> Option<&'static str> {
        let facts = self.facts?;
        if states && facts.state_plan == StatePlan::Conntrack {
            return None;
        }
        match version {
            Version::V4 | Version::Any if !facts.calls_ip => Some("bridge-nf-call-iptables"),
            Version::V6 | Version::Any if !facts.calls_ip6 => Some("bridge-nf-call-ip6tables"),
            _ => None,
        }
    }
}

fn version(rule: &Rule) -> Version {
    let ether_type = |condition: &Condition| match condition {
        Condition::Bytes {
            load:
                Load::Payload {
                    base: Base::Link,
                    offset: 12,
                    ..
                },
            mask: None,
            test: Test::Equal(value),
            negated: false,
        } => Some(match value.as_slice() {
            [0x08, 0x00] => Version::V4,
            [0x86, 0xdd] => Version::V6,
            _ => Version::None,
        }),
        _ => None,
    };
    rule.conditions.iter().find_map(ether_type).unwrap_or(Version::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(kind: &[u8], more: Option<Condition>, verdict: Verdict) -> Rule {
        let about = Condition::Bytes {
            load: Load::payload(Base::Link, 12, 2),
            mask: None,
            test: Test::Equal(kind.to_vec()),
            negated: false,
        };
        Rule {
            conditions: [about].into_iter().chain(more).collect(),
            verdict,
            origin: None,
        }
    }

    fn facts(state_plan: StatePlan, calls_ip: bool, calls_ip6: bool) -> Noter {
        Noter::new(Some(Facts {
            state_plan,
            calls_ip,
            calls_ip6,
        }))
    }

    const V4: &[u8] = &[8, 0];
    const V6: &[u8] = &[0x86, 0xdd];
    const ARP: &[u8] = &[8, 6];

    #[test]
    fn a_reject_that_tells_nobody_is_marked() {
        let all = facts(StatePlan::Mark, true, true);
        let none = facts(StatePlan::Conntrack, false, true);
        for (noter, hook, kind, text) in [
            (all, Hook::PacketOut, V4, ""),
            (all, Hook::FrameOut, V6, ""),
            (all, Hook::FrameOut, ARP, "only IP packets"),
            (all, Hook::FrameIn, V4, "frames to a guest"),
            (none, Hook::PacketOut, V4, "bridge-nf-call-iptables is 0"),
            (none, Hook::PacketOut, V6, ""),
        ] {
            let note = noter.note(hook, &rule(kind, None, Verdict::Reject));
            assert!(note.contains(text) && note.is_empty() == text.is_empty(), "{note}");
            assert_eq!(all.note(hook, &rule(kind, None, Verdict::Drop)), "");
        }
    }

    #[test]
    fn a_state_that_nobody_looks_up_is_marked() {
        let state = Condition::State {
            states: 3,
            negated: false,
        };
        let asks = rule(V6, Some(state), Verdict::Accept);
        let text = "never matches: bridge-nf-call-ip6tables is 0";
        assert_eq!(facts(StatePlan::Mark, true, false).note(Hook::PacketIn, &asks), text);
        assert_eq!(facts(StatePlan::Conntrack, true, false).note(Hook::PacketIn, &asks), "");
    }
}
