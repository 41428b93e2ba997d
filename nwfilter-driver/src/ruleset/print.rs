//! A program as text for people: a chain in braces, one rule a line, in words that resemble nft's.

use super::{Base, ChainName, Condition, Load, Predicate, Program, Rule, SlotKey, SlotShape, Test, Verdict};
use std::fmt::{self, Display, Formatter, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, shape) in self.slots.iter().enumerate() {
            writeln!(f, "slot {number} {{ {shape} }}")?;
        }
        for (name, rules) in &self.chains {
            writeln!(f, "chain {name} {{")?;
            for rule in rules {
                write!(f, "    {rule}")?;
                if let Some(origin) = rule.origin {
                    write!(f, "  # {} entry {}", origin.filter, origin.entry + 1)?;
                }
                writeln!(f)?;
            }
            writeln!(f, "}}")?;
        }
        Ok(())
    }
}

impl Display for ChainName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.hook.name())?;
        if !self.suffix.is_empty() {
            write!(f, " {}", self.suffix)?;
        }
        Ok(())
    }
}

impl Display for SlotShape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.out { "iifname" } else { "oifname" })?;
        for width in &self.widths {
            write!(f, " . {width}")?;
        }
        Ok(())
    }
}

/// The rule without its origin.
impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut known = Known::default();
        for condition in &self.conditions {
            known.write(f, condition)?;
            f.write_char(' ')?;
            known.learn(condition);
        }
        write!(f, "{}", self.verdict)
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
            Self::Return => "return",
            Self::Continue => "continue",
            Self::Jump(chain) => return write!(f, "jump {chain}"),
        })
    }
}

impl Display for Predicate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let family = |v6: bool| if v6 { "ip6" } else { "ip" };
        match self {
            Self::Connections { v6, protocol, above } => {
                write!(f, "ct count over {above} by {} saddr", family(*v6))?;
                protocol.map_or(Ok(()), |protocol| write!(f, " of protocol {protocol}"))
            }
            Self::IpSet { v6, name, sources } => {
                let ends: Vec<&str> = sources
                    .iter()
                    .map(|source| if *source { "src" } else { "dst" })
                    .collect();
                write!(f, "{} ipset '{name}' {}", family(*v6), ends.join(","))
            }
        }
    }
}

/// What earlier conditions of a rule made sure of: it gives bytes their names.
#[derive(Default)]
struct Known {
    ether_type: Option<u16>,
    protocol: Option<u8>,
}

impl Known {
    fn learn(&mut self, condition: &Condition) {
        let Condition::Bytes {
            load,
            mask: None,
            test: Test::Equal(value),
            negated: false,
        } = condition
        else {
            return;
        };
        match (load, value.as_slice()) {
            (Load::Protocol, [protocol]) => self.protocol = Some(*protocol),
            (Load::Payload { base, offset: 12, .. }, [high, low]) if *base == Base::Link => {
                self.ether_type = Some(u16::from_be_bytes([*high, *low]));
            }
            _ => {}
        }
    }

    fn write(&self, f: &mut Formatter<'_>, condition: &Condition) -> fmt::Result {
        let not = |negated: bool| if negated { "!= " } else { "" };
        match condition {
            Condition::Bytes {
                load,
                mask,
                test,
                negated,
            } => {
                f.write_str(&self.load(*load))?;
                self.masked(f, *load, mask.as_deref())?;
                write!(f, " {}", not(*negated))?;
                match test {
                    Test::Equal(value) => f.write_str(&self.value(*load, value)),
                    Test::Range(low, high) => {
                        write!(f, "{}-{}", self.value(*load, low), self.value(*load, high))
                    }
                }
            }
            Condition::Slot { slot, keys, negated } => {
                for (number, SlotKey { load, mask }) in keys.iter().enumerate() {
                    f.write_str(if number == 0 { "" } else { " . " })?;
                    f.write_str(&self.load(*load))?;
                    self.masked(f, *load, mask.as_deref())?;
                }
                write!(f, " {}@slot{slot}", not(*negated))
            }
            Condition::Same { left, right, negated } => {
                let sign = if *negated { "!=" } else { "==" };
                write!(f, "{} {sign} {}", self.load(*left), self.load(*right))
            }
            Condition::State { states, negated } => {
                let names = [(1, "new"), (2, "established"), (4, "related"), (8, "invalid")];
                let names: Vec<&str> = names
                    .into_iter()
                    .filter(|(bit, _)| states & bit != 0)
                    .map(|(_, name)| name)
                    .collect();
                write!(f, "ct state {}{}", not(*negated), names.join(","))
            }
            Condition::Reply(reply) => {
                write!(f, "ct direction {}", if *reply { "reply" } else { "original" })
            }
            Condition::TcpOption { kind, negated } => {
                write!(f, "tcp option {kind} {}", if *negated { "missing" } else { "exists" })
            }
            Condition::Predicate { predicate, negated } => {
                write!(f, "{}{predicate}", if *negated { "not " } else { "" })
            }
        }
    }

