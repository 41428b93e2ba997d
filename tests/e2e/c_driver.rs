//! A driver in C: it serves as one in Rust does, and where no compiler keeps its locks in order the host does.

use conformance::case::Case;
use conformance::guest::repository;
use conformance::host::{Host, binary};
use conformance::need::Need::{Root, Virsh};
use conformance::virsh::Answer;
use conformance::wait;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "c_driver_serves_a_guests_life",
        needs: &[Root, Virsh],
        run: serves,
    },
    Case {
        name: "c_driver_that_breaks_a_lock_rule_is_out_of_service_at_once",
        needs: &[Root, Virsh],
        run: cheats,
    },
    Case {
        name: "c_driver_meets_the_profile_core_of_the_suite",
        needs: &[Root],
        run: conforms,
    },
    Case {
        name: "c_filter_driver_meets_the_profile_core_and_is_held_to_the_order_of_locks",
        needs: &[Root],
        run: filters,
    },
    Case {
        name: "c_driver_from_another_header_is_refused_by_the_tables_name",
        needs: &[Root, Virsh],
        run: other_header,
    },
];

/// Compiles the driver into a folder.
pub(crate) fn compile(folder: &Path, options: &[&str]) {
    compile_with(folder, &include(), options);
}

fn compile_with(folder: &Path, include: &Path, options: &[&str]) {
    let _library = compile_one(folder, "c-driver", include, options);
}

