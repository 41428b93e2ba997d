//! Guest supervisors against the real kernel: what a guest's world holds, how it starts, and its consoles.

mod supervisor_kit;

use driver_api::types::guest::{ConsoleSpec, GuestEvent, GuestId, VisibleFile};
use lockstep::supervisor::ConsoleMode;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use supervisor_kit::{Host, need, shell};

#[test]
fn a_program_runs_alone_in_its_world_and_its_end_is_told() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let script = "echo me=$$; echo uid=$(id -u); echo root=$(echo /*); echo cwd=$(pwd); echo tmp=$TMPDIR; \
                  grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; cat /proc/self/personality; \
                  echo fds=$(ls /proc/self/fd | tr '\\n' ' '); touch /x; touch $TMPDIR/x && echo tmp-ok; ulimit -c; exit 7";
    let started = host.guests().spawn("d", &shell(script)).unwrap();
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    let said = exit.console_tail.replace("\r\n", "\n");
    assert_eq!(
        (exit.code, exit.signal, exit.requested),
        (Some(7), None, false),
        "{said}"
    );
    for line in [
        "me=1",
        "cwd=/run/guest",
        "tmp=/run/memory",
        "tmp-ok",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "0",
    ] {
        assert!(said.lines().any(|l| l == line), "no line '{line}' in:\n{said}");
    }
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(!said.contains("etc"), "only what was named is in the root:\n{said}");
    assert!(
        said.lines().any(|l| l.starts_with("00040000")),
        "no randomisation:\n{said}"
    );
    if supervisor_kit::is_root() {
        assert!(!said.lines().any(|l| l == "uid=0"), "{said}");
        assert_eq!(started.not_isolated, Vec::<String>::new());
    }
    host.guests().forget(guest).unwrap();
    assert!(!started.run_dir.exists());
}

#[test]
fn a_real_guest_boots_notifies_and_ends() {
    need!(supervisor_kit::can_boot(), supervisor_kit::WHY_NO_BOOT);
    let host = Host::new();
    let started = host
        .guests()
        .spawn(
            "d",
            &supervisor_kit::uml(host.root.path(), "echo up; grep MemTotal /proc/meminfo; poweroff -f"),
        )
        .unwrap();
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let (_, first) = host.event();
    let GuestEvent::Notified(note) = &first else {
        panic!("{first:?}")
    };
    assert!(
        String::from_utf8_lossy(note).contains("/run/guest/vm/mconsole"),
        "{first:?}"
    );
    let exit = host.exit_of(guest);
    assert_eq!(exit.code, Some(0), "{}", exit.console_tail);
    assert!(exit.console_tail.contains("\nup"), "{}", exit.console_tail);
    // With address randomisation a random part of this is missing.
    assert!(
        exit.console_tail.contains("MemTotal:          5"),
        "{}",
        exit.console_tail
    );
}

#[test]
fn damaged_folders_are_set_aside_and_the_host_starts() {
    let mut host = Host::new();
    host.close();
    let guests = host.root.path().join("run/guests");
    for (number, order) in [("5", "{\"id\":"), ("6", "")] {
        std::fs::create_dir(guests.join(number)).unwrap();
        std::fs::write(guests.join(number).join("order.json"), order).unwrap();
    }
    host.open();
    assert_eq!(host.guests().survivors("d").unwrap(), []);
    assert!(guests.join("5.damaged/order.json").exists() && guests.join("6.damaged").exists());
    // Another of the same number, should the counter be lost too.
    host.close();
    std::fs::create_dir(guests.join("5")).unwrap();
    std::fs::write(guests.join("5/order.json"), "{").unwrap();
    host.open();
    assert_eq!(host.guests().survivors("d").unwrap(), []);
}

#[test]
fn folder_in_which_nothing_was_ordered_yet_or_any_more_is_removed() {
    let mut host = Host::new();
    host.close();
    let guests = host.root.path().join("run/guests");
    std::fs::create_dir_all(guests.join("5/guest")).unwrap();
    std::fs::write(guests.join("5/.order.json.77"), "{\"id\":").unwrap();
    host.open();
    assert_eq!(host.guests().survivors("d").unwrap(), []);
    assert!(!guests.join("5").exists() && !guests.join("5.damaged").exists());
}

