//! The fuzz targets' entry points over their seeds and over random bytes.

use lockstep::rpc::fuzzing::{frames, payload};
use lockstep::storage::fuzzing::check_documents;
use proptest::prelude::*;
use std::path::Path;

#[test]
fn every_seed_is_harmless() {
    for (target, run) in [
        ("frame", frames as fn(&[u8])),
        ("xdr", payload),
        ("storage_xml", check_documents),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/fuzz/seeds")
            .join(target);
        let mut seeds = 0;
        for seed in std::fs::read_dir(&folder).unwrap() {
            let bytes = std::fs::read(seed.unwrap().path()).unwrap();
            for len in 0..=bytes.len() {
                run(&bytes[..len]);
            }
            seeds += 1;
        }
        assert!(seeds > 0, "no seeds in {}", folder.display());
    }
}

/// Bytes that look like the protocol: mostly small big-endian words.
fn words() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![8 => 0_u32..32, 1 => any::<u32>(), 1 => Just(u32::from_be_bytes(*b"name"))];
    prop::collection::vec(word, 0..64).prop_map(|words| words.into_iter().flat_map(u32::to_be_bytes).collect())
}

proptest! {
    #[test]
    fn names_and_paths_of_pools_are_harmless(name in "\\PC{0,8}|[ &<>.a]{1,4}", path in "(/|//|\\.|\\.\\.|[ a]|\\PC){0,9}") {
        let escape = |text: String| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (name, path) = (escape(name), escape(path));
        let document = format!("<pool type='dir'><name>{name}</name><target><path>/{path}</path></target></pool>");
        check_documents(document.as_bytes());
    }

    #[test]
    fn random_payloads_are_harmless(bytes in words(), cut in 0_usize..4) {
        payload(&bytes[..bytes.len().saturating_sub(cut)]);
    }

    #[test]
    fn random_frames_are_harmless(procedure in 0_u32..454, kind in 0_u32..8, body in words()) {
        let len = u32::try_from(28 + body.len()).unwrap();
        let header = [len, 0x2000_8086, 1, procedure, kind, 1, 0];
        let mut bytes: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        bytes.extend(body);
        frames(&bytes);
    }
}
