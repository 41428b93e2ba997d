//! Plug-ins that are broken in every way: the host lives, says why in one sentence, and the others work.

#![allow(clippy::unwrap_used, reason = "tests")]

use driver_api::driver::Config;
use driver_api::error::Result;
use driver_api::kit::loaded::Virt;
use driver_api::types::guest::{GuestEvent, GuestId};
use driver_api::types::uuid::Uuid;
use lockstep::event::Events;
use lockstep::lock::{Limits, Locks};
use lockstep::plugin::{Context, Inbox, Plugin, PluginStatus, Plugins, Rooms};
use std::path::Path;
use std::sync::{Arc, LazyLock};

mod support {
    pub(crate) mod built;
    pub(crate) mod capture;
}
use support::built::library;
use support::capture::Captured;

/// What all tests here log; one subscriber, since each thread's own would race over which callsites are enabled.
static LOG: LazyLock<Arc<Captured>> = LazyLock::new(Captured::install);

/// A host with the hello driver and one more file.
struct Host {
    plugins: Plugins,
    _folder: tempfile::TempDir,
}

impl Host {
    fn with(other: &str, content: &[u8], fault: &str) -> Self {
        LazyLock::force(&LOG);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("libhello_driver.so"), library("hello")).unwrap();
        std::fs::write(folder.path().join(other), content).unwrap();
        let locks = Locks::new(Limits::default());
        let rooms = Rooms {
            events: Events::new(&locks),
            guests: None,
            locks,
        };
        let plugins = Plugins::new(rooms, &Inbox::default());
        let options = vec![(String::from("fault"), fault.to_owned())];
        plugins.load(&[folder.path().to_path_buf()], |name| {
            Ok(config(folder.path(), name, &options))
        });
        plugins.bring_up();
        let host = Self {
            plugins,
            _folder: folder,
        };
        host.assert_hello_works();
        host
    }

    fn misbehaving(fault: &str) -> Self {
        Self::with("libmisbehave_driver.so", &library("misbehave"), fault)
    }

    fn status(&self, name: &str) -> PluginStatus {
        let all = self.plugins.status();
        all.into_iter().find(|status| status.name == name).unwrap()
    }

    /// The one sentence for a plug-in that must be quarantined.
    fn reason(&self, name: &str) -> String {
        let status = self.status(name);
        assert_eq!(status.state, "quarantined");
        let reason = status.reason.unwrap();
        assert!(
            reason.len() < 400 && !reason.contains('\n'),
            "not one short sentence: {reason}"
        );
        reason
    }

    /// Guests of one that is out of service may run all the same.
    fn assert_missing(&self, names: &[&str]) {
        assert_eq!(self.plugins.missing_virts(|_| true), names);
        assert_eq!(self.plugins.missing_virts(|_| false), [""; 0]);
    }

    fn assert_hello_works(&self) {
        let hello = self.plugins.virt("hello").unwrap();
        let uuid = Uuid::random().unwrap();
        let xml = format!("<domain><name>{uuid}</name><uuid>{uuid}</uuid></domain>");
        call(&hello, "define", |virt, call| virt.define(call, &xml, 0)).unwrap();
        call(&hello, "start", |virt, call| virt.start(call, uuid, 0)).unwrap();
        call(&hello, "destroy", |virt, call| virt.destroy(call, uuid, 0)).unwrap();
    }

    fn start(&self) -> String {
        let plugin = self.plugins.virt("misbehave").unwrap();
        let started = call(&plugin, "start", |virt, call| {
            virt.start(call, Uuid::from_bytes([7; 16]), 0)
        });
        started.unwrap_err().to_string()
    }
}

fn config(root: &Path, name: &str, options: &[(String, String)]) -> Config {
    let own = root.join(name);
    Config {
        conf_dir: own.clone(),
        state_dir: own.clone(),
        run_dir: own.clone(),
        log_dir: own,
        privileged: false,
        options: options.to_vec(),
    }
}

type Call = driver_api::abi::lock::Call;

