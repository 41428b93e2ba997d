//! `Value`: what an attribute holds, read and printed by its [`Kind`].

use super::address::{Mac, print_v6, read_v4, read_v4_mask, read_v6, read_v6_mask};
use super::kind::{Base, Kind, Names, STATE_NONE, STATES, TCP_ALL, TCP_FLAGS};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A comment's greatest length in bytes; what is longer is cut.
pub const MAX_COMMENT: usize = 256;
/// The greatest length of an ipset's name.
pub const MAX_SET_NAME: usize = 31;
/// The greatest number of dimensions of an ipset.
pub const MAX_SET_FLAGS: usize = 6;

/// Which end of a packet an ipset's dimension looks at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// The sender.
    Source,
    /// The receiver.
    Target,
}

/// What an attribute holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A number.
    Number {
        /// The number.
        value: u32,
        /// It is printed in hexadecimal digits.
        hex: bool,
    },
    /// A MAC address or mask.
    Mac(Mac),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// The length of a mask.
    Prefix(u8),
    /// Bits of [`STATES`].
    States(u32),
    /// Bits of [`TCP_FLAGS`].
    TcpFlags {
        /// The flags that are looked at.
        mask: u32,
        /// Those of them that must be set.
        flags: u32,
    },
    /// The name of an ipset.
    SetName(String),
    /// The ends that an ipset's dimensions look at.
    SetFlags(Vec<End>),
    /// Yes or no.
    Flag(bool),
    /// Free text.
    Comment(String),
}

/// Why a text is not a value.
#[derive(Debug)]
pub enum Refusal {
    /// libvirt refuses it too; this says what is wanted.
    Illegal(String),
    /// libvirt takes it for this value, which is hardly what was meant.
    Doubtful(Value, &'static str),
}

impl Kind {
    /// Reads a value that is not a variable.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(&self, text: &str) -> Result<Value, Refusal> {
        let value = match *self {
            Self::Number {
                min,
                max,
                hex,
                names,
                base,
            } => read_number(text, hex, names)
                .filter(|(value, _)| (min..=max).contains(value))
                .map(|(value, hex)| {
                    let plain = base == Base::Decimal || name_of(names, value).is_some();
                    Value::Number {
                        value,
                        hex: hex && !plain,
                    }
                }),
            Self::Mac => Mac::read(text).map(Value::Mac),
            Self::MacMask => Mac::read(text).filter(|mac| mac.is_mask()).map(Value::Mac),
            Self::V4 => read_v4(text).map(Value::V4),
            Self::V6 => read_v6(text).map(Value::V6),
            Self::V4Mask => read_v4_mask(text).map(Value::Prefix),
            Self::V6Mask => read_v6_mask(text).map(Value::Prefix),
            Self::States => return self.read_states(text),
            Self::TcpFlags => read_tcp_flags(text),
            Self::SetName => is_set_name(text).then(|| Value::SetName(text.to_owned())),
            Self::SetFlags => read_set_flags(text),
            Self::Flag => return read_flag(text),
            Self::Comment => Some(Value::Comment(cut(text, MAX_COMMENT).to_owned())),
        };
        value.ok_or_else(|| Refusal::Illegal(self.wanted()))
    }

    fn read_states(&self, text: &str) -> Result<Value, Refusal> {
        match read_items(STATES, text) {
            None => Err(Refusal::Illegal(self.wanted())),
            Some(0) => Err(Refusal::Doubtful(
                Value::States(0),
                "names no state, so any state matches",
            )),
            Some(bits) if bits & STATE_NONE != 0 && bits != STATE_NONE => Err(Refusal::Doubtful(
                Value::States(STATE_NONE),
                "has NONE beside other states, which switches them off",
            )),
            Some(bits) => Ok(Value::States(bits)),
        }
    }

