//! Guest supervisors against the real kernel: what they isolate, what they report and what is left after each death.

mod supervisor_kit;

use driver_api::types::guest::{ConsoleSpec, GuestEvent, GuestId, GuestSpec, VisibleFile};
use lockstep::supervisor::ConsoleMode;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use supervisor_kit::{Host, shell};

/// Ends the test early, saying why, where it can not run.
macro_rules! need {
    ($condition:expr, $why:expr) => {
        if !$condition {
            eprintln!("skipped: {}", $why);
            return;
        }
    };
}

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
fn killing_takes_the_whole_tree_at_once() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let spec =
        shell("for i in 1 2 3; do (while :; do :; done) & done; trap '' TERM; echo up; while :; do sleep 1; done");
    let started = host.guests().spawn("d", &spec).unwrap();
    let guest = GuestId(started.guest);
    host.await_text(guest, "up");
    let tree = supervisor_kit::tree(started.pid);
    assert!(tree.len() >= 4, "{tree:?}");
    assert!(host.guests().forget(guest).is_err(), "it still runs");
    host.guests().kill(guest).unwrap();
    assert!(tree.iter().all(|pid| !supervisor_kit::exists(*pid)), "{tree:?}");
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    assert_eq!((exit.code, exit.signal, exit.requested), (None, Some(9), true));
    assert!(exit.console_tail.contains("up"));
}

#[test]
fn a_supervisor_that_is_killed_takes_its_guest_with_it() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let started = host
        .guests()
        .spawn("d", &shell("(while :; do :; done) & echo up; wait"))
        .unwrap();
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    host.await_text(guest, "up");
    let tree = supervisor_kit::tree(started.pid);
    supervisor_kit::kill(supervisor_kit::parent(started.pid));
    let exit = host.exit_of(guest);
    assert!(exit.supervisor_lost && !exit.requested, "{exit:?}");
    assert!(
        exit.console_tail.contains("up"),
        "the log tells the last words: {exit:?}"
    );
    assert!(tree.iter().all(|pid| !supervisor_kit::exists(*pid)), "{tree:?}");
    host.guests().forget(guest).unwrap();
}

#[test]
fn a_guest_survives_host_after_host_and_no_notification_is_lost_or_doubled() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let mut host = Host::new();
    let started = host
        .guests()
        .spawn("d", &shell("echo up; read line <&10; echo got $line; exit 3"))
        .unwrap();
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let notify = |byte: u8| supervisor_kit::notify(&started.run_dir, &[byte]);
    notify(1);
    assert_eq!(host.event(), (guest, GuestEvent::Notified(vec![1])));
    host.close();
    notify(2);
    notify(3);
    for _ in 0..3 {
        host.open();
        assert_eq!(host.guests().survivors("d").unwrap(), std::slice::from_ref(&started));
        assert_eq!(host.guests().survivors("other").unwrap(), []);
    }
    host.guests().watch(guest).unwrap();
    let mut expected = 2;
    loop {
        // The confirmation of the first one may have died with the first host.
        let (_, event) = host.event();
        if event == GuestEvent::Notified(vec![1]) {
            continue;
        }
        assert_eq!(event, GuestEvent::Notified(vec![expected]));
        expected += 1;
        if expected == 4 {
            break;
        }
    }
    host.close();
    notify(4);
    // It ends while there is no host at all.
    host.open();
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
    host.close();
    console.write_all(b"over\n").unwrap();
    console.read_to_end(&mut Vec::new()).unwrap();
    supervisor_kit::await_file(&started.run_dir.with_file_name("exit.json"));
    host.open();
    assert_eq!(host.guests().survivors("d").unwrap(), std::slice::from_ref(&started));
    host.guests().watch(guest).unwrap();
    let (_, event) = host.event();
    let GuestEvent::Exited(exit) = event else {
        panic!("{event:?}")
    };
    assert_eq!((exit.code, exit.supervisor_lost), (Some(3), false));
    assert_eq!(exit.notifications, [[1], [2], [3], [4]]);
    assert!(exit.console_tail.contains("got over"), "{exit:?}");
    let log = std::fs::read_to_string(host.root.path().join("log/d/vm.log")).unwrap();
    assert_eq!(log, "up\ngot over\n", "the log has no gap");
}

