//! Random filters made from the table of protocols: whatever is accepted means and prints the same when it is read again.

use nwfilter_driver::def::check_round_trip;
use nwfilter_driver::def::kind::Kind;
use nwfilter_driver::def::parse::{Mode, parse};
use nwfilter_driver::def::protocol::{Attribute, PROTOCOLS, Protocol};
use proptest::prelude::*;

/// A text that the attribute accepts.
fn value(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Number {
            min, max, hex, names, ..
        } => {
            let names: Vec<String> = names.iter().map(|(_, name)| (*name).to_owned()).collect();
            let number = (min..=max, any::<bool>());
            let digits = number.prop_map(move |(n, h)| if h && hex { format!("{n:#x}") } else { n.to_string() });
            if names.is_empty() {
                digits.boxed()
            } else {
                prop_oneof![digits, prop::sample::select(names)].boxed()
            }
        }
        Kind::Mac => "[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}".boxed(),
        Kind::MacMask => prop::sample::select(vec!["0:0:0:0:0:0", "ff:fe:0:0:0:0", "FF:ff:ff:ff:ff:ff"])
            .prop_map(str::to_owned)
            .boxed(),
        Kind::V4 => any::<[u8; 4]>()
            .prop_map(|a| std::net::Ipv4Addr::from(a).to_string())
            .boxed(),
        Kind::V4Mask => (0..=32_u8).prop_map(|n| n.to_string()).boxed(),
        Kind::V6 => prop_oneof![
            any::<[u8; 16]>(),
            any::<[u8; 4]>().prop_map(|a| {
                let mut bytes = [0; 16];
                bytes[12..].copy_from_slice(&a);
                bytes
            })
        ]
        .prop_map(|a| std::net::Ipv6Addr::from(a).to_string())
        .boxed(),
        Kind::V6Mask => (0..=128_u8).prop_map(|n| n.to_string()).boxed(),
        Kind::States => "(new|ESTABLISHED|Related|INVALID)(, ?(NEW|ESTABLISHED|RELATED|INVALID)){0,3}|NONE".boxed(),
        Kind::TcpFlags => "(ALL|NONE|SYN(,ACK)?(,FIN)?)/(ALL|NONE|(,?(SYN|ACK|URG|PSH|FIN|RST)){1,6})".boxed(),
        Kind::SetName => "[a-zA-Z0-9_.:+ -]{1,31}".boxed(),
        Kind::SetFlags => "(src|dst|SRC)(,(src|dst)){0,5}".boxed(),
        Kind::Flag => prop::sample::select(vec!["true", "1", "yes", "false", "0", "no"])
            .prop_map(str::to_owned)
            .boxed(),
        Kind::Comment => "[ -#%-~é\t\n]{0,300}".boxed(),
    }
}

fn text(attribute: &'static Attribute) -> impl Strategy<Value = String> {
    prop_oneof![
        8 => value(attribute.kind),
        1 => "[$][A-Za-z0-9_]{1,8}([\\[]@?[0-9]{1,3}[\\]])?",
    ]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\'', "&apos;")
        .replace('\n', "&#10;")
        .replace('\t', "&#9;")
}

/// One rule: a random part of a protocol's attributes, spread over a positive and a negative element.
fn rule(protocol: &'static Protocol) -> impl Strategy<Value = String> {
    let attributes: Vec<&'static Attribute> = protocol.attributes().collect();
    let fields: Vec<_> = attributes
        .iter()
        .map(|attribute| (prop::bool::weighted(0.3), any::<bool>(), text(attribute)))
        .collect();
    (fields, prop::sample::select(vec!["drop", "accept", "reject", "return", "continue"]), -1000..=1000).prop_map(
        move |(fields, action, priority)| {
            let mut signs: Vec<(&str, bool)> = Vec::new();
            let (mut yes, mut no) = (String::new(), String::new());
            for (attribute, (given, negated, text)) in attributes.iter().zip(fields) {
                let base = attribute.completes.map(|base| signs.iter().find(|(name, _)| *name == base));
                let negated = match base {
                    None => negated,
                    Some(Some((_, sign))) => *sign,
                    Some(None) => continue,
                };
                let port = attribute.name.contains("port") && matches!(protocol.name, "ip" | "ipv6");
                let range = matches!(attribute.name, "srcipfrom" | "dstipfrom");
                if !given || port || range && signs.iter().any(|(name, _)| name[..3] == attribute.name[..3]) {
                    continue;
                }
                signs.push((attribute.name, negated));
                let out = if negated { &mut no } else { &mut yes };
                out.push_str(&format!(" {}='{}'", attribute.name, escaped(&text)));
            }
            let name = protocol.name;
            format!(
                "<rule action='{action}' direction='inout' priority='{priority}'><{name}{yes}/><{name} match='no'{no}/></rule>"
            )
        },
    )
}