#[test]
fn a_start_that_fails_names_the_step_and_leaves_nothing() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let mut missing = shell("");
    missing.files = vec![VisibleFile {
        path: "/nonexistent/disk.img".into(),
        writable: true,
    }];
    let mut no_program = shell("");
    no_program.argv[0] = "/nonexistent/vmlinux".to_owned();
    let script = host.root.path().join("not-a-program");
    std::fs::write(&script, "just text").unwrap();
    let mut not_executable = shell("");
    not_executable.argv[0] = script.display().to_string();
    let mut relative = shell("");
    relative.argv[0] = "sh".to_owned();
    for (spec, expected) in [
        (
            missing,
            "cannot launch its guest: cannot find '/nonexistent/disk.img': No such file or directory",
        ),
        (
            no_program,
            "cannot find '/nonexistent/vmlinux': No such file or directory",
        ),
        (not_executable, "/not-a-program': Permission denied"),
        (relative, "not an absolute path"),
    ] {
        let error = host.guests().spawn("d", &spec).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let left = std::fs::read_dir(host.root.path().join("run/guests")).unwrap();
    let names: Vec<_> = left
        .map(|e| e.unwrap().file_name())
        .filter(|n| n != "claim" && n != "next-id.json")
        .collect();
    assert!(names.is_empty(), "{names:?}");
    assert_eq!(
        supervisor_kit::groups_of(host.root.path()),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn consoles_have_many_readers_one_writer_and_a_pty() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let mut spec = shell("echo early; cat <&11 >&11 & while read l; do echo \"<$l>\"; done");
    let extra = host.root.path().join("extra.log");
    spec.consoles.push(ConsoleSpec {
        alias: "serial0".into(),
        pty: true,
        log: Some(extra.clone()),
    });
    // Console 0's input is the shell's.
    spec.argv[3] = format!("exec <&10; {}", spec.argv[3]);
    let started = host.guests().spawn("d", &spec).unwrap();
    let guest = GuestId(started.guest);
    host.await_text(guest, "early");
    let open = |write, force, history| {
        host.guests()
            .open_console(guest, 0, ConsoleMode { write, force, history })
    };
    let mut reader = open(false, false, true).unwrap();
    let mut writer = open(true, false, false).unwrap();
    let busy = open(true, false, false).unwrap_err().to_string();
    assert!(busy.contains("busy"), "{busy}");
    writer.write_all(b"one\n").unwrap();
    assert_eq!(supervisor_kit::read_until(&mut reader, "<one>\n"), "early\n<one>\n");
    assert_eq!(supervisor_kit::read_until(&mut writer, "<one>\n"), "<one>\n");
    let mut second = open(true, true, false).unwrap();
    let mut last = String::new();
    writer.read_to_string(&mut last).unwrap();
    assert!(last.contains("another viewer has taken"), "{last}");
    second.write_all(b"two\n").unwrap();
    assert_eq!(supervisor_kit::read_until(&mut reader, "<two>\n"), "<two>\n");
    let mut terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&started.ptys[1])
        .unwrap();
    terminal.write_all(b"round trip\n").unwrap();
    assert_eq!(supervisor_kit::read_until(&mut terminal, "\n"), "round trip\n");
    assert_eq!(std::fs::read_to_string(extra).unwrap(), "round trip\n");
    assert!(host.guests().open_console(guest, 2, ConsoleMode::default()).is_err());
    host.guests().kill(guest).unwrap();
    assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), 0, "viewers see the end");
}

#[test]
fn a_viewer_that_never_reads_stalls_nobody() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let spec = shell(
        "read go <&10; i=0; while [ $i -lt 40000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; echo done",
    );
    let started = host.guests().spawn("d", &spec).unwrap();
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let mut slow = host
        .guests()
        .open_console(
            guest,
            0,
            ConsoleMode {
                write: true,
                ..ConsoleMode::default()
            },
        )
        .unwrap();
    slow.write_all(b"go\n").unwrap();
    assert_eq!(host.exit_of(guest).code, Some(0));
    let written: u64 = ["vm.log", "vm.log.1"]
        .iter()
        .map(|name| {
            std::fs::metadata(host.root.path().join("log/d").join(name))
                .unwrap()
                .len()
        })
        .sum();
    assert_eq!(written, 40_000 * 41 + 5, "every byte is in the log");
    let mut seen = String::new();
    slow.read_to_string(&mut seen).unwrap();
    assert!(seen.len() < 1_000_000, "{}", seen.len());
}

