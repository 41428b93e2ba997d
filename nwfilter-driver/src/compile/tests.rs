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

#[test]
fn a_value_of_a_reference_is_compiled_in_unless_the_port_gives_one() {
    let filters = table(&[
        "<filter name='lab'><filterref filter='in'><parameter name='A' value='10.0.0.1'/>
           <parameter name='A' value='10.0.0.2'/></filterref></filter>",
        "<filter name='in'><rule action='drop' direction='out'><ip srcipaddr='$A'/></rule></filter>",
    ]);
    let compiled = compile(&filters, "lab", &Parameters::new()).unwrap();
    assert_eq!(
        rules(&compiled.program),
        [
            "frame-out: ether type 0x0800 ip saddr 10.0.0.1 drop",
            "frame-out: ether type 0x0800 ip saddr 10.0.0.2 drop",
        ]
    );
    assert_eq!(compiled.filters, BTreeSet::from(["lab".to_owned(), "in".to_owned()]));
    let own = parameters(&[("A", "10.0.0.9")]);
    assert!(!compiled.fits(&own) && compiled.fits(&parameters(&[("B", "1")])));
    let compiled = compile(&filters, "lab", &own).unwrap();
    assert_eq!(
        rules(&compiled.program),
        ["frame-out: ether type 0x0800 ip saddr @slot0 drop"]
    );
    assert_eq!(compiled.fill(&own).unwrap(), [BTreeSet::from([vec![10, 0, 0, 9]])]);
}

#[test]
fn ports_share_a_program_when_only_slots_differ() {
    let filters = lab(
        "<rule action='accept' direction='out'><ip srcipaddr='$IP' dstipaddr='10.0.0.0' dstipmask='$MASK'/></rule>
         <rule action='drop' direction='out'><mac match='no' srcmacaddr='$MAC'/></rule>",
    );
    let base = [("IP", "10.0.0.1"), ("MASK", "24"), ("MAC", "2:0:0:0:0:1")];
    let with = |changed: &[(&str, &str)]| {
        let kept = base
            .iter()
            .filter(|(name, _)| changed.iter().all(|(other, _)| name != other));
        let all: Vec<(&str, &str)> = kept.chain(changed).copied().collect();
        parameters(&all)
    };
    let one = compile(&filters, "lab", &with(&[])).unwrap();
    for (changed, fits) in [
        (&[("IP", "10.0.0.2"), ("MAC", "2:0:0:0:0:2")][..], true),
        (
            &[("MASK", "24"), ("MASK", "24"), ("IP", "10.0.0.2"), ("IP", "10.0.0.2")],
            true,
        ),
        (&[("MASK", "16")], false),
        (&[("MAC", "2:0:0:0:0:1"), ("MAC", "2:0:0:0:0:2")], false),
        (&[("IP", "10.0.0.1"), ("IP", "10.0.0.2")], false),
        (&[("OTHER", "x")], true),
    ] {
        let other = with(changed);
        assert_eq!(one.fits(&other), fits, "{changed:?}");
        if fits {
            let again = compile(&filters, "lab", &other).unwrap();
            assert_eq!(again.program, one.program, "{changed:?}");
            assert_eq!(again.fill(&other).unwrap(), one.fill(&other).unwrap(), "{changed:?}");
        }
    }
    assert!(!one.fits(&parameters(&base[1..])));
}

#[test]
fn errors_name_the_variable_its_value_what_is_wanted_and_where() {
    let filters = lab(
        "<rule action='accept' direction='out'><ip srcipaddr='$IP' dstipaddr='10.0.0.0' dstipmask='$MASK'/></rule>
         <rule action='drop' direction='out'><tcp srcportstart='$A' dstportstart='$B'/></rule>
         <rule action='drop' direction='out' priority='-5'><udp srcportstart='$A' srcportend='$B' dstportstart='$L[2]'/></rule>",
    );
    let error = compile(&filters, "lab", &parameters(&[("A", "1"), ("L", "1")])).unwrap_err();
    assert_eq!(
        (error.code(), error.origin()),
        (Code::INTERNAL, driver_api::error::Origin::NWFILTER)
    );
    assert_eq!(
        error.to_string(),
        "filter 'lab' can not be instantiated: no value is given for $B (wanted by 'lab' entry 2 and 1 more), \
         $IP (wanted by 'lab' entry 1), $L[2] (wanted by 'lab' entry 3), $MASK (wanted by 'lab' entry 1)"
    );
    let good = [
        ("IP", "10.0.0.1"),
        ("MASK", "24"),
        ("A", "1"),
        ("B", "2"),
        ("L", "1"),
        ("L", "2"),
        ("L", "3"),
    ];
    let with = |name: &str, value: &'static str| {
        let changed = good
            .iter()
            .map(|(known, old)| (*known, if *known == name { value } else { *old }));
        parameters(&changed.collect::<Vec<_>>())
    };
    let outcome = |parameters: &Parameters| {
        let filled = compile(&filters, "lab", parameters).and_then(|compiled| compiled.fill(parameters));
        filled.map_err(|error| error.to_string())
    };
    assert!(outcome(&parameters(&good)).is_ok());
    for (parameters, text) in [
        (
            with("MASK", "33"),
            "filter 'lab', entry 1: value '33' of $MASK is no 'srcipmask': a prefix length from 0 to 32, or a dotted mask with \
             all ones before all zeros is wanted",
        ),
        (
            with("IP", "notanip"),
            "filter 'lab', entry 1: value 'notanip' of $IP is no 'srcipaddr': an IPv4 address is wanted",
        ),
        (
            with("B", "0"),
            "filter 'lab', entry 3: the range from 'srcportstart' to 'srcportend' is empty, its end is smaller than its start",
        ),
    ] {
        let text = text.replace("no 'srcipmask'", "no 'dstipmask'");
        assert_eq!(outcome(&parameters), Err(text));
    }
    let mut uneven = parameters(&good);
    uneven.insert("B".to_owned(), vec!["2".to_owned(), "3".to_owned()]);
    assert_eq!(
        outcome(&uneven),
        Err(
            "filter 'lab', entry 2: $A has 1 values and $B has 2, but they advance together: give them equally many, or \
             another iterator to one of them"
                .to_owned()
        )
    );
}