/// Compiles `tests/plugins/NAME/NAME.c`; where the library is.
fn compile_one(folder: &Path, name: &str, include: &Path, options: &[&str]) -> PathBuf {
    let driver = name.strip_suffix("-driver").unwrap_or(name).replace('-', "_");
    let library = folder.join(format!("lib{driver}_driver.so"));
    let output = Command::new("gcc")
        .args([
            "-std=c11", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread",
        ])
        .args(options)
        .arg("-I")
        .arg(include)
        .arg("-o")
        .arg(&library)
        .arg(repository().join(format!("tests/plugins/{name}/{name}.c")))
        .output()
        .expect("gcc runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

fn include() -> PathBuf {
    repository().join("driver-api/include")
}

/// A host with the driver.
fn host(options: &[&str]) -> (Host, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder for the driver");
    compile(folder.path(), options);
    (Host::start_other(&binary(), folder.path()), folder)
}

fn virsh_command(host: &Host, arguments: &[&str]) -> Command {
    let uri = host.uri().replace("uml+unix", "c+unix");
    let mut command = host.command("virsh");
    command.args(["-q", "-c", &uri]).args(arguments).env("LC_ALL", "C");
    command
}

fn virsh(host: &Host, arguments: &[&str]) -> Answer {
    Answer::of(&virsh_command(host, arguments).output().expect("virsh runs"))
}

type Lines = Arc<Mutex<Vec<String>>>;

/// A client that hears of events, once it is sure that it does.
fn watcher(host: &Host) -> (Child, Lines) {
    let mut watcher = virsh_command(host, &["event", "--loop", "--event", "lifecycle", "--timeout", "600"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("virsh runs");
    let output = BufReader::new(watcher.stdout.take().expect("a pipe"));
    let lines = Lines::default();
    let sink = Arc::clone(&lines);
    let _reader = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            sink.lock().expect("no reader panics").push(line);
        }
    });
    wait::until("the watcher sees events", || {
        define(host, "probe");
        let _out = virsh(host, &["undefine", "probe"]).ok();
        (!lines.lock().expect("no reader panics").is_empty()).then_some(())
    });
    (watcher, lines)
}

/// What `lockstep plugins` says of the driver.
fn plugin(host: &Host) -> serde_json::Value {
    let json = host.lockstep(&["plugins", "--json"]).ok();
    let list: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let mut all = list.as_array().expect("a list").iter();
    let one = all.find(|plugin| {
        plugin["path"]
            .as_str()
            .is_some_and(|path| path.ends_with("libc_driver.so"))
    });
    one.unwrap_or_else(|| panic!("no driver in C in {json}")).clone()
}

fn define(host: &Host, name: &str) {
    let path = host.document(&format!(
        "<domain type='c'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>2</vcpu><os><type>hvm</type></os>\
         <description>kept as it is</description></domain>"
    ));
    let _out = virsh(host, &["define", &path.to_string_lossy()]).ok();
}

fn serves() {
    let (host, _folder) = host(&[]);
    let one = plugin(&host);
    assert_eq!(one["state"], "ready", "{one}");
    assert_eq!(
        one["interfaces"],
        serde_json::json!(["driver.core/1", "virt.lifecycle/1"])
    );
    assert!(
        one["rustc"]
            .as_str()
            .is_some_and(|compiler| compiler.starts_with("gcc ")),
        "{one}"
    );

    let (mut watcher, lines) = watcher(&host);
    define(&host, "vm1");
    assert_eq!(virsh(&host, &["list", "--all", "--name"]).ok().trim(), "vm1");
    let document = virsh(&host, &["dumpxml", "vm1"]).ok();
    assert!(
        document.contains("<uuid>") && document.contains("kept as it is"),
        "{document}"
    );
    let uuid = virsh(&host, &["domuuid", "vm1"]).ok();
    let _out = virsh(&host, &["start", "vm1"]).ok();
    assert_eq!(virsh(&host, &["domname", uuid.trim()]).ok().trim(), "vm1");
    assert_eq!(
        virsh(&host, &["domstate", "--reason", "vm1"]).ok().trim(),
        "running (booted)"
    );
    let info = virsh(&host, &["dominfo", "vm1"]).ok();
    assert!(
        info.contains("65536 KiB") && info.contains("CPU(s):         2"),
        "{info}"
    );
    for (verb, why) in [
        ("start", "already active"),
        ("resume", "is running"),
        ("reboot", "the driver 'c' can not reboot a domain"),
    ] {
        let message = virsh(&host, &[verb, "vm1"]).fails();
        assert!(message.contains(why), "{message}");
    }
    let _out = virsh(&host, &["suspend", "vm1"]).ok();
    assert_eq!(
        virsh(&host, &["domstate", "--reason", "vm1"]).ok().trim(),
        "paused (user)"
    );
    let _out = virsh(&host, &["resume", "vm1"]).ok();
    let _out = virsh(&host, &["destroy", "vm1"]).ok();
    assert_eq!(
        virsh(&host, &["domstate", "--reason", "vm1"]).ok().trim(),
        "shut off (destroyed)"
    );
    let _out = virsh(&host, &["undefine", "vm1"]).ok();
    assert_eq!(virsh(&host, &["list", "--all", "--name"]).ok().trim(), "");
    assert!(
        virsh(&host, &["domstate", "vm1"])
            .fails()
            .contains("failed to get domain")
    );

    let seen = wait::until("six events have come", || {
        let lines = lines.lock().expect("no reader panics");
        let of_vm1 = lines.iter().filter(|line: &&String| line.contains("vm1"));
        let what = of_vm1.map(|line| line.rsplit(": ").next().unwrap_or_default().to_owned());
        let what: Vec<String> = what.collect();
        (what.len() >= 6).then_some(what)
    });
    assert_eq!(
        seen,
        [
            "Defined Added",
            "Started Booted",
            "Suspended Paused",
            "Resumed Unpaused",
            "Stopped Destroyed",
            "Undefined Removed"
        ]
    );
    watcher.kill().expect("the watcher can be ended");
    watcher.wait().expect("the watcher can be waited for");

    assert!(
        host.log()
            .contains("c_driver: started dom=\"vm1\" plugin=c method=\"start\""),
        "{}",
        host.log()
    );
    let one = plugin(&host);
    assert_eq!((&one["strikes"], &one["state"]), (&0.into(), &"ready".into()), "{one}");
}

fn cheats() {
    for (cheat, says) in [
        ("ORDER", "Update"),
        ("DOUBLE_RELEASE", "names no hold"),
        ("FORGED_HANDLE", "names no hold"),
        ("LEFT", "a lock was not given back"),
        ("FORGOTTEN", "Filter"),
    ] {
        let (host, _folder) = host(&[&format!("-DCHEAT={cheat}")]);
        define(&host, "vm1");
        let told = virsh(&host, &["start", "vm1"]).fails();
        let one = plugin(&host);
        let reason = one["reason"].as_str().unwrap_or_default();
        assert_eq!(one["state"], "quarantined", "{cheat}: {told}{one}");
        assert!(
            reason.starts_with("a breach of the lock rules: ") && reason.contains(says),
            "{cheat}: {reason}"
        );
        assert_eq!(
            virsh(&host, &["domstate", "vm1"]).ok().trim(),
            "shut off",
            "{cheat}: reads go on"
        );
        let refused = virsh(&host, &["start", "vm1"]).fails();
        assert!(refused.contains("plug-in 'c' is quarantined"), "{cheat}: {refused}");
        // Nothing is held, and the others serve changes that ask every driver for its ports.
        let json = host.lockstep(&["locks", "--json"]).ok();
        let status: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let locks = status["locks"].as_array().expect("a list");
        assert!(
            locks.iter().all(|lock| lock["holders"] == serde_json::json!([])),
            "{cheat}: {json}"
        );
        let _out = host.virsh(&["nwfilter-undefine", "clean-traffic"]).ok();
    }
}

fn conforms() {
    let folder = tempfile::tempdir().expect("a folder for the driver");
    compile(folder.path(), &[]);
    let config = repository().join("tests/plugins/c-driver/conformance.toml");
    let config = config.to_string_lossy();
    let report = suite(
        &["--profile", "core", "--config", &config],
        &folder.path().join("libc_driver.so"),
    );
    assert_eq!(report.code, 0, "{}{}", report.out, report.err);
    assert!(
        report.out.contains("0 failed") && !report.out.contains("skip"),
        "{}",
        report.out
    );
}

/// What the suite says of a library.
fn suite(arguments: &[&str], library: &Path) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.args(["run", "--strict"]).args(arguments).arg(library);
    Answer::of(&command.output().expect("the suite runs"))
}

