//! Any bytes as an XML document: read, printed, read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| driver_api::kit::xml::check_round_trip(bytes));
