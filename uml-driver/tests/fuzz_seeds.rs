//! The seeds of the fuzz targets `domain_xml`, `image_header` and `mconsole`, whole and cut short anywhere.

use std::path::Path;
use uml_driver::def::{DomainDef, check_round_trip};
use uml_driver::mconsole::check_datagrams;
use uml_driver::plan;
use uml_driver::run::chain::check_any_header;

fn domain_xml(bytes: &[u8]) {
    check_round_trip(bytes);
    if let Ok(def) = DomainDef::from_xml(bytes) {
        // A refusal is as good as a plan.
        let _ = plan::launch(&def);
    }
}

#[test]
fn every_seed_is_harmless() {
    let targets = [
        ("domain_xml", domain_xml as fn(&[u8])),
        ("image_header", check_any_header),
        ("mconsole", check_datagrams),
    ];
    for (target, run) in targets {
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