    /// The first name in an illegal value that is none of this kind's names, and those names; `None` where a value has no
    /// names.
    #[must_use]
    pub fn unknown_name<'a>(&self, text: &'a str) -> Option<(&'a str, Vec<&'static str>)> {
        let (names, separators): (Vec<&'static str>, &[char]) = match *self {
            Self::Number { names, .. } => (names.iter().map(|(_, name)| *name).collect(), &[]),
            Self::States => (STATES.iter().map(|(_, name)| *name).collect(), &[',', ' ']),
            Self::TcpFlags => (TCP_FLAGS.iter().map(|(_, name)| *name).collect(), &[',', ' ', '/']),
            Self::SetFlags => (vec!["src", "dst"], &[',']),
            _ => return None,
        };
        let known = |item: &&str| !names.iter().any(|name| name.eq_ignore_ascii_case(item));
        let unknown = text.split(separators).filter(|item| !item.is_empty()).find(known)?;
        Some((unknown, names))
    }

    /// What a value of this kind looks like, in words.
    #[must_use]
    pub fn wanted(&self) -> String {
        match *self {
            Self::Number {
                min, max, hex, names, ..
            } => {
                let digits = if hex { " (decimal, or hexadecimal with 0x)" } else { "" };
                let mut wanted = format!("a number from {min} to {max}{digits}");
                if !names.is_empty() {
                    wanted.push_str(" or one of ");
                    wanted.push_str(&listed(names));
                }
                wanted
            }
            Self::Mac => "six hexadecimal numbers with ':' between them".to_owned(),
            Self::MacMask => "a MAC mask, all ones before all zeros".to_owned(),
            Self::V4 => "an IPv4 address".to_owned(),
            Self::V6 => "an IPv6 address without a scope".to_owned(),
            Self::V4Mask => "a prefix length from 0 to 32, or a dotted mask with all ones before all zeros".to_owned(),
            Self::V6Mask => "a prefix length from 0 to 128, or a mask with all ones before all zeros".to_owned(),
            Self::States => format!("a list of {}", listed(STATES)),
            Self::TcpFlags => format!("MASK/FLAGS, both of them lists of {}", listed(TCP_FLAGS)),
            Self::SetName => format!("1 to {MAX_SET_NAME} letters, digits, blanks or any of '_.:+-'"),
            Self::SetFlags => format!("1 to {MAX_SET_FLAGS} of 'src' and 'dst' with commas between them"),
            Self::Flag => "'true' or 'false'".to_owned(),
            Self::Comment => "text".to_owned(),
        }
    }

    /// The value as libvirt prints it.
    #[must_use]
    pub fn print(&self, value: &Value) -> String {
        match value {
            Value::Number { value, hex } => {
                let names: Names = match self {
                    Self::Number { names, .. } => names,
                    _ => &[],
                };
                match name_of(names, *value) {
                    Some(name) => name.to_owned(),
                    None if *hex => format!("{value:#x}"),
                    None => value.to_string(),
                }
            }
            Value::Mac(mac) => mac.to_string(),
            Value::V4(address) => address.to_string(),
            Value::V6(address) => print_v6(*address),
            Value::Prefix(length) => length.to_string(),
            Value::States(bits) => print_items(STATES, *bits),
            Value::TcpFlags { mask, flags } => format!("{}/{}", print_flags(*mask), print_flags(*flags)),
            Value::SetName(text) | Value::Comment(text) => text.clone(),
            Value::SetFlags(ends) => {
                let ends: Vec<&str> = ends
                    .iter()
                    .map(|end| if *end == End::Source { "src" } else { "dst" })
                    .collect();
                ends.join(",")
            }
            Value::Flag(flag) => flag.to_string(),
        }
    }
}

/// A number as `strtoul` takes it, but without a minus: blanks and a plus may stand before it.
pub(super) fn digits(text: &str, radix: u32) -> Option<u32> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let text = match radix {
        16 => text
            .strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .unwrap_or(text),
        _ => text,
    };
    // `from_str_radix` would take a second sign.
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(text, radix).ok()
}

fn read_number(text: &str, hex: bool, names: Names) -> Option<(u32, bool)> {
    let named = names.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
    named
        .map(|(value, _)| (*value, false))
        .or_else(|| digits(text, 10).map(|value| (value, false)))
        .or_else(|| digits(text, 16).filter(|_| hex).map(|value| (value, true)))
}

fn name_of(names: Names, value: u32) -> Option<&'static str> {
    names.iter().find(|(number, _)| *number == value).map(|(_, name)| *name)
}

fn listed(names: Names) -> String {
    let names: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
    names.join(", ")
}

/// The bits of a list of names in any case; commas, blanks or nothing stand between them, as in libvirt.
fn read_items(names: Names, text: &str) -> Option<u32> {
    let between = |c: char| c == ',' || c.is_ascii_whitespace();
    let mut bits = 0;
    let mut rest = text.trim_start_matches(between);
    while !rest.is_empty() {
        let starts = |name: &str| {
            rest.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        let (bit, name) = names.iter().find(|(_, name)| starts(name))?;
        bits |= bit;
        rest = rest[name.len()..].trim_start_matches(between);
    }
    Some(bits)
}

fn print_items(names: Names, bits: u32) -> String {
    let mut out = String::new();
    for (bit, name) in names.iter().filter(|(bit, _)| bit.is_power_of_two() && bits & bit != 0) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}{name}", if out.is_empty() { "" } else { "," });
        debug_assert!(*bit != 0);
    }
    out
}

fn print_flags(bits: u32) -> String {
    match bits {
        0 => "NONE".to_owned(),
        TCP_ALL => "ALL".to_owned(),
        bits => print_items(TCP_FLAGS, bits),
    }
}

fn read_tcp_flags(text: &str) -> Option<Value> {
    let (mask, flags) = text.split_once('/')?;
    Some(Value::TcpFlags {
        mask: read_items(TCP_FLAGS, mask)?,
        flags: read_items(TCP_FLAGS, flags)?,
    })
}

