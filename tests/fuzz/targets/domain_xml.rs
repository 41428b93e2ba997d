//! Any bytes as a domain's document: read, printed, read again, and planned for a start.
#![no_main]

use uml_driver::def::{DomainDef, check_round_trip};
use uml_driver::plan;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    check_round_trip(bytes);
    if let Ok(def) = DomainDef::from_xml(bytes) {
        // A refusal is as good as a plan.
        let _ = plan::launch(&def);
    }
});
