//! Any bytes as packets for a test of a filter: a capture, or words.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nwfilter_driver::simulate::check::check_packets(bytes));
