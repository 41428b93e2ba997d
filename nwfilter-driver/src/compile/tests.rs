//! Filters and the programs that they make, as text.

use super::*;
use crate::def::parse::{Mode, parse};
use crate::ruleset::Program;

/// A table of filters.
fn table(documents: &[&str]) -> Filters {
    documents.iter().fold(Filters::default(), |table, document| {
        let parsed = parse(document.as_bytes(), Mode::Strict).unwrap();
        table.with(parsed.def).unwrap().unwrap()
    })
}

/// A filter `lab` with these entries.
fn lab(entries: &str) -> Filters {
    table(&[&format!(
        "<filter name='lab'><uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55335</uuid>{entries}</filter>"
    )])
}

fn parameters(given: &[(&str, &str)]) -> Parameters {
    let mut all = Parameters::new();
    for (name, value) in given {
        all.entry((*name).to_owned()).or_default().push((*value).to_owned());
    }
    all
}

/// The rules of a program, each with its hook in front.
fn rules(program: &Program) -> Vec<String> {
    let all = program.chains.iter();
    all.flat_map(|(name, rules)| rules.iter().map(move |rule| format!("{name}: {rule}")))
        .collect()
}

#[test]
fn values_of_the_port_are_slots_and_those_that_advance_together_share_one() {
    let filters = lab("<rule action='accept' direction='out'>
           <tcp srcmacaddr='$MAC' srcipaddr='$IP' dstportstart='$OPEN[@1]'/>
         </rule>");
    let two = parameters(&[
        ("IP", "10.0.0.1"),
        ("IP", "10.0.0.2"),
        ("MAC", "2:0:0:0:0:1"),
        ("MAC", "2:0:0:0:0:2"),
        ("OPEN", "80"),
    ]);
    let compiled = compile(&filters, "lab", &two).unwrap();
    assert_eq!(
        rules(&compiled.program),
        [
            "packet-out: ether type 0x0800 protocol 6 ether saddr . ip saddr @slot0 dport @slot1 \
             ct state new,established ct direction original accept",
            "packet-in: ether type 0x0800 protocol 6 ip daddr @slot2 sport @slot3 \
             ct state established ct direction reply accept",
        ]
    );
    let (first, second) = (vec![2, 0, 0, 0, 0, 1, 10, 0, 0, 1], vec![2, 0, 0, 0, 0, 2, 10, 0, 0, 2]);
    let slots = compiled.fill(&two).unwrap();
    assert_eq!(slots[0], BTreeSet::from([first, second]));
    assert_eq!(slots[1], BTreeSet::from([vec![0, 80]]));
}
