//! What every filter and every frame must survive together: parsing, compiling and the way past the rules. For fuzzing.

use super::connection::Connections;
use super::run::{Rules, Way, run};
use super::{describe, pcap};
use crate::compile::compile;
use crate::def::address::Mac;
use crate::def::parse::{Mode, parse};
use crate::def::vars::Parameters;
use crate::filters::Filters;
use crate::ruleset::Program;

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

/// Reads bytes as packets, as a test of a filter does: as a capture if they begin like one, else as words.
///
/// # Panics
/// The driver has a bug.
pub fn check_packets(bytes: &[u8]) {
    let frames = if pcap::is_capture(bytes) {
        let frames = pcap::frames(bytes).unwrap_or_default();
        let kept: usize = frames.iter().map(Vec::len).sum();
        assert!(kept <= bytes.len(), "a capture has more frames than bytes");
        frames
    } else {
        let words = std::str::from_utf8(bytes).unwrap_or_default();
        let read = describe::packet(words, Mac([0x52, 0x54, 0, 0, 0, 1]));
        read.into_iter().map(|(_, frame)| frame).collect()
    };
    let nothing = Program::default();
    let rules = Rules {
        program: &nothing,
        slots: &[],
    };
    for frame in frames {
        for way in Way::ALL {
            let outcome = run(rules, way, &frame, &mut Connections::default());
            assert!(outcome.decided.is_none(), "a rule that is not there decided");
        }
    }
}
