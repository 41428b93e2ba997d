//! Checks what belongs together: a filter's name and chain, and conditions of a rule that complete one another.

use super::kind::Kind;
use super::parse::conditions::Placed;
use super::parse::{MAX_PRIORITY, Reader, near, refuse};
use super::protocol::Protocol;
use super::value::{End, Value};
use super::{Field, Match, Term};
use driver_api::error::{Code, Result};
use driver_api::kit::xml::Attribute;

/// The greatest length of a filter's name in bytes.
pub const MAX_NAME: usize = 63;
/// The greatest length of a chain's name in bytes.
pub const MAX_CHAIN: usize = 12;

pub(super) const NO_NAME: &str = "the filter has no name: give <filter name='...'>";

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
    pub(super) fn filter_name(&mut self, given: Attribute) -> Result<String> {
        let (at, name) = (given.position, given.value);
        if name.is_empty() {
            return Err(refuse(Code::INTERNAL, at, NO_NAME));
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

    pub(super) fn chain(&mut self, chain: Option<Attribute>, given: Option<Attribute>) -> Result<(String, i32)> {
        let given = match given {
            None => None,
            Some(Attribute {
                value: text, position, ..
            }) => {
                let number = priority(&text).ok_or_else(|| {
                    let message = format!(
                        "priority '{text}' of the filter is not a number from -{MAX_PRIORITY} to {MAX_PRIORITY}"
                    );
                    refuse(Code::INVALID_ARG, position, message)
                })?;
                Some((number, position))
            }
        };
        let Some(chain) = chain else {
            if let Some((priority, at)) = given {
                let message = format!("priority '{priority}' without 'chain' means nothing: give the chain too");
                self.doubt(at, message)?;
            }
            return Ok(("root".to_owned(), 0));
        };
        let (at, chain) = (chain.position, chain.value);
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
                let prefixes = CHAINS.map(|(prefix, _)| prefix);
                let known = [prefixes.as_slice(), &["root"]].concat();
                let hint = near(chain.split('-').next().unwrap_or(&chain), &known);
                let prefixes = prefixes.join(", ");
                let message =
                    format!("unknown chain '{chain}': it must be 'root' or begin with one of {prefixes}{hint}");
                return Err(refuse(Code::INVALID_ARG, at, message));
            }
        };
        Ok((chain, given.map_or(default, |(priority, _)| priority)))
    }

    /// Gives masks and range ends the `match` of what they complete, and refuses what would match nothing or
    /// everything.
    pub(super) fn settle(&mut self, protocol: &'static Protocol, mut parts: Vec<Placed>) -> Result<Match> {
        complete_set(protocol, &mut parts);
        let element = protocol.name;
        for i in 0..parts.len() {
            let (attribute, at) = (parts[i].field.attribute, parts[i].at);
            let Some(base) = attribute.completes else {
                continue;
            };
            match find(&parts, base).map(|part| part.field.negated) {
                Some(negated) if negated == parts[i].field.negated => {}
                Some(negated) => {
                    let message = format!(
                        "'{}' of <{element}> belongs to '{base}' and must stand in an element with the same 'match'",
                        attribute.name
                    );
                    self.doubt(at, message)?;
                    parts[i].field.negated = negated;
                }
                None if attribute.needs_base => {
                    let message = format!("'{}' of <{element}> means nothing without '{base}'", attribute.name);
                    self.doubt(at, message)?;
                    parts[i].field.negated = false;
                }
                None => {}
            }
        }
        for (address, range) in RIVALS {
            if let (Some(_), Some(rival)) = (find(&parts, address), find(&parts, range)) {
                let message = format!("'{range}' of <{element}> beside '{address}' means nothing: give one of them");
                let at = rival.at;
                self.doubt(at, message)?;
            }
        }
        check_ports(protocol, &parts)?;
        let fields = parts.into_iter().map(|part| part.field).collect();
        Ok(Match { protocol, fields })
    }
}

fn find<'a>(parts: &'a [Placed], name: &str) -> Option<&'a Placed> {
    parts.iter().find(|part| part.field.attribute.name == name)
}

/// An ipset without flags looks at the sender.
fn complete_set(protocol: &Protocol, parts: &mut Vec<Placed>) {
    let Some(i) = parts.iter().position(|part| part.field.attribute.kind == Kind::SetName) else {
        return;
    };
    if find(parts, "ipsetflags").is_some() {
        return;
    }
    if let Some(attribute) = protocol.attribute("ipsetflags") {
        let field = Field {
            attribute,
            negated: parts[i].field.negated,
            term: Term::Value(Value::SetFlags(vec![End::Source])),
        };
        let at = parts[i].at;
        parts.insert(i + 1, Placed { field, at });
    }
}

/// Ports of the Ethernet elements `ip` and `ipv6` need a protocol that has ports.
fn check_ports(protocol: &Protocol, parts: &[Placed]) -> Result<()> {
    let ports = ["srcportstart", "srcportend", "dstportstart", "dstportend"];
    let element = protocol.name;
    let Some(port) = ports.iter().find_map(|port| find(parts, port)) else {
        return Ok(());
    };
    if !matches!(element, "ip" | "ipv6") {
        return Ok(());
    }
    match find(parts, "protocol").map(|part| &part.field.term) {
        Some(Term::Value(Value::Number { value, .. })) if WITH_PORTS.contains(value) => Ok(()),
        _ => {
            // A protocol without ports is what is wrong; where there is none it is the port.
            let at = find(parts, "protocol").map_or(port.at, |part| part.at);
            let message = format!("ports of <{element}> need a 'protocol' that has them: tcp, udp, sctp or 33 (dccp)");
            Err(refuse(Code::INTERNAL, at, message))
        }
    }
}