fn call<T>(plugin: &Plugin, method: &'static str, work: impl FnOnce(Virt<'_>, Call) -> Result<T>) -> Result<T> {
    plugin.call(method, &Context::default(), |driver, call| {
        work(driver.virt().unwrap(), call)
    })
}

/// A library with some bytes exchanged for others of the same length.
fn patched(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = library(name);
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    assert!(!places.is_empty(), "nothing to exchange in {name}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// The first bytes of hello's manifest: magic, then size, major and minor.
fn head(size: u32, major: u16, minor: u16) -> Vec<u8> {
    let mut head = b"LKSTPDRV".to_vec();
    head.extend(size.to_ne_bytes());
    head.extend(major.to_ne_bytes());
    head.extend(minor.to_ne_bytes());
    head
}

#[test]
fn what_is_no_driver_is_refused_in_one_sentence() {
    use driver_api::abi::manifest::{API_MAJOR, API_MINOR, Manifest};
    let size = u32::try_from(size_of::<Manifest>()).unwrap();
    let ours = head(size, API_MAJOR, API_MINOR);
    let cases: [(Vec<u8>, &str); 6] = [
        (
            b"not a library".to_vec(),
            "the dynamic linker refuses it: file too short",
        ),
        (
            library("hello")[..4096].to_vec(),
            "the file is cut off: it is shorter than its own headers say",
        ),
        (
            patched("hello", b"LOCKSTEP_DRIVER", b"LOCKSTEP_DRIVEL"),
            "it has no manifest: not a driver for this host",
        ),
        (
            patched("hello", &ours, &head(size, 9, 2)),
            "built for driver-api 9.2; this host speaks 1.x",
        ),
        (
            patched("hello", &ours, &head(8, API_MAJOR, API_MINOR)),
            "its manifest is damaged: it is too short",
        ),
        (library("hello"), "a driver named 'hello' is loaded already, from '"),
    ];
    for (content, expected) in cases {
        let host = Host::with("libother_driver.so", &content, "");
        let all = host.plugins.status();
        let other = all
            .iter()
            .find(|status| status.path.ends_with("libother_driver.so"))
            .unwrap();
        let reason = other.reason.clone().unwrap();
        assert!(
            reason.starts_with(&format!("libother_driver.so: {expected}")),
            "{reason}"
        );
        assert!(reason.len() < 300 && !reason.contains('\n'), "{reason}");
        let served = expected.contains("is loaded already");
        host.assert_missing(if served { &[] } else { &["libother_driver.so"] });
    }
}

#[test]
fn a_newer_minor_version_is_welcome() {
    use driver_api::abi::manifest::{API_MAJOR, API_MINOR, Manifest};
    let size = u32::try_from(size_of::<Manifest>()).unwrap();
    let newer = patched(
        "misbehave",
        &head(size, API_MAJOR, API_MINOR),
        &head(size, API_MAJOR, 77),
    );
    let host = Host::with("libmisbehave_driver.so", &newer, "");
    let status = host.status("misbehave");
    assert_eq!((status.state.as_str(), status.api.as_deref()), ("ready", Some("1.77")));
}

#[test]
fn a_wrong_layout_is_told_in_one_sentence() {
    let host = Host::with("libmisfit_driver.so", &library("misfit"), "");
    let reason = host.reason("misfit");
    assert!(
        reason.starts_with("libmisfit_driver.so: built for driver-api 1."),
        "{reason}"
    );
    assert!(reason.contains("driver.core/1: "), "{reason}");
}

#[test]
fn a_driver_that_does_not_come_up_is_quarantined_with_its_own_words() {
    for (fault, expected) in [
        ("open fails", "it fails to open: open fails on purpose"),
        (
            "open panics",
            "it fails to open: plug-in 'misbehave' panicked in open: open stumbles",
        ),
        ("bring_up fails", "it fails to come up: bring_up fails on purpose"),
        (
            "bring_up panics",
            "it fails to come up: plug-in 'misbehave' panicked in bring_up: bring_up stumbles",
        ),
    ] {
        let host = Host::misbehaving(fault);
        assert_eq!(host.reason("misbehave"), format!("libmisbehave_driver.so: {expected}"));
        let refused = host.plugins.virt("misbehave").unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_panic_in_any_method_is_an_error_of_that_call_only() {
    let host = Host::misbehaving("panic");
    let plugin = host.plugins.virt("misbehave").unwrap();
    let uuid = Uuid::default();
    let cx = Context::default();
    let none: [String; 0] = [];
    macro_rules! read {
        ($($method:ident($($arg:expr),*)),+) => {[$((
            stringify!($method),
            plugin.read("test", |driver| driver.virt().unwrap().$method($($arg),*).map(drop)),
        )),+]};
    }
    macro_rules! write {
        ($($method:ident($($arg:expr),*)),+) => {[$((
            stringify!($method),
            plugin.call("test", &cx, |driver, call| driver.virt().unwrap().$method(call $(, $arg)*).map(drop)),
        )),+]};
    }
    let mut outcomes = Vec::new();
    outcomes.extend(read![
        capabilities(),
        version(),
        node_info(),
        list(),
        by_uuid(uuid),
        by_name("x"),
        by_id(1),
        cpu_time(uuid),
        dump_xml(uuid, 0)
    ]);
    outcomes.extend(write![
        define("<x/>", 0),
        create("<x/>", 0),
        undefine(uuid, 0),
        start(uuid, 0),
        shutdown(uuid, 0),
        reboot(uuid, 0),
        destroy(uuid, 0),
        suspend(uuid),
        resume(uuid),
        set_autostart(uuid, true),
        guest_event(GuestId(1), GuestEvent::Notified(Vec::new()))
    ]);
    outcomes.push((
        "autostart",
        plugin.call("test", &cx, |driver, call| driver.autostart(call)),
    ));
    outcomes.push((
        "close",
        plugin.read("test", |driver| driver.close(std::time::Duration::ZERO)),
    ));
    let count = u64::try_from(outcomes.len()).unwrap();
    for (method, outcome) in outcomes {
        let expected = format!("plug-in 'misbehave' panicked in {method}: {method} stumbles");
        assert_eq!(outcome.unwrap_err().to_string(), expected);
    }
    // Its token is of another level than this thread holds: refused before the driver is reached.
    let filtered = call(&plugin, "test", |virt, call| virt.filtered_ports(call, &none));
    assert!(filtered.unwrap_err().to_string().contains("rank 0"));
    assert_eq!(host.status("misbehave").panics, count);
    host.assert_hello_works();
}

#[test]
fn a_cheat_gets_an_error_and_never_a_lock() {
    for (fault, expected) in [
        ("transmuted token", "Update"),
        ("raw order", "Update"),
        ("forged handle", ""),
        ("forged call", ""),
        ("raw level", "250"),
        ("double release", ""),
    ] {
        let host = Host::misbehaving(fault);
        let error = host.start();
        assert!(
            error.contains(expected) && !error.contains("on purpose"),
            "{fault}: {error}"
        );
        host.assert_hello_works();
    }
}

#[test]
fn a_lock_that_is_kept_is_taken_back_and_three_times_are_too_many() {
    let host = Host::misbehaving("leak");
    host.assert_missing(&[]);
    for strike in 1..=3 {
        assert_eq!(host.start(), "start fails on purpose");
        assert_eq!(host.status("misbehave").strikes, strike);
    }
    let refused = host.start();
    assert!(refused.contains("quarantined"), "{refused}");
    assert!(host.reason("misbehave").contains("breaches of the lock rules"));
    host.assert_missing(&["misbehave"]);
    host.assert_hello_works();
}

#[test]
fn a_drivers_log_lines_stand_under_its_spans_and_those_under_the_hosts() {
    let host = Host::misbehaving("");
    let plugin = host.plugins.virt("misbehave").unwrap();
    let outer = tracing::info_span!("request", client = 3);
    let _entered = outer.enter();
    let _: Result<_> = call(&plugin, "define", |virt, call| virt.define(call, "<x/>", 0));
    let expected = "request{client=3}:plugin{plugin=misbehave method=\"define\"}:inner{depth=1}: \
                    misbehave_driver: deep inside answer=42";
    let text = LOG.text();
    assert!(text.contains(expected), "{text}");
}
