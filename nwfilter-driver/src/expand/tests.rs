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
