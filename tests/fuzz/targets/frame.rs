//! Any bytes as a sequence of frames, each decoded as what it claims to be.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lockstep::rpc::fuzzing::frames(bytes));
