//! Any bytes as the documents of a pool and of a volume.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lockstep::storage::fuzzing::check_documents(bytes));