#[test]
fn rules_are_in_order_of_priority_and_chains_of_theirs_stable_among_equals() {
    let rule = |direction: &str, priority: i32, what: &str| {
        format!("<rule action='drop' direction='{direction}' priority='{priority}'>{what}</rule>")
    };
    let filters = table(&[
        &format!(
            "<filter name='lab'>{}{}{}{}<filterref filter='arp'/><filterref filter='mac'/><filterref filter='again'/>{}</filter>",
            rule("in", 1, "<mac protocolid='0x1001'/>"),
            rule("in", -500, "<mac protocolid='0x1002'/>"),
            rule("in", 1, "<mac protocolid='0x1003'/>"),
            rule("in", -501, "<mac protocolid='0x1004'/>"),
            rule("out", 9, "<tcp/>"),
        ),
        &format!(
            "<filter name='arp' chain='arp' priority='-500'>{}{}</filter>",
            rule("in", 3, "<arp opcode='3'/>"),
            rule("out", -9, "<udp/>")
        ),
        &format!(
            "<filter name='mac' chain='mac-b' priority='-900'>{}</filter>",
            rule("in", 2, "<mac protocolid='0x1005'/>")
        ),
        &format!(
            "<filter name='again' chain='mac-b' priority='500'>{}</filter>",
            rule("in", -2, "<mac protocolid='0x1006'/>")
        ),
    ]);
    let compiled = compile(&filters, "lab", &Parameters::new()).unwrap();
    assert_eq!(
        rules(&compiled.program),
        [
            "frame-in: ether type 0x1004 drop",
            "frame-in: ether type 0x0806 jump arp",
            "frame-in: ether type 0x1002 drop",
            "frame-in: ether type 0x1001 drop",
            "frame-in: ether type 0x1003 drop",
            "frame-in: jump mac-b",
            "frame-in arp: ether type 0x0806 arp operation 0x0003 drop",
            "frame-in arp: accept",
            "frame-in mac-b: ether type 0x1006 drop",
            "frame-in mac-b: ether type 0x1005 drop",
            "frame-in mac-b: accept",
            "packet-out: ether type 0x0800 protocol 6 drop",
            "packet-out: ether type 0x0800 protocol 17 drop",
            "packet-in: ether type 0x0800 protocol 6 drop",
            "packet-in: ether type 0x0800 protocol 17 drop",
        ]
    );
}

