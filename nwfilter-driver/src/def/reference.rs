//! The page of all elements and attributes, made from the table, so that it can not say anything else.

use super::kind::{Kind, Names};
use super::protocol::{Attribute, Layer, PROTOCOLS, Protocol};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/nwfilter-attributes.md");

const HEAD: &str = "\
# Elements and attributes of rules

Made from the table that the driver reads filters by; a test compares the two (it is written anew by `LOCKSTEP_UPDATE_DOCS=1 cargo test
-p nwfilter-driver reference`). *since* is the first libvirt whose manual knows the attribute, 0.8.0 where it says nothing.

Each attribute may also hold a variable: `$NAME`, `$NAME[2]` (one value), `$NAME[@1]` (all values, in step with the
others of iterator 1). Except where an attribute completes another one, `match='no'` on the element turns it around; an
attribute that completes another follows that one.
";

fn page() -> String {
    let mut out = HEAD.to_owned();
    let mut told: Vec<(Vec<&Attribute>, Vec<&Protocol>)> = Vec::new();
    for protocol in PROTOCOLS {
        let attributes: Vec<&Attribute> = protocol.attributes().collect();
        match told.iter_mut().find(|(known, _)| *known == attributes) {
            Some((_, protocols)) => protocols.push(protocol),
            None => told.push((attributes, vec![protocol])),
        }
    }
    for (attributes, protocols) in told {
        let names: Vec<String> = protocols
            .iter()
            .map(|protocol| format!("`{}`", protocol.name))
            .collect();
        let layers: BTreeSet<&str> = protocols.iter().map(|protocol| layer(protocol.layer)).collect();
        let since: BTreeSet<String> = protocols.iter().map(|protocol| protocol.since.to_string()).collect();
        let join = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(", ");
        let layers = layers.into_iter().collect::<Vec<_>>().join("; ");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "\n## {}\n\n{layers}; since {}.\n", names.join(", "), join(since));
        out.push_str("| attribute | value | completes | since |\n| --- | --- | --- | --- |\n");
        for attribute in attributes {
            let base = attribute.completes.map_or(String::new(), |base| format!("`{base}`"));
            let kind = value(attribute.kind);
            let since = protocols
                .iter()
                .map(|protocol| attribute.since.max(protocol.since))
                .max();
            let since = since.map_or(String::new(), |since| since.to_string());
            let _ = writeln!(out, "| `{}` | {kind} | {base} | {since} |", attribute.name);
        }
    }
    out
}

const fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::Ethernet => "for frames, asked in the filter's chain",
        Layer::V4 => "for IPv4 packets, chains do not count",
        Layer::V6 => "for IPv6 packets, chains do not count",
    }
}

fn value(kind: Kind) -> String {
    match kind {
        Kind::Number {
            min, max, hex, names, ..
        } => {
            let digits = if hex { "decimal or hexadecimal" } else { "decimal" };
            format!("{min} to {max}, {digits}{}", named(names))
        }
        Kind::Comment => "text, cut at 256 bytes".to_owned(),
        other => other.wanted(),
    }
}

fn named(names: Names) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|(number, name)| format!("{name} ({number})"))
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; or {}", names.join(", "))
    }
}

#[test]
fn the_page_says_what_the_table_says() {
    if std::env::var_os("LOCKSTEP_UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(PAGE).unwrap(), page());
}
