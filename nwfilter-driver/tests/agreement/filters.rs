//! Random filters over the whole language, as XML.

use crate::pool::{self, often, one};
use fastrand::Rng;
use nwfilter_driver::def::kind::{Kind, STATES, TCP_FLAGS};
use nwfilter_driver::def::parse::{Mode, parse};
use nwfilter_driver::def::protocol::{Attribute, PROTOCOLS, Protocol};
use nwfilter_driver::def::vars::Parameters;
use nwfilter_driver::filters::Filters;
use std::fmt::Write as _;

/// A filter with all that it refers to and values for its variables.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) table: Filters,
    pub(crate) parameters: Parameters,
    /// The protocol elements in it, for packets that fit.
    pub(crate) protocols: Vec<&'static str>,
    /// For messages.
    pub(crate) xml: String,
}

/// The name of the filter to bind.
pub(crate) const TOP: &str = "top";

const CHAINS: [&str; 9] = ["root", "mac", "vlan", "stp", "arp", "rarp", "ipv4", "ipv6", "ipv4-x"];
const ACTIONS: [&str; 10] = [
    "accept", "accept", "accept", "drop", "drop", "drop", "reject", "reject", "return", "continue",
];
const DIRECTIONS: [&str; 3] = ["in", "out", "inout"];

/// Makes a filter. Some are refused for good reason; then another is made.
pub(crate) fn tree(rng: &mut Rng) -> Tree {
    loop {
        let mut maker = Maker {
            values: rng.usize(1..=3),
            protocols: Vec::new(),
            xml: String::new(),
            rng,
        };
        let children = maker.rng.usize(..3);
        let mut table = Some(Filters::default());
        for child in 0..children {
            let chain = one(maker.rng, &CHAINS);
            let document = maker.filter(&format!("child{child}"), chain, &[]);
            table = table.and_then(|table| add(&table, &document));
        }
        let names: Vec<String> = (0..children).map(|child| format!("child{child}")).collect();
        let document = maker.filter(TOP, "root", &names);
        table = table.and_then(|table| add(&table, &document));
        let (values, protocols, xml) = (maker.values, maker.protocols, maker.xml);
        let parameters = parameters(rng, values);
        if let Some(table) = table {
            return Tree {
                table,
                parameters,
                protocols,
                xml,
            };
        }
    }
}

fn add(table: &Filters, document: &str) -> Option<Filters> {
    let parsed = parse(document.as_bytes(), Mode::Strict).ok()?;
    table.with(parsed.def).ok()?
}

/// Variables of each kind, all with equally many values, so that any of them advance together.
const VARIABLES: [(&str, &[&str]); 6] = [
    ("MAC", &[pool::GUEST]),
    ("IP", &pool::V4),
    ("IPV6", &pool::V6),
    ("PORT", &["22", "53", "80", "443", "1024"]),
    ("OTHERMAC", &pool::MACS),
    ("NET", &pool::V4),
];

fn parameters(rng: &mut Rng, values: usize) -> Parameters {
    let list = |rng: &mut Rng, name: &str, of: &[&str]| -> Vec<String> {
        let count = if name == "MAC" { 1 } else { values };
        (0..count).map(|_| one(rng, of).to_owned()).collect()
    };
    VARIABLES
        .iter()
        .map(|(name, of)| ((*name).to_owned(), list(rng, name, of)))
        .collect()
}

struct Maker<'a> {
    rng: &'a mut Rng,
    /// How many values each variable has.
    values: usize,
    protocols: Vec<&'static str>,
    xml: String,
}

