//! Guest supervisors against the real kernel: what they isolate, what they report and what is left after each death.

mod supervisor_kit;

use driver_api::types::guest::{GuestEvent, GuestId};
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
