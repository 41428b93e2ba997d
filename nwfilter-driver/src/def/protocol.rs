//! The table of the filter language: every protocol element with every attribute, in the order in which it is printed.

use super::kind::Kind;
use std::fmt;

/// A release of libvirt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Release(pub u8, pub u8, pub u8);

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The first one that knew filters.
const FIRST: Release = Release(0, 8, 0);

/// One attribute of a protocol element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// Its name in XML.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// The attribute that it completes: a mask its address, a range's end its start. It takes that one's `match`.
    pub completes: Option<&'static str>,
    /// Without the attribute that it completes it would match nothing or everything.
    pub needs_base: bool,
    /// The first libvirt whose manual knows it; older ones leave it out without a word.
    pub since: Release,
}

impl Attribute {
    const fn since(self, since: Release) -> Self {
        Self { since, ..self }
    }
}

/// Which rules of a port a protocol's rules belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// Frames; the rule stands in its filter's chain.
    Ethernet,
    /// IPv4 packets with connection tracking; chains do not count.
    V4,
    /// IPv6 packets with connection tracking; chains do not count.
    V6,
}

/// One protocol element.
#[derive(Debug)]
pub struct Protocol {
    /// Its name in XML.
    pub name: &'static str,
    /// Where its rules go.
    pub layer: Layer,
    /// The first libvirt whose manual knows it.
    pub since: Release,
    groups: &'static [&'static [Attribute]],
}

impl Protocol {
    /// All attributes in the order in which they are printed.
    pub fn attributes(&self) -> impl Iterator<Item = &'static Attribute> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// One attribute by name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.attributes().find(|attribute| attribute.name == name)
    }
}

/// A protocol by the name of its element; names are case sensitive.
#[must_use]
pub fn protocol(name: &str) -> Option<&'static Protocol> {
    PROTOCOLS.iter().find(|protocol| protocol.name == name)
}

const fn plain(name: &'static str, kind: Kind) -> Attribute {
    Attribute {
        name,
        kind,
        completes: None,
        needs_base: false,
        since: FIRST,
    }
}

const fn of(base: &'static str, name: &'static str, kind: Kind) -> Attribute {
    Attribute {
        name,
        kind,
        completes: Some(base),
        needs_base: true,
        since: FIRST,
    }
}

const SOURCE_MAC: &[Attribute] = &[
    plain("srcmacaddr", Kind::Mac),
    of("srcmacaddr", "srcmacmask", Kind::MacMask),
];
const TARGET_MAC: &[Attribute] = &[
    plain("dstmacaddr", Kind::Mac),
    of("dstmacaddr", "dstmacmask", Kind::MacMask),
];
const COMMENT: &[Attribute] = &[plain("comment", Kind::Comment).since(Release(0, 8, 5))];

const MAC: &[Attribute] = &[plain("protocolid", Kind::ETHER_TYPE)];
const VLAN: &[Attribute] = &[
    plain("vlanid", Kind::VLAN_ID),
    plain("encap-protocol", Kind::ENCAPSULATED),
];
const STP: &[Attribute] = &[
    plain("type", Kind::U8),
    plain("flags", Kind::U8),
    plain("root-priority", Kind::U16),
    of("root-priority", "root-priority-hi", Kind::U16),
    plain("root-address", Kind::Mac),
    of("root-address", "root-address-mask", Kind::MacMask),
    plain("root-cost", Kind::U32),
    of("root-cost", "root-cost-hi", Kind::U32),
    plain("sender-priority", Kind::U16),
    of("sender-priority", "sender-priority-hi", Kind::U16),
    plain("sender-address", Kind::Mac),
    of("sender-address", "sender-address-mask", Kind::MacMask),
    plain("port", Kind::U16),
    of("port", "port-hi", Kind::U16),
    plain("age", Kind::U16),
    of("age", "age-hi", Kind::U16),
    plain("max-age", Kind::U16),
    of("max-age", "max-age-hi", Kind::U16),
    plain("hello-time", Kind::U16),
    of("hello-time", "hello-time-hi", Kind::U16),
    plain("forward-delay", Kind::U16),
    of("forward-delay", "forward-delay-hi", Kind::U16),
];
const ARP: &[Attribute] = &[
    plain("hwtype", Kind::U16),
    plain("protocoltype", Kind::U16),
    plain("opcode", Kind::OPCODE),
    plain("arpsrcmacaddr", Kind::Mac),
    plain("arpdstmacaddr", Kind::Mac),
    plain("arpsrcipaddr", Kind::V4),
    of("arpsrcipaddr", "arpsrcipmask", Kind::V4Mask).since(Release(1, 2, 3)),
    plain("arpdstipaddr", Kind::V4),
    of("arpdstipaddr", "arpdstipmask", Kind::V4Mask).since(Release(1, 2, 3)),
    plain("gratuitous", Kind::Flag).since(Release(0, 9, 2)),
];