impl Maker<'_> {
    fn filter(&mut self, name: &str, chain: &str, references: &[String]) -> String {
        let mut xml = format!("<filter name='{name}' chain='{chain}'");
        if chain != "root" && often(self.rng, 30) {
            let _ = write!(xml, " priority='{}'", self.priority());
        }
        xml.push_str(">\n");
        for reference in references {
            let _ = writeln!(xml, "  <filterref filter='{reference}'/>");
        }
        for _ in 0..self.rng.usize(1..9) {
            let rule = self.rule(chain);
            xml.push_str(&rule);
        }
        if often(self.rng, 40) {
            let direction = one(self.rng, &DIRECTIONS);
            let inside = one(self.rng, &["", "<all/>", "<all-ipv6/>", "<mac/>", "<ip/>"]);
            let _ = writeln!(
                xml,
                "  <rule action='drop' direction='{direction}' priority='1000'>{inside}</rule>"
            );
        }
        xml.push_str("</filter>\n");
        self.xml.push_str(&xml);
        xml
    }

    fn priority(&mut self) -> i32 {
        match self.rng.u32(..3) {
            0 => self.rng.i32(-1000..=1000),
            _ => one(self.rng, &[-1000, -500, 0, 100, 500, 1000]),
        }
    }

    fn rule(&mut self, chain: &str) -> String {
        let action = one(self.rng, &ACTIONS);
        let direction = one(self.rng, &DIRECTIONS);
        let mut xml = format!("  <rule action='{action}' direction='{direction}'");
        if often(self.rng, 60) {
            let _ = write!(xml, " priority='{}'", self.priority());
        }
        if often(self.rng, 30) {
            xml.push_str(" statematch='false'");
        }
        if often(self.rng, 4) {
            return xml + "/>\n";
        }
        xml.push_str(">\n");
        let protocol = self.protocol(chain);
        self.protocols.push(protocol.name);
        let count = self.rng.usize(..5);
        let wanted: Vec<&Attribute> = {
            let all: Vec<&Attribute> = protocol.attributes().filter(|a| usable(a)).collect();
            (0..count).map(|_| all[self.rng.usize(..all.len())]).collect()
        };
        let (no, yes): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|_| often(self.rng, 20));
        let mut done = Vec::new();
        let yes = self.element(protocol, &yes, false, &mut done);
        let no = self.element(protocol, &no, true, &mut done);
        if no.is_empty() || !yes.contains("/>") {
            xml.push_str(&yes);
        }
        xml.push_str(&no);
        xml + "  </rule>\n"
    }

    fn protocol(&mut self, chain: &str) -> &'static Protocol {
        // A rule in the chain of another protocol is never asked; some are enough.
        let fitting = match chain {
            "arp" | "rarp" | "vlan" | "stp" | "mac" | "ipv6" if often(self.rng, 80) => Some(chain),
            "ipv4" | "ipv4-x" if often(self.rng, 80) => Some("ip"),
            _ => None,
        };
        let protocols: Vec<&Protocol> = PROTOCOLS
            .iter()
            .filter(|protocol| fitting.is_none_or(|name| protocol.name == name))
            .collect();
        one(self.rng, &protocols)
    }

    /// One protocol element with these attributes and what they need.
    fn element(
        &mut self,
        protocol: &Protocol,
        wanted: &[&Attribute],
        negated: bool,
        done: &mut Vec<&'static str>,
    ) -> String {
        let mut attributes = String::new();
        for attribute in wanted {
            for attribute in with_needs(protocol, attribute) {
                if !done.contains(&attribute.name) {
                    done.push(attribute.name);
                    let value = self.attribute(protocol, attribute);
                    let _ = write!(attributes, " {}='{value}'", attribute.name);
                }
            }
        }
        match (attributes.is_empty(), negated) {
            (true, true) => String::new(),
            (_, true) => format!("    <{} match='no'{attributes}/>\n", protocol.name),
            (_, false) => format!("    <{}{attributes}/>\n", protocol.name),
        }
    }

    fn attribute(&mut self, protocol: &Protocol, attribute: &Attribute) -> String {
        let variable = match attribute.kind {
            Kind::Mac => Some(one(self.rng, &["MAC", "OTHERMAC"])),
            Kind::V4 => Some(one(self.rng, &["IP", "NET"])),
            Kind::V6 => Some("IPV6"),
            _ if attribute.name.contains("portstart") => Some("PORT"),
            _ => None,
        };
        // The end of a range must not lie before its start.
        let free = !matches!(attribute.name, "srcipfrom" | "srcipto" | "dstipfrom" | "dstipto");
        match variable.filter(|_| free && often(self.rng, 30)) {
            Some("MAC") => "$MAC[0]".to_owned(),
            Some(name) => match self.rng.u32(..4) {
                0 => format!("${name}[@{}]", self.rng.u32(..3)),
                1 => format!("${name}[{}]", self.rng.usize(..self.values)),
                _ => format!("${name}"),
            },
            None => self.value(protocol, attribute),
        }
    }

    fn value(&mut self, protocol: &Protocol, attribute: &Attribute) -> String {
        let rng = &mut *self.rng;
        match (attribute.name, attribute.kind) {
            ("srcipfrom" | "dstipfrom", Kind::V4) => one(rng, &["10.1.2.3", "192.0.2.1", "0.0.0.0"]).to_owned(),
            ("srcipto" | "dstipto", Kind::V4) => {
                one(rng, &["192.0.2.10", "198.51.100.66", "255.255.255.255"]).to_owned()
            }
            ("srcipfrom" | "dstipfrom", Kind::V6) => one(rng, &["::", "2001:db8::10"]).to_owned(),
            ("srcipto" | "dstipto", Kind::V6) => one(rng, &["2001:db8::77", "fe80::1"]).to_owned(),
            (_, Kind::Mac) => {
                let all: Vec<&str> = pool::MACS.into_iter().chain(pool::GROUPS).collect();
                one(rng, &all).to_owned()
            }
            (_, Kind::MacMask) => one(rng, &pool::MAC_MASKS).to_owned(),
            (_, Kind::V4) => one(rng, &pool::V4).to_owned(),
            (_, Kind::V6) => one(rng, &pool::V6).to_owned(),
            (_, Kind::V4Mask) => one(rng, &pool::V4_MASKS).to_owned(),
            (_, Kind::V6Mask) => one(rng, &pool::V6_MASKS).to_owned(),
            (_, Kind::States) => {
                let names: Vec<&str> = STATES.iter().take(4).map(|(_, name)| *name).collect();
                let some: Vec<&str> = names.into_iter().filter(|_| often(rng, 50)).collect();
                if some.is_empty() {
                    "NONE".to_owned()
                } else {
                    some.join(",")
                }
            }
            (_, Kind::TcpFlags) => {
                let mask: Vec<&str> = TCP_FLAGS
                    .iter()
                    .take(6)
                    .map(|(_, name)| *name)
                    .filter(|_| often(rng, 50))
                    .collect();
                let flags: Vec<&str> = mask.iter().copied().filter(|_| often(rng, 40)).collect();
                let named = |list: &[&str]| {
                    if list.is_empty() {
                        "NONE".to_owned()
                    } else {
                        list.join(",")
                    }
                };
                format!("{}/{}", named(&mask), named(&flags))
            }
            (_, Kind::Flag) => one(rng, &["true", "true", "true", "false"]).to_owned(),
            (_, Kind::Comment) => "it's a &quot;comment&quot; ; $x".replace('\'', "&apos;"),
            (name, Kind::Number { min, max, .. }) => {
                let value = number(rng, protocol.name, name, min, max);
                if often(rng, 20) && name != "connlimit-above" {
                    format!("{value:#x}")
                } else {
                    value.to_string()
                }
            }
            (name, kind) => panic!("no value for {name} of {kind:?}"),
        }
    }
}

