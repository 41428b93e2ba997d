//! Trees of filters.

use super::*;
use crate::def::parse::{Mode, parse};

fn table(documents: &[&str]) -> Filters {
    documents.iter().fold(Filters::default(), |table, document| {
        let parsed = parse(document.as_bytes(), Mode::Strict).unwrap();
        table.with(parsed.def).unwrap().unwrap()
    })
}

fn parameters(given: &[(&str, &str)]) -> Parameters {
    let mut all = Parameters::new();
    for (name, value) in given {
        all.entry((*name).to_owned()).or_default().push((*value).to_owned());
    }
    all
}

#[test]
fn a_filter_is_there_as_often_as_it_is_referred_to_and_outer_values_count() {
    let filters = table(&[
        "<filter name='top'><filterref filter='in'><parameter name='A' value='outer'/></filterref>
           <rule action='drop' direction='out'/><filterref filter='in'/></filter>",
        "<filter name='in'><filterref filter='leaf'><parameter name='A' value='inner'/>
           <parameter name='B' value='inner'/></filterref></filter>",
        "<filter name='leaf'><rule action='drop' direction='in'><mac srcmacaddr='$A' dstmacaddr='$B'/></rule></filter>",
    ]);
    let port = parameters(&[("B", "port")]);
    let rules = expand(&filters, "top", &port).unwrap();
    let seen = |placed: &Placed<'_>, name: &str| {
        let values = placed.environment.values(name);
        values.map(|(values, giver)| (values.join(","), giver))
    };
    let told: Vec<_> = rules
        .iter()
        .map(|placed| {
            (
                placed.def.name.as_str(),
                placed.entry,
                seen(placed, "A"),
                seen(placed, "B"),
            )
        })
        .collect();
    let given = |text: &str, giver| Some((text.to_owned(), giver));
    assert_eq!(
        told,
        [
            ("leaf", 0, given("outer", Giver::Reference), given("port", Giver::Port)),
            ("top", 1, None, given("port", Giver::Port)),
            ("leaf", 0, given("inner", Giver::Reference), given("port", Giver::Port)),
        ]
    );
}

#[test]
fn a_missing_filter_is_named_with_who_wants_it() {
    let filters = table(&[
        "<filter name='top'><rule action='drop' direction='out'/><filterref filter='in'/></filter>",
        "<filter name='in'><filterref filter='nowhere'/></filter>",
    ]);
    let port = Parameters::new();
    let error = expand(&filters, "top", &port).unwrap_err();
    assert_eq!((error.code(), error.origin()), (Code::INTERNAL, Origin::NWFILTER));
    let text = "filter 'nowhere', which 'in' refers to in its entry 1, does not exist: define it first";
    assert_eq!(error.to_string(), text);
    assert_eq!(missing(&filters, "top", &port).unwrap_err().to_string(), text);
    let names: Vec<String> = names(&filters, "top").into_iter().collect();
    assert_eq!(names, ["in", "nowhere", "top"]);
    assert_eq!(expand(&filters, "x", &port).unwrap_err().code(), Code::NO_NWFILTER);
}

#[test]
fn all_missing_variables_are_told_at_once_each_place_once() {
    let filters = table(&[
        "<filter name='top'><filterref filter='in'/><filterref filter='in'/>
           <filterref filter='in'><parameter name='A' value='1'/></filterref>
           <rule action='drop' direction='out'><tcp srcportstart='$L[1]' dstportstart='$L[0]' comment='$NOTE'/></rule></filter>",
        "<filter name='in'><rule action='drop' direction='in'><mac srcmacaddr='$A' dstmacaddr='$B[@3]'/></rule></filter>",
    ]);
    let port = parameters(&[("L", "1")]);
    let told: Vec<String> = missing(&filters, "top", &port)
        .unwrap()
        .iter()
        .map(|missing| format!("{} {} {}", missing.access, missing.filter, missing.entry))
        .collect();
    assert_eq!(told, ["$A in 0", "$B[@3] in 0", "$L[1] top 3", "$NOTE top 3"]);
}

#[test]
fn a_tree_with_more_ways_than_can_be_gone_ends_at_the_limit() {
    let mut filters = table(&["<filter name='f60'><rule action='drop' direction='in'/></filter>"]);
    for i in (0..60).rev() {
        let next = i + 1;
        let twice = format!("<filter name='f{i}'><filterref filter='f{next}'/><filterref filter='f{next}'/></filter>");
        let parsed = parse(twice.as_bytes(), Mode::Strict).unwrap();
        filters = filters.with(parsed.def).unwrap().unwrap();
    }
    let port = Parameters::new();
    let error = expand(&filters, "f0", &port).unwrap_err();
    assert!(
        error.to_string().contains("more than 100000 rules and references"),
        "{error}"
    );
    assert!(missing(&filters, "f0", &port).unwrap().is_empty());
    assert_eq!(names(&filters, "f0").len(), 61);
}
