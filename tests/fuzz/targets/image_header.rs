//! Any bytes as the header of a qcow2 image, which may come from anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| uml_driver::run::chain::check_any_header(bytes));