#[test]
fn processor_time_counts_the_whole_tree() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let spec = shell("(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); (while :; do :; done) & echo up; wait");
    let guest = GuestId(host.guests().spawn("d", &spec).unwrap().guest);
    host.await_text(guest, "up");
    assert!(host.guests().cpu_time(guest).unwrap() > 10_000_000);
    host.guests().kill(guest).unwrap();
    assert!(host.guests().cpu_time(guest).is_err());
}

#[test]
fn a_guest_reaches_files_of_other_owners_and_their_modes_stay() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let make = |name: &str, owner: u32| {
        let path = host.root.path().join(name);
        std::fs::write(&path, format!("{name}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        if supervisor_kit::is_root() {
            std::os::unix::fs::chown(&path, Some(owner), Some(owner)).unwrap();
        }
        path
    };
    let (own, other, readonly) = (make("own", 0), make("other", 1234), make("readonly", 1234));
    let script = format!(
        "cat {0} {1} {2}; echo more >> {0}; echo more >> {1}; echo more >> {2}",
        own.display(),
        other.display(),
        readonly.display()
    );
    let mut spec = shell(&script);
    let file = |path: &std::path::Path, writable| VisibleFile {
        path: path.to_owned(),
        writable,
    };
    spec.files = vec![file(&own, true), file(&other, true), file(&readonly, false)];
    let started = host.guests().spawn("d", &spec).unwrap();
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    assert!(
        exit.console_tail.starts_with("own\nother\nreadonly\n"),
        "{exit:?} {:?}",
        started.not_isolated
    );
    assert!(exit.console_tail.contains("Read-only file system"), "{exit:?}");
    for (path, content) in [
        (&own, "own\nmore\n"),
        (&other, "other\nmore\n"),
        (&readonly, "readonly\n"),
    ] {
        assert_eq!(std::fs::read_to_string(path).unwrap(), content);
        let meta = std::fs::metadata(path).unwrap();
        assert_eq!(meta.mode() & 0o777, 0o600);
        if supervisor_kit::is_root() {
            assert_eq!(meta.uid(), if path == &own { 0 } else { 1234 });
        }
    }
}

#[test]
fn a_root_with_a_very_long_path_is_no_obstacle() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let mut host = Host::new();
    host.move_to(&["deep".repeat(40), "er".repeat(80)].join("/"));
    let started = host
        .guests()
        .spawn("d", &shell("read line <&10; echo got $line"))
        .unwrap();
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let mut console = host
        .guests()
        .open_console(
            guest,
            0,
            ConsoleMode {
                write: true,
                ..ConsoleMode::default()
            },
        )
        .unwrap();
    console.write_all(b"it\n").unwrap();
    assert_eq!(host.exit_of(guest).console_tail, "got it\n");
}

#[test]
fn a_supervisor_is_small() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let mut spec = shell("echo up; while :; do sleep 1; done");
    spec.consoles.extend([
        ConsoleSpec {
            pty: true,
            ..ConsoleSpec::default()
        },
        ConsoleSpec::default(),
    ]);
    // The program's code belongs to all of them and to the host; the kernel counts it as private while only one runs.
    host.guests().spawn("d", &shell("while :; do sleep 1; done")).unwrap();
    let started = host.guests().spawn("d", &spec).unwrap();
    host.await_text(GuestId(started.guest), "up");
    let supervisor = supervisor_kit::parent(started.pid);
    let rollup = std::fs::read_to_string(format!("/proc/{supervisor}/smaps_rollup")).unwrap();
    let private: u64 = rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap())
        .sum();
    println!("a supervisor has {private} KiB of private memory");
    assert!(private <= 3 * 1024, "{rollup}");
}

#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    need!(
        supervisor_kit::can_run() && supervisor_kit::is_root(),
        "only root can become somebody else"
    );
    supervisor_kit::repeat_as_ordinary_user();
}
