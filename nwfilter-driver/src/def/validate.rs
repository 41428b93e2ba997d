//! Checks what belongs together: a filter's name and chain, and conditions of a rule that complete one another.

use super::kind::Kind;
use super::parse::{MAX_PRIORITY, Reader, refuse};
use super::value::{End, Value};
use super::{Field, Match, Term};
use driver_api::error::{Code, Result};
use driver_api::kit::xml::Position;

/// The greatest length of a filter's name in bytes.
pub const MAX_NAME: usize = 63;
/// The greatest length of a chain's name in bytes.
pub const MAX_CHAIN: usize = 12;

/// What a chain's name may begin with, and the priority that a chain has if it names none.
const CHAINS: [(&str, i32); 7] = [
    ("mac", -800),
    ("vlan", -750),
    ("stp", -810),
    ("arp", -500),
    ("rarp", -400),
    ("ipv4", -700),
    ("ipv6", -600),
];

/// IP protocols whose ports the Ethernet elements can match: tcp, udp, dccp, sctp.
const WITH_PORTS: [u32; 4] = [6, 17, 33, 132];

/// A priority as libvirt reads it: blanks and a sign may stand before the digits.
#[must_use]
pub(super) fn priority(text: &str) -> Option<i32> {
    let number: i32 = text.trim_ascii_start().parse().ok()?;
    (-MAX_PRIORITY..=MAX_PRIORITY).contains(&number).then_some(number)
}

/// Which of two ranges or addresses counts when a rule has both.
const RIVALS: [(&str, &str); 2] = [("srcipaddr", "srcipfrom"), ("dstipaddr", "dstipfrom")];

impl Reader {
    /// A filter's name is also the name of its file.
    pub(super) fn filter_name(&mut self, at: Position, name: String) -> Result<String> {
        if name.is_empty() {
            return Err(refuse(
                Code::INTERNAL,
                at,
                "the filter has no name: give <filter name='...'>",
            ));
        }
        if name.len() > MAX_NAME {
            let message = format!(
                "the filter's name is {} bytes long, at most {MAX_NAME} are allowed",
                name.len()
            );
            return Err(refuse(Code::XML_ERROR, at, message));
        }
        if let Some(c) = name.chars().find(|c| *c == '/' || c.is_control()) {
            let message = format!(
                "the filter's name '{}' must not contain '{}'",
                name.escape_debug(),
                c.escape_debug()
            );
            return Err(refuse(Code::XML_ERROR, at, message));
        }
        Ok(name)
    }

    pub(super) fn chain(&mut self, at: Position, chain: Option<String>, text: Option<String>) -> Result<(String, i32)> {
        let given = match &text {
            None => None,
            Some(text) => Some(priority(text).ok_or_else(|| {
                let message =
                    format!("priority '{text}' of the filter is not a number from -{MAX_PRIORITY} to {MAX_PRIORITY}");
                refuse(Code::INVALID_ARG, at, message)
            })?),
        };
        let Some(chain) = chain else {
            if let Some(priority) = given {
                let message = format!("priority '{priority}' without 'chain' means nothing: give the chain too");
                self.doubt(at, message)?;
            }
            return Ok(("root".to_owned(), 0));
        };
        if chain.len() > MAX_CHAIN {
            let message = format!("chain '{chain}' is longer than {MAX_CHAIN} bytes");
            return Err(refuse(Code::INVALID_ARG, at, message));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:-".contains(&b);
        if !chain.bytes().all(allowed) {
            let message = format!("chain '{chain}' has other characters than letters of ASCII, digits and '_.:-'");
            return Err(refuse(Code::INVALID_ARG, at, message));
        }
        let default = match CHAINS.iter().find(|(prefix, _)| chain.starts_with(prefix)) {
            Some((_, default)) => *default,
            None if chain == "root" => 0,
            None => {
                let prefixes = CHAINS.map(|(prefix, _)| prefix).join(", ");
                let message = format!("unknown chain '{chain}': it must be 'root' or begin with one of {prefixes}");
                return Err(refuse(Code::INVALID_ARG, at, message));
            }
        };
        Ok((chain, given.unwrap_or(default)))
    }

    /// Gives masks and range ends the `match` of what they complete, and refuses what would match nothing or
    /// everything.
    pub(super) fn settle(&mut self, at: Position, matches: &mut Match) -> Result<()> {
        complete_set(matches);
        let element = matches.protocol.name;
        for i in 0..matches.fields.len() {
            let attribute = matches.fields[i].attribute;
            let Some(base) = attribute.completes else {
                continue;
            };
            match matches.field(base).map(|field| field.negated) {
                Some(negated) if negated == matches.fields[i].negated => {}
                Some(negated) => {
                    let message = format!(
                        "'{}' of <{element}> belongs to '{base}' and must stand in an element with the same 'match'",
                        attribute.name
                    );
                    self.doubt(at, message)?;
                    matches.fields[i].negated = negated;
                }
                None if attribute.needs_base => {
                    let message = format!("'{}' of <{element}> means nothing without '{base}'", attribute.name);
                    self.doubt(at, message)?;
                    matches.fields[i].negated = false;
                }
                None => {}
            }
        }
        for (address, range) in RIVALS {
            if matches.field(address).is_some() && matches.field(range).is_some() {
                let message = format!("'{range}' of <{element}> beside '{address}' means nothing: give one of them");
                self.doubt(at, message)?;
            }
        }
        check_ports(at, matches)
    }
}

/// An ipset without flags looks at the sender.
fn complete_set(matches: &mut Match) {
    let Some(at) = matches
        .fields
        .iter()
        .position(|field| field.attribute.kind == Kind::SetName)
    else {
        return;
    };
    if matches.field("ipsetflags").is_some() {
        return;
    }
    if let Some(attribute) = matches.protocol.attribute("ipsetflags") {
        let flags = Field {
            attribute,
            negated: matches.fields[at].negated,
            term: Term::Value(Value::SetFlags(vec![End::Source])),
        };
        matches.fields.insert(at + 1, flags);
    }
}

/// Ports of the Ethernet elements `ip` and `ipv6` need a protocol that has ports.
fn check_ports(at: Position, matches: &Match) -> Result<()> {
    let ports = ["srcportstart", "srcportend", "dstportstart", "dstportend"];
    let element = matches.protocol.name;
    if !matches!(element, "ip" | "ipv6") || ports.iter().all(|port| matches.field(port).is_none()) {
        return Ok(());
    }
    match matches.field("protocol").map(|field| &field.term) {
        Some(Term::Value(Value::Number { value, .. })) if WITH_PORTS.contains(value) => Ok(()),
        _ => {
            let message = format!("ports of <{element}> need a 'protocol' that has them: tcp, udp, sctp or 33 (dccp)");
            Err(refuse(Code::INTERNAL, at, message))
        }
    }
}
