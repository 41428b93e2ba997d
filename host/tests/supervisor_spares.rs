//! Consoles that are plugged into a running guest.

#![allow(clippy::unwrap_used, reason = "test code: a panic is a verdict")]

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::{ConsoleSpec, GuestId};
use driver_api::types::launch::{Backend, Plug, Plugged, Unplug};
use lockstep::supervisor::ConsoleMode;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use supervisor_kit::{Host, Shell, need, read_until};

const VIEW: ConsoleMode = ConsoleMode {
    write: true,
    force: false,
    history: true,
};

fn with_spares(host: &Host, spare: u32) -> Shell {
    Shell::start(host, &[], |launch| {
        launch.spec.consoles[0].alias = "console0".to_owned();
        launch.spare_consoles = spare;
    })
}

fn plug(host: &Host, guest: GuestId, spec: ConsoleSpec, backend: Backend) -> driver_api::error::Result<Plugged> {
    host.guests().plug(guest, &Plug::Console(spec, backend), None)
}

fn named(alias: &str) -> ConsoleSpec {
    ConsoleSpec {
        alias: alias.to_owned(),
        ..ConsoleSpec::default()
    }
}

#[test]
fn a_spare_console_is_put_to_use_and_is_spare_again() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let mut host = Host::new();
    let mut shell = with_spares(&host, 2);
    let guest = shell.guest;
    // What the guest says there goes nowhere, and never stops it.
    assert_eq!(
        shell.run("dd if=/dev/zero bs=64k count=64 2>/dev/null >&11; echo said"),
        "said\n"
    );
    let error = host.guests().open_console(guest, 1, VIEW).unwrap_err();
    assert_eq!(error.code(), Code::INVALID_ARG);
    let (log, socket) = (host.root.path().join("serial1.log"), host.root.path().join("socket"));
    let spec = ConsoleSpec {
        pty: true,
        log: Some(log.clone()),
        ..named("serial1")
    };
    let backend = Backend::Unix {
        path: socket.clone(),
        listen: true,
    };
    let plugged = plug(&host, guest, spec.clone(), backend).unwrap();
    assert_eq!((plugged.index, plugged.descriptor), (1, 11));
    let mut terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&plugged.pty)
        .unwrap();
    let mut viewer = host.guests().open_console(guest, 1, VIEW).unwrap();
    let mut peer = UnixStream::connect(&socket).unwrap();
    assert_eq!(shell.run("echo hello >&11"), "");
    for reader in [&mut terminal as &mut dyn Read, &mut viewer, &mut peer] {
        let mut text = [0; 6];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello\n");
    }
    viewer.write_all(b"typed\n").unwrap();
    assert_eq!(shell.run("read -r line <&11; echo $line"), "typed\n");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "hello\n");
    // The next host finds it as it is.
    host.open();
    host.guests().watch(guest).unwrap();
    let error = plug(&host, guest, named("serial1"), Backend::None).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_FAILED);
    assert!(error.to_string().contains("a console 'serial1' already"), "{error}");
    let mut again = host
        .guests()
        .open_console(guest, 1, ConsoleMode { write: false, ..VIEW })
        .unwrap();
    assert_eq!(read_until(&mut again, "\n"), "hello\n");
    host.guests()
        .unplug(guest, &Unplug::Console("serial1".to_owned()))
        .unwrap();
    assert_eq!(again.read(&mut [0]).unwrap(), 0, "who looks is sent away");
    assert_eq!(viewer.read(&mut [0]).unwrap(), 0);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    assert!(!socket.exists());
    assert_eq!(
        host.guests().open_console(guest, 1, VIEW).unwrap_err().code(),
        Code::INVALID_ARG
    );
    assert_eq!(shell.run("echo secret >&11; echo ok"), "ok\n");
    assert_eq!(plug(&host, guest, named("next"), Backend::None).unwrap().descriptor, 11);
    let mut viewer = host.guests().open_console(guest, 1, VIEW).unwrap();
    assert_eq!(shell.run("echo new >&11"), "");
    assert_eq!(
        read_until(&mut viewer, "\n"),
        "new\n",
        "nothing of what was said before"
    );
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "hello\n");
}

#[test]
fn there_are_no_more_consoles_than_were_ordered() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let shell = with_spares(&host, 2);
    let guest = shell.guest;
    for (alias, descriptor) in [("one", 11), ("two", 12)] {
        assert_eq!(
            plug(&host, guest, named(alias), Backend::None).unwrap().descriptor,
            descriptor
        );
    }
    let error = plug(&host, guest, named("three"), Backend::None).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_FAILED);
    assert!(error.to_string().contains("no spare console left"), "{error}");
    host.guests().unplug(guest, &Unplug::Console("one".to_owned())).unwrap();
    // What can not be opened leaves it spare.
    let nowhere = Backend::Device {
        path: "/nowhere".into(),
    };
    let text = plug(&host, guest, named("three"), nowhere).unwrap_err().to_string();
    assert!(
        text.starts_with("cannot plug console 'three' into domain 'vm': "),
        "{text}"
    );
    assert!(
        text.contains("the device '/nowhere' for console 1: No such file"),
        "{text}"
    );
    assert_eq!(
        plug(&host, guest, named("three"), Backend::None).unwrap().descriptor,
        11
    );
    let error = host
        .guests()
        .unplug(guest, &Unplug::Console("one".to_owned()))
        .unwrap_err();
    assert_eq!(error.code(), Code::DEVICE_MISSING);
    assert!(error.to_string().contains("it has no console 'one'"), "{error}");
    // One that it was born with goes like the others.
    host.guests()
        .unplug(guest, &Unplug::Console("console0".to_owned()))
        .unwrap();
    assert_eq!(plug(&host, guest, named("four"), Backend::None).unwrap().descriptor, 10);
    let mut spec = supervisor_kit::shell("true");
    spec.consoles = vec![ConsoleSpec::default(); 3];
    let launch = driver_api::types::launch::Launch {
        spec,
        spare_consoles: 30,
        ..Default::default()
    };
    let text = host.guests().launch("d", &launch, &[]).unwrap_err().to_string();
    assert!(
        text.contains("33 consoles") && text.contains("32 is the limit"),
        "{text}"
    );
}

#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    need!(supervisor_kit::is_root(), "only root can become another user");
    supervisor_kit::repeat_as_ordinary_user();
}
