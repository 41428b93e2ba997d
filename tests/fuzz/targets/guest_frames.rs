//! Any bytes as frames of a guest and of its network, from which its addresses are learned.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nwfilter_driver::learn::check::check_frames(bytes));