fn filter() -> impl Strategy<Value = String> {
    let rules = prop::collection::vec(prop::sample::select((0..PROTOCOLS.len()).collect::<Vec<_>>()), 1..6)
        .prop_flat_map(|picked| picked.into_iter().map(|i| rule(&PROTOCOLS[i])).collect::<Vec<_>>());
    ("[ -~é]{1,31}", rules).prop_map(|(name, rules)| {
        let name = escaped(&name.replace('/', "."));
        format!("<filter name='{name}' chain='arp-x'>{}</filter>", rules.concat())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_filter_of_the_table_is_accepted_and_survives(document in filter()) {
        let parsed = parse(document.as_bytes(), Mode::Strict);
        prop_assert!(parsed.is_ok(), "{}: {document}", parsed.unwrap_err());
        check_round_trip(document.as_bytes());
    }

    #[test]
    fn any_attributes_are_read_or_refused(
        element in prop::sample::select(PROTOCOLS.iter().map(|p| p.name).collect::<Vec<_>>()),
        parts in prop::collection::vec(("(match|srcipaddr|srcipmask|dstportend|state|ipset|code|comment|type|gratuitous|[a-z]{1,4})", "[ -%(-;=-~é]{0,12}"), 0..4),
    ) {
        let mut seen = Vec::new();
        let mut attributes = String::new();
        for (name, value) in parts {
            if !seen.contains(&name) {
                attributes.push_str(&format!(" {name}='{}'", escaped(&value)));
                seen.push(name);
            }
        }
        check_round_trip(format!("<filter name='x'><rule action='drop' direction='in'><{element}{attributes}/></rule></filter>").as_bytes());
    }

    #[test]
    fn any_markup_is_read_or_refused(text in "(<rule action='drop' direction='in'>|</rule>|<tcp|<arp|/>|>| match='no'| srcipaddr='\\$A'| srcipmask='8'| state='NEW'|<filterref filter='x'>|</filterref>|<uuid/>|<parameter name='A' value='1'/>| ){0,16}") {
        check_round_trip(format!("<filter name='x'>{text}</filter>").as_bytes());
    }

    #[test]
    fn any_binding_is_read_or_refused(
        name in "[a-z<&;/é\\n]{0,4}", port in "[a-z./:é \\n]{0,18}", mac in "[0-9a-f]{1,2}(:[0-9a-f]{1,2}){4,6}", filter in "[ -~é]{0,6}",
        inside in "(<linkdev name='e/0'/>|<linkdev name='eth0'/>|<mac address='02:00:00:00:00:02'/>|<owner/>|text|<x/>){0,2}",
        parameters in "(<parameter name='(IP|A-B|CTRL_IP_LEARNING)' value='[0-9a-z.:/$]{0,6}'/>){0,3}",
    ) {
        let (name, port, filter) = (escaped(&name), escaped(&port), escaped(&filter));
        let document = format!(
            "<filterbinding><owner><name>{name}</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></owner>\
             <portdev name='{port}'/><mac address='{mac}'/>{inside}<filterref filter='{filter}'>{parameters}</filterref></filterbinding>"
        );
        nwfilter_driver::binding::check_round_trip(document.as_bytes());
    }
}
