//! Golden documents: each `golden/NAME.xml` gives the same `.out.xml`, and the same `.argv` or `.error`, as before.
//!
//! `UPDATE_GOLDEN=1 cargo test -p uml-driver --test golden` writes them anew; the diff is then the review.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use driver_api::types::guest::VisibleFile;
use driver_api::types::launch::Backend;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use uml_driver::def::DomainDef;
use uml_driver::def::disk::Place;
use uml_driver::plan;

fn documents() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut documents: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|end| end == "xml") && !path.to_string_lossy().ends_with(".out.xml")
        })
        .collect();
    documents.sort();
    assert!(!documents.is_empty());
    documents
}

/// What should be in the file beside `document` with this ending; `None` means that there should be none.
fn compare(document: &Path, ending: &str, found: Option<&str>) {
    let golden = document.with_extension(ending);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        match found {
            Some(found) => std::fs::write(&golden, found).unwrap(),
            None if golden.exists() => std::fs::remove_file(&golden).unwrap(),
            None => {}
        }
        return;
    }
    let expected = golden.exists().then(|| std::fs::read_to_string(&golden).unwrap());
    assert_eq!(found, expected.as_deref(), "{}", golden.display());
}

/// One line per argument, then what else the host is asked for.
fn print(plan: &plan::LaunchPlan) -> String {
    let device = |(number, nic): (usize, &plan::Nic)| match (nic.has_device(), &nic.device) {
        (false, _) => String::new(),
        (true, Some(name)) => name.clone(),
        (true, None) => format!("made{number}"),
    };
    let mut companions: Vec<_> = plan.stacks().collect();
    let virtio = plan.images.iter().filter(|image| image.place == Place::Virtio);
    companions.extend(virtio.map(|image| image.companion(&image.below)));
    let found = plan::Found {
        devices: plan.nics.iter().enumerate().map(device).collect(),
        companions,
        user: None,
        spare_consoles: 4,
    };
    let launch = plan.order(&found, true).unwrap();
    let mut out = launch.spec.argv.join("\n");
    out.push('\n');
    for (name, value) in &launch.spec.env {
        writeln!(out, "env {name}={value}").unwrap();
    }
    for (k, line) in launch.spec.consoles.iter().enumerate() {
        let pty = if line.pty { " pty" } else { "" };
        let log = line
            .log
            .as_ref()
            .map_or_else(String::new, |log| format!(" log {}", log.display()));
        let end = launch.backends.get(k).filter(|end| **end != Backend::None);
        let end = end.map_or_else(String::new, |end| format!(" to {end:?}"));
        writeln!(out, "line {k} {}{pty}{log}{end}", line.alias).unwrap();
    }
    for log in &plan.cut {
        writeln!(out, "cut {}", log.display()).unwrap();
    }
    let print_files = |out: &mut String, files: &[VisibleFile]| {
        for file in files {
            let way = if file.writable { "rw" } else { "ro" };
            writeln!(out, "file {way} {}", file.path.display()).unwrap();
        }
    };
    print_files(&mut out, &launch.spec.files);
    for nic in &plan.nics {
        let device = nic.device.as_deref().unwrap_or("(made up)");
        let bridge = nic
            .bridge
            .as_ref()
            .map_or_else(String::new, |bridge| format!(" on {bridge}"));
        let mtu = nic.mtu.map_or_else(String::new, |mtu| format!(" mtu {mtu}"));
        let link = if nic.up { "" } else { " unplugged" };
        let filter = nic
            .filter
            .as_ref()
            .map_or_else(String::new, |filter| format!(" filter {filter:?}"));
        let shaping = &nic.shaping;
        let limited = |way: &str, rate: &Option<_>| {
            rate.as_ref()
                .map_or_else(String::new, |rate| format!(" {way} {rate:?}"))
        };
        let (inbound, outbound) = (
            limited("inbound", &shaping.inbound),
            limited("outbound", &shaping.outbound),
        );
        let way = nic.way;
        writeln!(
            out,
            "nic {} {way:?} {device}{bridge}{mtu}{link}{filter}{inbound}{outbound}",
            nic.mac
        )
        .unwrap();
    }
    for link in &launch.links {
        writeln!(out, "link {link:?}").unwrap();
    }
    for companion in &launch.companions {
        writeln!(out, "companion {} until {}", companion.name, companion.ready).unwrap();
        for word in &companion.argv {
            writeln!(out, "  {word}").unwrap();
        }
        print_files(&mut out, &companion.files);
    }
    for cow in &plan.cows {
        writeln!(out, "cow {} over {}", cow.file.display(), cow.backing.display()).unwrap();
    }
    for (option, what) in &plan.options {
        writeln!(out, "needs {option} for {what}").unwrap();
    }
    for limit in &launch.limits {
        writeln!(out, "limit {} {:?}", limit.name, limit.value).unwrap();
    }
    if let Some(owner) = &plan.owner {
        writeln!(out, "owner {} {}", owner.user, owner.group).unwrap();
    }
    writeln!(out, "memory {}", launch.spec.memory_bytes).unwrap();
    out
}