const fn addresses(address: Kind, mask: Kind) -> [Attribute; 4] {
    [
        plain("srcipaddr", address),
        of("srcipaddr", "srcipmask", mask),
        plain("dstipaddr", address),
        of("dstipaddr", "dstipmask", mask),
    ]
}

const fn ranges(address: Kind) -> [Attribute; 4] {
    [
        plain("srcipfrom", address),
        of("srcipfrom", "srcipto", address),
        plain("dstipfrom", address),
        of("dstipfrom", "dstipto", address),
    ]
}

const V4_ADDRESSES: &[Attribute] = &addresses(Kind::V4, Kind::V4Mask);
const V6_ADDRESSES: &[Attribute] = &addresses(Kind::V6, Kind::V6Mask);
const V4_RANGES: &[Attribute] = &ranges(Kind::V4);
const V6_RANGES: &[Attribute] = &ranges(Kind::V6);

const IP_PROTOCOL: &[Attribute] = &[plain("protocol", Kind::IP_PROTOCOL)];
const PORTS: &[Attribute] = &[
    plain("srcportstart", Kind::U16),
    of("srcportstart", "srcportend", Kind::U16),
    plain("dstportstart", Kind::U16),
    of("dstportstart", "dstportend", Kind::U16),
];
const DSCP: &[Attribute] = &[plain("dscp", Kind::DSCP)];
const ICMPV6_RANGES: &[Attribute] = &[
    plain("type", Kind::U8).since(Release(1, 2, 12)),
    of("type", "typeend", Kind::U8).since(Release(1, 2, 12)),
    Attribute {
        needs_base: false,
        ..of("type", "code", Kind::U8).since(Release(1, 2, 12))
    },
    of("code", "codeend", Kind::U8).since(Release(1, 2, 12)),
];

const SOURCE_ONLY: &[Attribute] = &[plain("srcmacaddr", Kind::Mac)];
const TRACKING: &[Attribute] = &[
    plain("dscp", Kind::DSCP),
    plain("connlimit-above", Kind::U16_DECIMAL),
    plain("state", Kind::States).since(Release(0, 8, 5)),
    plain("ipset", Kind::SetName).since(Release(0, 9, 13)),
    of("ipset", "ipsetflags", Kind::SetFlags).since(Release(0, 9, 13)),
];
const TCP: &[Attribute] = &[
    plain("option", Kind::U8),
    plain("flags", Kind::TcpFlags).since(Release(0, 9, 1)),
];
const ICMP: &[Attribute] = &[plain("type", Kind::U8), of("type", "code", Kind::U8)];

type Groups = &'static [&'static [Attribute]];

const ARP_GROUPS: Groups = &[SOURCE_MAC, TARGET_MAC, ARP, COMMENT];
const V4_GROUPS: Groups = &[SOURCE_ONLY, V4_ADDRESSES, V4_RANGES, TRACKING, COMMENT];
const V4_PORTS: Groups = &[SOURCE_ONLY, V4_ADDRESSES, V4_RANGES, TRACKING, PORTS, COMMENT];
const V4_TCP: Groups = &[SOURCE_ONLY, V4_ADDRESSES, V4_RANGES, TRACKING, PORTS, TCP, COMMENT];
const V4_ICMP: Groups = &[SOURCE_ONLY, V4_ADDRESSES, V4_RANGES, TRACKING, ICMP, COMMENT];
const V6_GROUPS: Groups = &[SOURCE_ONLY, V6_ADDRESSES, V6_RANGES, TRACKING, COMMENT];
const V6_PORTS: Groups = &[SOURCE_ONLY, V6_ADDRESSES, V6_RANGES, TRACKING, PORTS, COMMENT];
const V6_TCP: Groups = &[SOURCE_ONLY, V6_ADDRESSES, V6_RANGES, TRACKING, PORTS, TCP, COMMENT];
const V6_ICMP: Groups = &[SOURCE_ONLY, V6_ADDRESSES, V6_RANGES, TRACKING, ICMP, COMMENT];
const IP: Groups = &[SOURCE_MAC, TARGET_MAC, V4_ADDRESSES, IP_PROTOCOL, PORTS, DSCP, COMMENT];
const IPV6: Groups = &[
    SOURCE_MAC,
    TARGET_MAC,
    V6_ADDRESSES,
    IP_PROTOCOL,
    PORTS,
    ICMPV6_RANGES,
    COMMENT,
];

