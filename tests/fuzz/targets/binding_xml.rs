//! Any bytes as a binding's document: read, printed, read again, strictly and leniently.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nwfilter_driver::binding::check_round_trip(bytes));