/// What the kernel here can be asked without further tools.
fn usable(attribute: &Attribute) -> bool {
    !matches!(attribute.kind, Kind::SetName | Kind::SetFlags)
}

/// An attribute behind all that it means nothing without.
fn with_needs(protocol: &Protocol, attribute: &Attribute) -> Vec<&'static Attribute> {
    let mut all = Vec::new();
    let mut of = protocol.attribute(attribute.name);
    while let Some(attribute) = of {
        all.push(attribute);
        of = attribute.completes.and_then(|base| protocol.attribute(base));
    }
    if attribute.name.contains("port") && matches!(protocol.name, "ip" | "ipv6") {
        all.extend(protocol.attribute("protocol"));
    }
    all.reverse();
    all
}

fn number(rng: &mut Rng, protocol: &str, name: &str, min: u32, max: u32) -> u32 {
    let end = name.ends_with("-hi") || matches!(name, "typeend" | "codeend" | "srcportend" | "dstportend");
    let value = match name {
        "srcportstart" | "dstportstart" => one(rng, &pool::PORTS[..6]),
        "srcportend" | "dstportend" => one(rng, &pool::PORTS[6..]),
        "protocolid" | "encap-protocol" => one(rng, &pool::ETHER_TYPES),
        // With ports, which are not asked of others.
        "protocol" => one(rng, &[6, 17, 132]),
        "type" if protocol == "stp" => one(rng, &[0, 2, 128]),
        "type" if protocol == "icmp" => one(rng, &pool::ICMP),
        "type" => one(rng, &pool::ICMPV6[..5]),
        "typeend" => one(rng, &pool::ICMPV6[5..]),
        "code" => rng.u32(..3),
        "codeend" => rng.u32(3..6),
        "option" => one(rng, &pool::OPTIONS),
        "dscp" => one(rng, &pool::SERVICES),
        "vlanid" => one(rng, &pool::VLANS),
        "opcode" => rng.u32(1..6),
        "hwtype" => one(rng, &[1, 1, 6]),
        "protocoltype" => one(rng, &[0x0800, 0x0800, 0x86dd]),
        // Reached by no packet here: how the kernel counts is another test's matter.
        "connlimit-above" => one(rng, &[10_000, 65_535]),
        _ if end => rng.u32(5..9),
        _ => rng.u32(..6),
    };
    value.clamp(min, max)
}
