//! Any filter and any frame: compiled, filled with a port's values, and the frame sent past the rules every way.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nwfilter_driver::simulate::check::check_rules(bytes));