impl Protocol {
    const fn since(self, since: Release) -> Self {
        Self { since, ..self }
    }
}

const fn element(name: &'static str, layer: Layer, groups: Groups) -> Protocol {
    Protocol {
        name,
        layer,
        since: FIRST,
        groups,
    }
}

/// Every protocol element.
pub static PROTOCOLS: &[Protocol] = &[
    element("mac", Layer::Ethernet, &[SOURCE_MAC, TARGET_MAC, MAC, COMMENT]),
    element("vlan", Layer::Ethernet, &[SOURCE_MAC, TARGET_MAC, VLAN, COMMENT]).since(Release(0, 9, 8)),
    element("stp", Layer::Ethernet, &[SOURCE_MAC, STP, COMMENT]).since(Release(0, 9, 8)),
    element("arp", Layer::Ethernet, ARP_GROUPS),
    element("rarp", Layer::Ethernet, ARP_GROUPS),
    element("ip", Layer::Ethernet, IP),
    element("ipv6", Layer::Ethernet, IPV6),
    element("tcp", Layer::V4, V4_TCP),
    element("udp", Layer::V4, V4_PORTS),
    element("udplite", Layer::V4, V4_GROUPS),
    element("esp", Layer::V4, V4_GROUPS),
    element("ah", Layer::V4, V4_GROUPS),
    element("sctp", Layer::V4, V4_PORTS),
    element("icmp", Layer::V4, V4_ICMP),
    element("igmp", Layer::V4, V4_GROUPS),
    element("all", Layer::V4, V4_GROUPS),
    element("tcp-ipv6", Layer::V6, V6_TCP),
    element("udp-ipv6", Layer::V6, V6_PORTS),
    element("udplite-ipv6", Layer::V6, V6_GROUPS),
    element("esp-ipv6", Layer::V6, V6_GROUPS),
    element("ah-ipv6", Layer::V6, V6_GROUPS),
    element("sctp-ipv6", Layer::V6, V6_PORTS),
    element("icmpv6", Layer::V6, V6_ICMP),
    element("all-ipv6", Layer::V6, V6_GROUPS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_base_stands_before_what_completes_it() {
        for (i, protocol) in PROTOCOLS.iter().enumerate() {
            assert!(PROTOCOLS[..i].iter().all(|before| before.name != protocol.name));
            let mut seen: Vec<&str> = Vec::new();
            for attribute in protocol.attributes() {
                assert!(!seen.contains(&attribute.name), "{} {}", protocol.name, attribute.name);
                assert!(
                    attribute.completes.is_none_or(|base| seen.contains(&base)),
                    "{} {}",
                    protocol.name,
                    attribute.name
                );
                seen.push(attribute.name);
            }
            assert_eq!(seen.last(), Some(&"comment"), "{}", protocol.name);
        }
    }

    #[test]
    fn the_table_has_all_elements_and_attributes() {
        let counts: Vec<_> = PROTOCOLS.iter().map(|p| (p.name, p.attributes().count())).collect();
        let expected = [
            ("mac", 6),
            ("vlan", 7),
            ("stp", 25),
            ("arp", 15),
            ("rarp", 15),
            ("ip", 15),
            ("ipv6", 18),
            ("tcp", 21),
            ("udp", 19),
            ("udplite", 15),
            ("esp", 15),
            ("ah", 15),
            ("sctp", 19),
            ("icmp", 17),
            ("igmp", 15),
            ("all", 15),
            ("tcp-ipv6", 21),
            ("udp-ipv6", 19),
            ("udplite-ipv6", 15),
            ("esp-ipv6", 15),
            ("ah-ipv6", 15),
            ("sctp-ipv6", 19),
            ("icmpv6", 17),
            ("all-ipv6", 15),
        ];
        assert_eq!(counts, expected);
    }
}
