//! The seeds of the fuzz targets, whole and cut short anywhere.

#![allow(clippy::unwrap_used, reason = "test code: a panic is a verdict")]

use nwfilter_driver::def::check_round_trip;
use nwfilter_driver::learn::check::check_frames;
use nwfilter_driver::simulate::check::{check_packets, check_rules};
use std::path::Path;

fn every_seed_of(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fuzz/seeds")
        .join(target);
    let mut seeds = 0;
    for seed in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(seed.unwrap().path()).unwrap();
        for len in 0..=bytes.len() {
            check(&bytes[..len]);
        }
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds in {}", folder.display());
}

#[test]
fn every_seed_of_filter_xml_is_harmless() {
    every_seed_of("filter_xml", check_round_trip);
}

#[test]
fn every_seed_of_filter_rules_is_harmless() {
    every_seed_of("filter_rules", check_rules);
}

#[test]
fn every_seed_of_guest_frames_is_harmless() {
    every_seed_of("guest_frames", check_frames);
}

#[test]
fn every_seed_of_binding_xml_is_harmless() {
    every_seed_of("binding_xml", nwfilter_driver::binding::check_round_trip);
}

#[test]
fn every_seed_of_packets_is_harmless() {
    every_seed_of("packets", check_packets);
}
