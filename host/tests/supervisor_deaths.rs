//! Deaths of guests, supervisors and hosts against the real kernel: what is reported and what is left.

mod supervisor_kit;

use driver_api::types::guest::{GuestEvent, GuestId, GuestSpec, VisibleFile};
use lockstep::supervisor::ConsoleMode;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use supervisor_kit::{Host, need, shell};

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
    let guest_process = supervisor_kit::open(started.pid);
    host.close();
    supervisor_kit::kill(supervisor);
    // No host has done it: the kernel has.
    supervisor_kit::await_end(&guest_process);
    host.open();
    host.guests().watch(guest).unwrap();
    assert!(host.exit_of(guest).supervisor_lost);
    assert!(!supervisor_kit::exists(started.pid));
    let next = host.guests().spawn("d", &shell("true")).unwrap();
    assert!(next.guest > started.guest, "numbers are never used twice");
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
    assert_eq!(
        supervisor_kit::groups_of(host.root.path()),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    need!(
        supervisor_kit::can_run() && supervisor_kit::is_root(),
        "only root can become somebody else"
    );
    supervisor_kit::repeat_as_ordinary_user();
}