#[test]
fn a_key_that_is_too_wide_for_the_kernel_becomes_one_rule_for_each_combination() {
    let filters = lab("<rule action='drop' direction='out'>
           <ipv6 srcmacaddr='$M' dstmacaddr='$M[@0]' srcipaddr='$S' dstipaddr='$D' protocol='udp' srcportstart='$P'/>
         </rule>");
    let given = |count: u8| {
        let mut all = Parameters::new();
        for i in 1..=count {
            for (name, value) in [
                ("M", format!("2:0:0:0:0:{i}")),
                ("S", format!("fe80::{i}")),
                ("D", format!("ff02::{i}")),
                ("P", format!("{i}")),
            ] {
                all.entry(name.to_owned()).or_default().push(value);
            }
        }
        all
    };
    let compiled = compile(&filters, "lab", &given(2)).unwrap();
    let widths: Vec<&[u8]> = compiled
        .program
        .slots
        .iter()
        .map(|slot| slot.widths.as_slice())
        .collect();
    assert_eq!(compiled.program.chains.values().map(Vec::len).sum::<usize>(), 2);
    assert!(widths.iter().all(|widths| widths.len() == 1), "{widths:?}");
    assert!(compiled.fits(&given(2)) && !compiled.fits(&given(3)));
}

#[test]
fn too_many_combinations_are_refused_before_they_are_made() {
    let fields = "srcportstart='$A[@1]' srcportend='$A[@2]' dstportstart='$A[@3]' dstportend='$A[@4]'";
    let filters = lab(&format!("<rule action='drop' direction='out'><tcp {fields}/></rule>"));
    let mut given = Parameters::new();
    given.insert("A".to_owned(), (0..500_u32).map(|i| i.to_string()).collect());
    let error = compile(&filters, "lab", &given).unwrap_err();
    assert!(
        error.to_string().contains("is empty") || error.to_string().contains("100000"),
        "{error}"
    );
    let filters =
        lab("<rule action='drop' direction='out'><all match='no' srcipaddr='$A[@1]' dstipaddr='$A[@2]'/></rule>");
    let error = compile(&filters, "lab", &given).unwrap_err();
    assert!(error.to_string().contains("more than 100000 rules"), "{error}");
}

#[test]
fn what_has_no_meaning_is_an_error() {
    for (entry, text) in [
        (
            "<rule action='drop' direction='in'><ipv6 protocol='udp' type='1'/></rule>",
            "need protocol 'icmpv6'",
        ),
        (
            "<rule action='drop' direction='in'><ipv6 protocol='$P' type='1'/></rule>",
            "need protocol 'icmpv6', written out",
        ),
        (
            "<rule action='drop' direction='in'><tcp dstportstart='9' dstportend='8'/></rule>",
            "the range from 'dstportstart' to 'dstportend' is empty",
        ),
    ] {
        let error = compile(&lab(entry), "lab", &parameters(&[("P", "icmpv6")])).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = compile(&Filters::default(), "lab", &Parameters::new()).unwrap_err();
    assert_eq!(error.code(), Code::NO_NWFILTER);
}

/// Rules whose variables are slots, literals, negated, elements, or given by a reference.
const SHAPES: [&str; 9] = [
    "<ip srcipaddr='$A'/>",
    "<ip match='no' srcipaddr='$A'/>",
    "<ip srcipaddr='$A' dstipaddr='$B' dstipmask='24'/>",
    "<ip srcipaddr='$A' dstipaddr='10.0.0.0' dstipmask='$M[@1]'/>",
    "<all match='no' srcipaddr='$A[1]' dstipaddr='$B[@2]'/>",
    "<udp srcipaddr='$A' dstportstart='$P'/>",
    "<udp srcportstart='$P' srcportend='$P[@1]' dstipaddr='$B'/>",
    "<mac srcmacaddr='$H'/>",
    "<arp arpsrcipaddr='$B[@1]' opcode='$P[0]'/>",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, ..Default::default() })]

    #[test]
    fn a_program_that_fits_is_the_one_that_would_be_compiled(
        shapes in proptest::collection::vec(0..SHAPES.len(), 1..4),
        given in proptest::collection::vec(proptest::collection::vec((0..5_usize, 0..3_usize), 0..9), 2..4),
    ) {
        let rules: Vec<String> = shapes
            .iter()
            .map(|shape| format!("<rule action='drop' direction='inout'>{}</rule>", SHAPES[*shape]))
            .collect();
        let filters = table(&[
            "<filter name='top'><filterref filter='lab'><parameter name='A' value='10.0.0.1'/>
               <parameter name='A' value='10.0.0.2'/><parameter name='M' value='16'/>
               <parameter name='P' value='7'/></filterref></filter>",
            &format!("<filter name='lab'><uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55335</uuid>{}</filter>", rules.concat()),
        ]);
        let value = |(name, value): &(usize, usize)| match name {
            0 => ("A", ["10.0.0.1", "10.0.0.2", "10.0.0.3"][*value]),
            1 => ("B", ["10.1.0.1", "10.1.0.2", "10.1.0.3"][*value]),
            2 => ("M", ["8", "16", "24"][*value]),
            3 => ("P", ["7", "8", "9"][*value]),
            _ => ("H", ["2:0:0:0:0:1", "2:0:0:0:0:2", "2:0:0:0:0:3"][*value]),
        };
        let ports: Vec<Parameters> = given
            .iter()
            .map(|given| {
                let defaults = [("B", "10.1.0.9"), ("H", "2:0:0:0:0:9")];
                let mut given: Vec<_> = given.iter().map(value).collect();
                for (name, value) in defaults {
                    if given.iter().all(|(other, _)| *other != name) {
                        given.push((name, value));
                    }
                }
                parameters(&given)
            })
            .collect();
        for one in &ports {
            let Ok(compiled) = compile(&filters, "top", one) else { continue };
            proptest::prop_assert!(compiled.fits(one));
            for other in ports.iter().filter(|other| compiled.fits(other)) {
                let Ok(filled) = compiled.fill(other) else { continue };
                let again = compile(&filters, "top", other).unwrap();
                proptest::prop_assert_eq!(&again.program, &compiled.program);
                proptest::prop_assert_eq!(again.fill(other).unwrap(), filled);
            }
        }
    }
}
