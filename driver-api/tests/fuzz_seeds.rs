//! The seeds of the fuzz target `xml`, whole and cut short anywhere.

use driver_api::kit::xml::check_round_trip;
use std::path::Path;

#[test]
fn every_seed_is_harmless() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds/xml");
    let mut seeds = 0;
    for seed in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(seed.unwrap().path()).unwrap();
        for len in 0..=bytes.len() {
            check_round_trip(&bytes[..len]);
        }
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds in {}", folder.display());
}
