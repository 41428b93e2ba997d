//! Any bytes as what a guest kernel sends: datagrams of answers and notifications.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| uml_driver::mconsole::check_datagrams(bytes));
