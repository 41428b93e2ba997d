//! Filters of our own: what a port has while its addresses are learned, and one that lets nothing through.

use super::lesson::{Lesson, Mode};
use crate::def::parse::{self, parse};
use crate::filters::Filters;
use driver_api::error::Result;
use driver_api::types::uuid::Uuid;
use std::fmt::Write as _;

/// The name of the filter that lets nothing through.
pub const CLOSED: &str = "lockstep-closed";

/// Their UUIDs are these bytes and a number: they must not change, since a restarted host compares rules with them.
const FAMILY: [u8; 15] = [
    0x6c, 0x6f, 0x63, 0x6b, 0x73, 0x74, 0x85, 0x70, 0x8e, 0x77, 0x66, 0x2e, 0x00, 0x00, 0x00,
];

/// Every filter of our own; clients do not see them.
///
/// # Errors
/// The driver has a bug.
pub fn table() -> Result<Filters> {
    let closed = "<rule action='drop' direction='inout' priority='-1000'/>".to_owned();
    let kinds = (0..LEARNING).map(|number| {
        let kind = Kind::from_number(number);
        (kind.name(), kind.rules())
    });
    let mut table = Filters::default();
    for (number, (name, rules)) in std::iter::once((CLOSED.to_owned(), closed)).chain(kinds).enumerate() {
        let mut uuid = [0; 16];
        uuid[..15].copy_from_slice(&FAMILY);
        uuid[15] = u8::try_from(number).unwrap_or(u8::MAX);
        let uuid = Uuid::from_bytes(uuid);
        let document = format!("<filter name='{name}'><uuid>{uuid}</uuid>{rules}</filter>");
        let parsed = parse(document.as_bytes(), parse::Mode::Validate)?;
        if let Some(next) = table.with(parsed.def)? {
            table = next;
        }
    }
    Ok(table)
}

/// The filter for a port with this lesson.
#[must_use]
pub fn learning(lesson: &Lesson) -> String {
    let kind = Kind {
        any: lesson.mode == Mode::Any,
        v4: lesson.v4,
        v6: lesson.v6,
        servers4: lesson.servers.iter().any(std::net::IpAddr::is_ipv4),
        servers6: lesson.servers.iter().any(std::net::IpAddr::is_ipv6),
    };
    kind.name()
}

/// How many kinds there are, some of which nobody needs.
const LEARNING: u8 = 1 << 5;

struct Kind {
    any: bool,
    v4: bool,
    v6: bool,
    servers4: bool,
    servers6: bool,
}

impl Kind {
    const fn from_number(number: u8) -> Self {
        Self {
            any: number & 1 != 0,
            v4: number & 2 != 0,
            v6: number & 4 != 0,
            servers4: number & 8 != 0,
            servers6: number & 16 != 0,
        }
    }

    fn name(&self) -> String {
        let parts = [
            (true, if self.any { "any" } else { "dhcp" }),
            (self.v4, "4"),
            (self.v6, "6"),
            (self.servers4, "s4"),
            (self.servers6, "s6"),
        ];
        let parts = parts.iter().filter(|(there, _)| *there).map(|(_, part)| *part);
        format!("lockstep-learning-{}", parts.collect::<Vec<_>>().join("-"))
    }

    /// Learning sees frames before they are filtered, so little has to pass: DHCP both ways; the probe by which a guest
    /// finds out whether its address is taken; and what an IPv6 guest needs to get an address. An address that was not
    /// learned yet is announced to nobody.
    fn rules(&self) -> String {
        let mut rules = String::from(OWN_MAC);
        if self.v4 {
            if self.any {
                rules.push_str(ARP_PROBE);
            }
            let from = if self.servers4 { "srcipaddr='$DHCPSERVER' " } else { "" };
            rules.push_str(DHCP_QUESTION);
            for to in ["$MAC", "ff:ff:ff:ff:ff:ff"] {
                let _infallible = write!(
                    rules,
                    "<rule action='accept' direction='in'><ip dstmacaddr='{to}' {from}protocol='udp' \
                     srcportstart='67' dstportstart='68'/></rule>"
                );
            }
        }
        if self.v6 {
            let from = if self.servers6 {
                "srcipaddr='$DHCPSERVERV6' "
            } else {
                ""
            };
            rules.push_str(NEIGHBOURS);
            let _infallible = write!(
                rules,
                "<rule action='accept' direction='out'><ipv6 protocol='udp' srcportstart='546' dstportstart='547'/></rule>\
                 <rule action='accept' direction='in'><ipv6 {from}protocol='udp' srcportstart='547' dstportstart='546'/></rule>"
            );
        }
        rules.push_str("<rule action='drop' direction='inout' priority='1000'/>");
        rules
    }
}