fn filters() {
    let folder = tempfile::tempdir().expect("a folder for the driver");
    let library = compile_one(folder.path(), "c-filter", &include(), &[]);
    let report = suite(&["--profile", "core"], &library);
    assert_eq!(report.code, 0, "{}{}", report.out, report.err);
    assert!(
        report.out.contains("0 failed") && !report.out.contains("skip"),
        "{}",
        report.out
    );
    let library = compile_one(folder.path(), "c-filter", &include(), &["-DCHEAT"]);
    let report = suite(&["--filter", "LOCK-001"], &library);
    assert_eq!(report.code, 1, "{}{}", report.out, report.err);
    assert!(
        report
            .out
            .contains("lock order: Filter may not be acquired while Update is held"),
        "{}",
        report.out
    );
}

fn other_header() {
    let folder = tempfile::tempdir().expect("a folder for the header");
    for file in std::fs::read_dir(include()).expect("the headers") {
        let file = file.expect("a header").file_name();
        let text = std::fs::read_to_string(include().join(&file)).expect("a header");
        let text: Vec<String> = text.lines().map(other_stamp).collect();
        std::fs::write(folder.path().join(file), text.join("\n") + "\n").expect("the header can be written");
    }
    let drivers = tempfile::tempdir().expect("a folder for the driver");
    compile_with(drivers.path(), folder.path(), &[]);
    let host = Host::start_other(&binary(), drivers.path());
    let one = plugin(&host);
    assert_eq!(one["state"], "quarantined", "{one}");
    let reason = one["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("virt.lifecycle/1: made from another header, expected 168 bytes, layout 0x"),
        "{reason}"
    );
}

/// A line of the header with another stamp for `virt.lifecycle/1`.
fn other_stamp(line: &str) -> String {
    match line.strip_prefix("#define LOCKSTEP_VIRT_V1_STAMP ") {
        Some(_) => "#define LOCKSTEP_VIRT_V1_STAMP {sizeof(LockstepVirtV1), UINT64_C(0x1)}".to_owned(),
        None => line.to_owned(),
    }
}
