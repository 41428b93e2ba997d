//! What every filter and every frame must survive together: parsing, compiling and the way past the rules. For fuzzing.

use super::connection::Connections;
use super::run::{Rules, Way, run};
use crate::compile::compile;
use crate::def::parse::{Mode, parse};
use crate::def::vars::Parameters;
use crate::filters::Filters;

/// Compiles the document before the first zero byte and sends what follows past its rules, every way.
///
/// # Panics
/// The driver has a bug.
pub fn check_rules(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (document, frame) = bytes.split_at(end);
    let Ok(parsed) = parse(document, Mode::Compat) else {
        return;
    };
    let name = parsed.def.name.clone();
    let Ok(Some(table)) = Filters::default().with(parsed.def) else {
        return;
    };
    let values = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
    let parameters = Parameters::from([
        ("MAC".to_owned(), values(&["52:54:00:12:34:56"])),
        ("IP".to_owned(), values(&["192.0.2.10", "192.0.2.11"])),
        ("A".to_owned(), values(&["80", "443", "0x50"])),
        ("B".to_owned(), values(&["2001:db8::1"])),
    ]);
    let Ok(compiled) = compile(&table, &name, &parameters) else {
        return;
    };
    assert!(
        compiled.fits(&parameters),
        "a program does not fit the port it was made for"
    );
    let slots = compiled.fill(&parameters);
    assert!(
        slots.is_ok(),
        "a program can not be filled for the port it was made for: {slots:?}"
    );
    let slots = slots.unwrap_or_default();
    assert_eq!(slots.len(), compiled.program.slots.len(), "not a set for each slot");
    let rules = Rules {
        program: &compiled.program,
        slots: &slots,
    };
    let mut connections = Connections::default();
    for way in Way::ALL {
        let _outcome = run(rules, way, frame.get(1..).unwrap_or_default(), &mut connections);
    }
}