const OWN_MAC: &str = "<rule action='drop' direction='out' priority='-1000'><mac match='no' srcmacaddr='$MAC'/></rule>";

const ARP_PROBE: &str = "<rule action='accept' direction='out'><arp opcode='1' arpsrcmacaddr='$MAC' \
                         arpsrcipaddr='0.0.0.0'/></rule>\
                         <rule action='accept' direction='in'><arp/></rule>";

const DHCP_QUESTION: &str =
    "<rule action='accept' direction='out'><ip protocol='udp' srcportstart='68' dstportstart='67'/></rule>";

/// Router solicitation, the probe for a duplicate (from `::`), solicitation and advertisement between addresses of the
/// link, and reports of multicast listeners, without which a snooping bridge delivers no solicitation. In: all of
/// neighbour discovery but redirects.
const NEIGHBOURS: &str = "\
<rule action='accept' direction='out'><ipv6 protocol='icmpv6' type='133'/></rule>\
<rule action='accept' direction='out'><ipv6 srcipaddr='::' protocol='icmpv6' type='135'/></rule>\
<rule action='accept' direction='out'><ipv6 srcipaddr='fe80::' srcipmask='10' protocol='icmpv6' type='135' typeend='136'/></rule>\
<rule action='accept' direction='out'><ipv6 protocol='icmpv6' type='131' typeend='132'/></rule>\
<rule action='accept' direction='out'><ipv6 protocol='icmpv6' type='143'/></rule>\
<rule action='accept' direction='in'><ipv6 protocol='icmpv6' type='134' typeend='136'/></rule>\
<rule action='accept' direction='in'><ipv6 protocol='icmpv6' type='130'/></rule>";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::compile;
    use crate::def::address::Mac;
    use crate::def::vars::Parameters;
    use crate::simulate::describe::packet;
    use crate::simulate::{Connections, Fate, Rules, run};

    #[test]
    fn every_kind_of_lesson_has_a_filter_and_every_filter_its_uuid() {
        let table = table().unwrap();
        assert_eq!(table.briefs().len(), 1 + usize::from(LEARNING));
        assert!(table.by_name(CLOSED).is_some());
        for number in 0..LEARNING {
            let kind = Kind::from_number(number);
            let server = |there: bool, text: &str| there.then(|| text.parse().unwrap());
            let servers = server(kind.servers4, "10.0.0.1").into_iter();
            let lesson = Lesson {
                port: "tap0".to_owned(),
                mac: Mac([2; 6]),
                owner: Uuid::default(),
                mode: if kind.any { Mode::Any } else { Mode::Dhcp },
                v4: kind.v4,
                v6: kind.v6,
                servers: servers.chain(server(kind.servers6, "fe80::1")).collect(),
                generation: 1,
                known: Vec::new(),
            };
            let filter = table.by_name(&learning(&lesson)).unwrap();
            assert_eq!(filter.xml.contains("$DHCPSERVER'"), kind.v4 && kind.servers4);
            assert_eq!(filter.xml.contains("$DHCPSERVERV6"), kind.v6 && kind.servers6);
            assert_eq!(filter.xml.contains("<arp"), kind.v4 && kind.any);
        }
        assert_eq!(
            table.by_name(CLOSED).unwrap().def.uuid.to_string(),
            "6c6f636b-7374-8570-8e77-662e00000000"
        );
    }

    /// What passes a port with the filter of a kind of lesson: packets in words.
    fn fates(kind: &Kind, packets: &[(&str, Fate)]) {
        let parameters: Parameters = [
            ("MAC", "52:54:00:00:00:01"),
            ("DHCPSERVER", "10.0.0.9"),
            ("DHCPSERVERV6", "fe80::9"),
        ]
        .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
        .into();
        let compiled = compile(&table().unwrap(), &kind.name(), &parameters).unwrap();
        let slots = compiled.fill(&parameters).unwrap();
        let rules = Rules {
            program: &compiled.program,
            slots: &slots,
        };
        for (words, fate) in packets {
            let (way, frame) = packet(words, Mac([0x52, 0x54, 0, 0, 0, 1])).unwrap();
            let outcome = run(rules, way, &frame, &mut Connections::default());
            assert_eq!(outcome.fate, *fate, "{}: {words}", kind.name());
        }
    }

    const CLOSED_TO: [(&str, Fate); 8] = [
        ("udp 10.0.0.1:1000 > 10.0.0.2:53", Fate::Drop),
        ("in udp 10.0.0.2:53 > 10.0.0.1:1000", Fate::Drop),
        ("from-host icmp 10.0.0.2 > 10.0.0.1", Fate::Drop),
        ("arp who-has 10.0.0.2 tell 10.0.0.1", Fate::Drop),
        ("arp 10.0.0.2 is-at 52:54:00:00:00:01", Fate::Drop),
        ("icmpv6 fe80::1 > fe80::2 type 128", Fate::Drop),
        ("in ether 0x88cc", Fate::Drop),
        (
            "2:0:0:0:0:7 > ff:ff:ff:ff:ff:ff udp 0.0.0.0:68 > 255.255.255.255:67",
            Fate::Drop,
        ),
    ];

    #[test]
    fn a_port_that_learns_lets_pass_what_learning_needs_and_no_more() {
        let question = "udp 0.0.0.0:68 > 255.255.255.255:67";
        let answer = "in udp 10.0.0.9:67 > 10.0.0.1:68";
        let other = "in udp 10.0.0.8:67 > 10.0.0.1:68";
        let (probe, asked) = (
            "arp who-has 10.0.0.1 tell 0.0.0.0",
            "in arp who-has 10.0.0.1 tell 10.0.0.2",
        );
        let any4 = Kind {
            any: true,
            v4: true,
            v6: false,
            servers4: false,
            servers6: false,
        };
        let (pass, drop) = (Fate::Pass, Fate::Drop);
        fates(&any4, &CLOSED_TO);
        fates(
            &any4,
            &[
                (question, pass),
                (answer, pass),
                (other, pass),
                (probe, pass),
                (asked, pass),
            ],
        );
        fates(&any4, &[("icmpv6 :: > ff02::1 type 135", drop)]);
        let dhcp4 = Kind {
            any: false,
            servers4: true,
            ..any4
        };
        fates(&dhcp4, &CLOSED_TO);
        fates(
            &dhcp4,
            &[
                (question, pass),
                (answer, pass),
                (other, drop),
                (probe, drop),
                (asked, drop),
            ],
        );
        let any6 = Kind {
            v4: false,
            v6: true,
            servers6: true,
            ..any4
        };
        fates(&any6, &CLOSED_TO);
        fates(
            &any6,
            &[
                (question, drop),
                (probe, drop),
                ("icmpv6 :: > ff02::1:ff00:1 type 135", pass),
                ("icmpv6 fe80::1 > ff02::2 type 133", pass),
                ("in icmpv6 fe80::9 > ff02::1 type 134", pass),
                ("icmpv6 fe80::1 > fe80::9 type 136", pass),
                ("icmpv6 2001:db8::1 > fe80::9 type 136", drop),
                ("in icmpv6 fe80::9 > fe80::1 type 137", drop),
                ("udp [fe80::1]:546 > [ff02::1:2]:547", pass),
                ("in udp [fe80::9]:547 > [fe80::1]:546", pass),
                ("in udp [fe80::8]:547 > [fe80::1]:546", drop),
            ],
        );
    }
}