    fn masked(&self, f: &mut Formatter<'_>, load: Load, mask: Option<&[u8]>) -> fmt::Result {
        match mask {
            Some(mask) => write!(f, " & {}", self.value(load, mask)),
            None => Ok(()),
        }
    }

    fn load(&self, load: Load) -> String {
        let Load::Payload { base, offset, len } = load else {
            return "protocol".to_owned();
        };
        let name = match (base, self.ether_type, self.protocol, offset, len) {
            (Base::Link, _, _, 0, 6) => "ether daddr",
            (Base::Link, _, _, 6, 6) => "ether saddr",
            (Base::Link, _, _, 12, 2) => "ether type",
            (Base::Link, _, _, 14, 2) => "vlan tag",
            (Base::Link, _, _, 16, 2) => "vlan type",
            (Base::Network, Some(0x0800), _, 1, 1) => "ip tos",
            (Base::Network, Some(0x0800), _, 12, 4) => "ip saddr",
            (Base::Network, Some(0x0800), _, 16, 4) => "ip daddr",
            (Base::Network, Some(0x86dd), _, 0, 2) => "ip6 class",
            (Base::Network, Some(0x86dd), _, 8, 16) => "ip6 saddr",
            (Base::Network, Some(0x86dd), _, 24, 16) => "ip6 daddr",
            (Base::Network, Some(0x0806 | 0x8035), _, 0, 2) => "arp htype",
            (Base::Network, Some(0x0806 | 0x8035), _, 2, 2) => "arp ptype",
            (Base::Network, Some(0x0806 | 0x8035), _, 4, 1) => "arp hlen",
            (Base::Network, Some(0x0806 | 0x8035), _, 4, 2) => "arp lengths",
            (Base::Network, Some(0x0806 | 0x8035), _, 6, 2) => "arp operation",
            (Base::Network, Some(0x0806 | 0x8035), _, 8, 6) => "arp saddr ether",
            (Base::Network, Some(0x0806 | 0x8035), _, 14, 4) => "arp saddr ip",
            (Base::Network, Some(0x0806 | 0x8035), _, 18, 6) => "arp daddr ether",
            (Base::Network, Some(0x0806 | 0x8035), _, 24, 4) => "arp daddr ip",
            (Base::Transport, _, Some(1 | 58), 0, 1) => "icmp type",
            (Base::Transport, _, Some(1 | 58), 1, 1) => "icmp code",
            (Base::Transport, _, _, 0, 2) => "sport",
            (Base::Transport, _, _, 2, 2) => "dport",
            (Base::Transport, _, Some(6), 13, 1) => "tcp flags",
            _ => {
                let base = match base {
                    Base::Link => "ll",
                    Base::Network => "nh",
                    Base::Transport => "th",
                };
                // As nft writes it, in bits.
                return format!("@{base},{},{}", u32::from(offset) * 8, u32::from(len) * 8);
            }
        };
        name.to_owned()
    }

    fn value(&self, load: Load, value: &[u8]) -> String {
        let number = value.iter().fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
        let decimal = matches!(
            load,
            Load::Protocol
                | Load::Payload {
                    base: Base::Transport,
                    len: 2,
                    ..
                }
        ) || self.load(load).starts_with("icmp");
        match value {
            _ if decimal => number.to_string(),
            [a, b, c, d, e, g] => format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"),
            [a, b, c, d] if self.load(load).starts_with(['i', 'a']) => Ipv4Addr::new(*a, *b, *c, *d).to_string(),
            _ if value.len() == 16 => Ipv6Addr::from_bits(number).to_string(),
            _ => format!("0x{number:0width$x}", width = value.len() * 2),
        }
    }
}
