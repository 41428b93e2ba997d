//! The layout of every table, compared with what each release wrote down in `layouts/`: frozen is checked, not promised.
//!
//! `LAYOUTS=write cargo test -p driver-api --test layouts` writes the file of the version that is being worked on; its
//! difference belongs in review. A released version's file is listed in `layouts/SHA256SUMS` and never written again.

#![allow(clippy::unwrap_used, reason = "tests")]

use abi_stable::StableAbi;
use driver_api::abi::interface::Table;
use driver_api::abi::layout::{Book, stamp};
use driver_api::abi::manifest::{API_MAJOR, API_MINOR, Manifest};
use driver_api::abi::plain::PlainRoot;
use driver_api::abi::root::Root;
use driver_api::abi::{
    console, core, descriptors, device, event, inspect, launch, lock, log, metadata, notice, nwfilter, ports, spawn,
    virt,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("layouts")
}

/// The file of the version that is being worked on.
fn newest() -> String {
    format!("{API_MAJOR}.{API_MINOR}.golden")
}

fn table<T: Table>(text: &mut String, book: &mut Book) {
    let stamp = stamp::<T>();
    let name = book.name(T::LAYOUT);
    writeln!(text, "{} = {name}, stamp {} {:#018x}", T::ID, stamp.size, stamp.hash).unwrap();
}

/// Every layout as it is now.
fn now() -> String {
    let mut book = Book::default();
    let mut text = String::from("The layout of every interface; see tests/layouts.rs.\n\n");
    writeln!(text, "root = {}", book.name(Root::LAYOUT)).unwrap();
    writeln!(text, "plain root = {}", book.name(PlainRoot::LAYOUT)).unwrap();
    for one in [
        table::<core::CoreV1>,
        table::<virt::VirtV1>,
        table::<console::ConsoleV1>,
        table::<metadata::MetadataV1>,
        table::<device::DevicesV1>,
        table::<device::ResourcesV1>,
        table::<device::StatsV1>,
        table::<device::ControlV1>,
        table::<nwfilter::FilterV1>,
        table::<nwfilter::BindingV1>,
        table::<inspect::InspectV1>,
        table::<lock::LockV1>,
        table::<log::LogV1>,
        table::<event::EventV1>,
        table::<notice::NoticeV1>,
        table::<spawn::SpawnV1>,
        table::<descriptors::DescriptorsV1>,
        table::<launch::SpawnV2>,
        table::<ports::PortsV1>,
    ] {
        one(&mut text, &mut book);
    }
    let (size, align) = (size_of::<Manifest>(), align_of::<Manifest>());
    writeln!(text, "manifest = size {size} align {align}").unwrap();
    text + &book.text()
}

/// What one file says: of each interface which table it is, of each type its size and fields.
fn read(text: &str) -> BTreeMap<&str, &str> {
    let (_title, rest) = text.split_once("\n\n").unwrap();
    let (interfaces, types) = rest.split_once("\n\n").unwrap();
    let interfaces = interfaces.lines().map(|line| line.split_once(" = ").unwrap());
    let types = types.split("\n\n").map(|ty| ty.split_once('\n').unwrap());
    interfaces.chain(types).collect()
}

fn files() -> Vec<String> {
    let names = std::fs::read_dir(folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".golden")).collect()
}

fn released() -> String {
    std::fs::read_to_string(folder().join("SHA256SUMS")).unwrap()
}

#[test]
fn what_there_is_now_is_written_down_under_its_version() {
    let (file, now) = (newest(), now());
    let kept = std::fs::read_to_string(folder().join(&file)).unwrap_or_default();
    if kept == now {
        return;
    }
    let differs = kept.lines().zip(now.lines()).find(|(old, new)| old != new);
    assert!(
        !released().contains(&file),
        "version {API_MAJOR}.{API_MINOR} is released, and its layouts differ, first at {differs:?}: a new interface or \
         record raises API_MINOR, and what is released stays as it is (a change is a table with the next number)"
    );
    assert!(
        std::env::var_os("LAYOUTS").is_some_and(|what| what == "write"),
        "layouts/{file} says something else, first at {differs:?}; LAYOUTS=write writes it anew"
    );
    std::fs::write(folder().join(&file), now).unwrap();
}

#[test]
fn nothing_that_a_release_had_is_gone_or_changed() {
    let text = now();
    let now = read(&text);
    let files = files();
    assert!(files.len() > 3, "only {files:?}");
    for file in files {
        let text = std::fs::read_to_string(folder().join(&file)).unwrap();
        for (name, then) in read(&text) {
            let now = now.get(name).unwrap_or_else(|| panic!("{file}: '{name}' is gone"));
            // Files from before 1.5 have no stamps.
            let same = now.trim_end() == then.trim_end() || now.starts_with(&format!("{then}, stamp"));
            assert!(
                same,
                "{file}: '{name}' was\n{then}\nand is now\n{now}\nIt is frozen: add the next number instead."
            );
        }
    }
}

#[test]
fn the_files_of_releases_are_as_they_were_written() {
    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(folder())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let released = released();
    for file in files() {
        assert!(
            released.contains(&file) || file == newest(),
            "layouts/{file} is of an earlier version than {API_MAJOR}.{API_MINOR}: list it in layouts/SHA256SUMS"
        );
    }
}

#[test]
fn each_version_has_an_interface_more_than_the_one_before() {
    let mut files = files();
    files.sort_by_key(|file| {
        file.trim_end_matches(".golden")
            .split('.')
            .map(|part| part.parse::<u32>().unwrap())
            .collect::<Vec<u32>>()
    });
    let interfaces = |file: &String| {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        text.lines()
            .filter(|line| line.contains('/') && line.contains(" = "))
            .count()
    };
    assert!(
        files
            .iter()
            .map(interfaces)
            .is_sorted_by(|before, after| before < after),
        "{files:?}"
    );
}