fn error(error: &driver_api::error::Error) -> String {
    format!("{} {}\n{error}\n", error.code().0, error.origin().0)
}

#[test]
fn each_document_gives_what_it_gave() {
    for document in documents() {
        let text = std::fs::read(&document).unwrap();
        let (printed, planned) = match DomainDef::from_xml(&text) {
            Ok(def) => {
                let printed = def.to_xml(None);
                assert_eq!(
                    DomainDef::from_xml(printed.as_bytes()).unwrap(),
                    def,
                    "{}",
                    document.display()
                );
                (Some(printed), plan::launch(&def))
            }
            Err(error) => (None, Err(error)),
        };
        let notes = DomainDef::from_xml(&text)
            .map(|def| def.notes().join("\n"))
            .unwrap_or_default();
        compare(
            &document,
            "notes",
            Some(format!("{notes}\n")).filter(|_| !notes.is_empty()).as_deref(),
        );
        compare(&document, "out.xml", printed.as_deref());
        compare(&document, "argv", planned.as_ref().ok().map(print).as_deref());
        compare(&document, "error", planned.as_ref().err().map(error).as_deref());
    }
}

/// Documents that libvirt prints otherwise, each with the reason.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "full.xml",
        "libvirt knows no 'ubd2' and drops what it does not know, we keep it",
    ),
    ("many-disks.xml", "libvirt knows no 'ubd0'"),
    ("network.xml", "libvirt's test driver makes up names of taps"),
    (
        "unsupported.xml",
        "libvirt adds a controller and an address to each disk that is not UML's",
    ),
    ("ways.xml", "libvirt's test driver makes up names of taps"),
    (
        "virtio-disks.xml",
        "libvirt sorts disks by its numbers of buses, and adds a controller and an address",
    ),
    ("virt-install.xml", "libvirt's test driver refuses input devices"),
    (
        "path-with-comma.xml",
        "libvirt accepts it, and UML would open two other files",
    ),
];

/// libvirt's own test driver, where there is one, prints the same documents in the same way and refuses the same ones.
#[test]
fn libvirt_prints_the_same() {
    let virsh = |commands: &str| {
        Command::new("virsh")
            .args(["-q", "-c", "test:///default", commands])
            .output()
    };
    if !virsh("version").is_ok_and(|output| output.status.success()) {
        assert!(
            std::env::var_os("LOCKSTEP_NO_SKIP").is_none(),
            "not to be skipped: no virsh with a test driver here"
        );
        println!("skipped: no virsh with a test driver here");
        return;
    }
    for document in documents() {
        let file = document.file_name().unwrap().to_string_lossy().into_owned();
        if let Some((_, reason)) = DIFFERENT.iter().find(|(name, _)| *name == file) {
            println!("{file} not compared: {reason}");
            continue;
        }
        let name = file.trim_end_matches(".xml");
        let output = virsh(&format!("define {}; dumpxml --inactive {name}", document.display())).unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        let ours = DomainDef::from_xml(&std::fs::read(&document).unwrap());
        match ours {
            Ok(def) => {
                // An empty `<devices>` is written in two lines there; no reader can tell.
                let ours = def.to_xml(None).replace("<devices/>", "<devices>\n  </devices>");
                // Quotes in text are escaped there, so these are those around attributes of metadata.
                assert_eq!(ours.trim_end(), theirs.trim_end().replace('"', "'"), "{file}");
            }
            Err(error) => assert!(!output.status.success(), "{file}: only we refuse it: {error}"),
        }
    }
}