#[test]
fn a_guest_whose_supervisor_died_without_a_host_is_reported_lost() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let mut host = Host::new();
    let started = host
        .guests()
        .spawn("d", &shell("echo up; while :; do sleep 1; done"))
        .unwrap();
    let guest = GuestId(started.guest);
    host.await_text(guest, "up");
    let supervisor = supervisor_kit::parent(started.pid);
    host.close();
    supervisor_kit::kill(supervisor);
    host.open();
    host.guests().watch(guest).unwrap();
    assert!(host.exit_of(guest).supervisor_lost);
    assert!(!supervisor_kit::exists(started.pid));
    let next = host.guests().spawn("d", &shell("true")).unwrap();
    assert!(next.guest > started.guest, "numbers are never used twice");
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
            "cannot start domain 'vm': cannot find '/nonexistent/disk.img': No such file or directory",
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
    assert_eq!(supervisor_kit::groups_of(host.root.path()), Vec::<String>::new());
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

/// A guest program that writes wherever it can reach: into a file on the host's disk through the guest's device, and,
/// if it ever ran natively, into the same file by its path on the host.
fn escapist(host: &Host, folder: &std::path::Path, marker: &std::path::Path) -> GuestSpec {
    let script = format!(
        "mkdir -p {dir}; echo ready; (while :; do echo escaped >> {file}; done) & while :; do echo escaped >> {file}; done",
        dir = folder.display(),
        file = marker.display()
    );
    supervisor_kit::uml(host.root.path(), &script)
}

#[test]
fn no_guest_code_runs_on_the_host_when_the_guest_kernel_or_the_supervisor_is_killed() {
    need!(supervisor_kit::can_boot(), supervisor_kit::WHY_NO_BOOT);
    let host = Host::new();
    let folder = host.root.path().join("open-to-all");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let marker = folder.join("marker");
    for supervisor in [false, true] {
        let mut spec = escapist(&host, &folder, &marker);
        // The guest's process may even write there: only what its kernel does not do for it would be an escape.
        spec.files.push(VisibleFile {
            path: folder.clone(),
            writable: true,
        });
        let started = host.guests().spawn("d", &spec).unwrap();
        let guest = GuestId(started.guest);
        host.guests().watch(guest).unwrap();
        host.await_text(guest, "ready");
        let tree = supervisor_kit::tree(started.pid);
        assert!(tree.len() >= 4, "guest processes are there: {tree:?}");
        supervisor_kit::kill(if supervisor {
            supervisor_kit::parent(started.pid)
        } else {
            started.pid
        });
        let exit = host.exit_of(guest);
        assert_eq!(
            (exit.supervisor_lost, exit.signal),
            (supervisor, (!supervisor).then_some(9))
        );
        assert!(tree.iter().all(|pid| !supervisor_kit::exists(*pid)), "{tree:?}");
        assert!(!marker.exists(), "guest code ran on the host");
    }
}

#[test]
fn a_guest_kernel_that_panics_ends_with_its_last_words() {
    need!(supervisor_kit::can_boot(), supervisor_kit::WHY_NO_BOOT);
    let host = Host::new();
    let spec = supervisor_kit::uml(host.root.path(), "echo dying; exit 1");
    let guest = GuestId(host.guests().spawn("d", &spec).unwrap().guest);
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    assert_eq!((exit.code, exit.signal, exit.requested), (None, Some(6), false));
    assert!(
        exit.notifications
            .iter()
            .any(|note| String::from_utf8_lossy(note).contains("Attempted to kill init"))
    );
    assert!(exit.console_tail.contains("Call Trace"), "{}", exit.console_tail);
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
fn a_supervisor_that_hangs_is_killed_with_its_guest() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let mut host = Host::new();
    host.options.kill_deadline = std::time::Duration::from_secs(4);
    host.open();
    let started = host
        .guests()
        .spawn("d", &shell("echo up; while :; do sleep 1; done"))
        .unwrap();
    let guest = GuestId(started.guest);
    host.await_text(guest, "up");
    supervisor_kit::stop(supervisor_kit::parent(started.pid));
    host.guests().kill(guest).unwrap();
    assert!(!supervisor_kit::exists(started.pid));
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    assert!(exit.supervisor_lost && exit.requested, "{exit:?}");
    assert_eq!(supervisor_kit::groups_of(host.root.path()), Vec::<String>::new());
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
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = |from: &std::path::Path, name: &str| {
        let to = dir.path().join(name);
        std::fs::copy(from, &to).unwrap();
        to
    };
    let test = copy(&std::env::current_exe().unwrap(), "test");
    let program = copy(supervisor_kit::program().as_path(), "lockstep");
    let home = dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
    let output = std::process::Command::new(test)
        .env("TMPDIR", &home)
        .env(supervisor_kit::PROGRAM, program)
        .current_dir(&home)
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
