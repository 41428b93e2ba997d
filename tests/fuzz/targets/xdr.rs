//! Any bytes as the arguments and the result of every procedure that has a codec.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lockstep::rpc::fuzzing::payload(bytes));