fn is_set_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b" _.:+-".contains(&b);
    (1..=MAX_SET_NAME).contains(&text.len()) && text.bytes().all(allowed)
}

fn read_set_flags(text: &str) -> Option<Value> {
    let end = |text: &str| match text {
        text if text.eq_ignore_ascii_case("src") => Some(End::Source),
        text if text.eq_ignore_ascii_case("dst") => Some(End::Target),
        _ => None,
    };
    let ends: Vec<End> = text.split(',').map(end).collect::<Option<_>>()?;
    (ends.len() <= MAX_SET_FLAGS).then_some(Value::SetFlags(ends))
}

fn read_flag(text: &str) -> Result<Value, Refusal> {
    match text {
        "true" | "1" | "yes" => Ok(Value::Flag(true)),
        "false" | "0" | "no" => Ok(Value::Flag(false)),
        _ => Err(Refusal::Doubtful(
            Value::Flag(false),
            "is neither 'true' nor 'false', which libvirt takes for 'false'",
        )),
    }
}

fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(kind: Kind, text: &str) -> Option<String> {
        kind.read(text).ok().map(|value| kind.print(&value))
    }

    #[test]
    fn values_print_as_libvirt_prints_them() {
        for (kind, text, expected) in [
            (Kind::U16, "80", "80"),
            (Kind::U16, " +80", "80"),
            (Kind::U16, "010", "10"),
            (Kind::U16, "0X1F", "0x1f"),
            (Kind::U16, "50a", "0x50a"),
            (Kind::U32, "4294967295", "4294967295"),
            (Kind::ETHER_TYPE, "RARP", "rarp"),
            (Kind::ETHER_TYPE, "2054", "arp"),
            (Kind::ETHER_TYPE, "86dd", "ipv6"),
            (Kind::ETHER_TYPE, "0xffff", "0xffff"),
            (Kind::OPCODE, "0xa", "10"),
            (Kind::OPCODE, "reply_REVERSE", "Reply_Reverse"),
            (Kind::IP_PROTOCOL, "0x3b", "0x3b"),
            (Kind::IP_PROTOCOL, "0x11", "udp"),
            (Kind::States, "established, new", "NEW,ESTABLISHED"),
            (Kind::States, "INVALIDRELATED", "RELATED,INVALID"),
            (Kind::States, "none", "NONE"),
            (Kind::TcpFlags, "syn ack/none", "SYN,ACK/NONE"),
            (Kind::TcpFlags, "SYN,ACK,URG,PSH,FIN,RST/SYN", "ALL/SYN"),
            (Kind::TcpFlags, "/", "NONE/NONE"),
            (Kind::SetFlags, "SRC,dst", "src,dst"),
            (Kind::Flag, "yes", "true"),
            (Kind::V6Mask, "ffff::", "16"),
        ] {
            assert_eq!(printed(kind, text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(printed(Kind::Comment, &"é".repeat(200)), Some("é".repeat(128)));
        assert_eq!(
            printed(Kind::Comment, &format!("x{}", "é".repeat(200))).map(|c| c.len()),
            Some(255)
        );
    }

    #[test]
    fn what_is_out_of_range_or_malformed_is_refused_with_what_is_wanted() {
        for (kind, text, wanted) in [
            (Kind::U16, "65536", "from 0 to 65535"),
            (Kind::U16, "-1", "from 0 to 65535"),
            (Kind::U16, "80 ", "a number"),
            (Kind::U16, "", "a number"),
            (Kind::U16, "++8", "a number"),
            (Kind::U32, "-1", "a number"),
            (Kind::U16_DECIMAL, "0x10", "from 0 to 65535"),
            (Kind::DSCP, "64", "from 0 to 63"),
            (Kind::VLAN_ID, "4096", "from 0 to 4095"),
            (Kind::ETHER_TYPE, "0x5ff", "one of arp, rarp"),
            (Kind::ENCAPSULATED, "59", "from 60"),
            (Kind::States, "NEW,FOO", "ESTABLISHED"),
            (Kind::TcpFlags, "SYN", "MASK/FLAGS"),
            (Kind::TcpFlags, "SYN/ACK/FIN", "MASK/FLAGS"),
            (Kind::SetName, "", "31"),
            (Kind::SetName, "a,b", "31"),
            (Kind::SetName, &"x".repeat(32), "31"),
            (Kind::SetFlags, "src,", "1 to 6"),
            (Kind::SetFlags, "src,src,src,src,src,src,src", "1 to 6"),
        ] {
            match kind.read(text) {
                Err(Refusal::Illegal(message)) => assert!(message.contains(wanted), "{text}: {message}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        for (kind, text) in [(Kind::Flag, "TRUE"), (Kind::States, ""), (Kind::States, "NEW,NONE")] {
            assert!(matches!(kind.read(text), Err(Refusal::Doubtful(..))), "{text}");
        }
    }
}
