//! The user of a guest, chosen by who orders it.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which end by panic")]

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::{GuestId, VisibleFile};
use driver_api::types::launch::Launch;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use supervisor_kit::{Host, need, shell};

fn launch(script: &str, user: (u32, u32)) -> Launch {
    Launch {
        spec: shell(script),
        user: Some(user),
        ..Launch::default()
    }
}

#[test]
fn a_guest_runs_as_the_user_that_was_asked_for_and_reaches_its_files() {
    need!(
        supervisor_kit::can_run() && supervisor_kit::is_root(),
        "only root can become another user"
    );
    let host = Host::new();
    let disk = host.root.path().join("disk");
    std::fs::write(&disk, "content\n").unwrap();
    std::fs::set_permissions(&disk, std::fs::Permissions::from_mode(0o600)).unwrap();
    let script = format!(
        "echo user=$(id -u):$(id -g); cat {0}; echo more >> {0}; grep -E 'CapEff|CapBnd' /proc/self/status",
        disk.display()
    );
    let mut launch = launch(&script, (4321, 8765));
    launch.spec.files = vec![VisibleFile {
        path: disk.clone(),
        writable: true,
    }];
    let started = host.guests().launch("d", &launch, &[]).unwrap();
    assert_eq!(started.not_isolated, Vec::<String>::new());
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    for line in [
        "user=4321:8765",
        "content",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
    ] {
        assert!(
            exit.console_tail.lines().any(|l| l == line),
            "no '{line}' in {}",
            exit.console_tail
        );
    }
    assert_eq!(std::fs::read_to_string(&disk).unwrap(), "content\nmore\n");
    let meta = std::fs::metadata(&disk).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (0, 0), "the file's owner stays");
}

#[test]
fn another_user_than_its_own_is_refused_by_an_ordinary_host() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    // As root, by the ordinary user below.
    if supervisor_kit::is_root() {
        return;
    }
    let host = Host::new();
    let own = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let error = host.guests().launch("d", &launch("", (1, 1)), &[]).unwrap_err();
    assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
    let expected = format!(
        "run the guest as user 1 and group 1: this host is not root and has only its own user {}",
        own.0
    );
    assert!(error.to_string().contains(&expected), "{error}");
    let started = host.guests().launch("d", &launch("", own), &[]).unwrap();
    host.guests().watch(GuestId(started.guest)).unwrap();
    assert_eq!(host.exit_of(GuestId(started.guest)).code, Some(0));
}

#[test]
fn users_for_an_ordinary_user() {
    need!(
        supervisor_kit::can_run() && supervisor_kit::is_root(),
        "only root can become another"
    );
    supervisor_kit::repeat_as_ordinary_user();
}
