//! Guests that are born with open descriptors: they alone hold them, under the promised numbers.

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::{ConsoleSpec, DESCRIPTOR_FD, GuestId};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use supervisor_kit::{Host, need, shell};

/// Consoles up to the first descriptor's number and beyond would close what the guest is born with.
const CONSOLES: usize = 32;

#[test]
fn a_guest_is_born_with_descriptors_that_nobody_else_holds() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let (mut first, second) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let (one, two) = (DESCRIPTOR_FD, DESCRIPTOR_FD + 1);
    let script = format!(
        "echo fds=$(ls /proc/self/fd | tr '\\n' ' '); echo one >&{one}; exec {one}>&-; read line <&{two}; echo got $line"
    );
    let mut spec = shell(&script);
    spec.consoles = vec![ConsoleSpec::default(); CONSOLES];
    let guest = {
        let theirs: [BorrowedFd<'_>; 2] = [first.1.as_fd(), second.1.as_fd()];
        GuestId(host.guests().spawn_with("d", &spec, &theirs).unwrap().guest)
    };
    host.guests().watch(guest).unwrap();
    drop((first.1, second.1));
    // The end comes while the guest lives, so its supervisor and this host hold nothing.
    let mut heard = String::new();
    first.0.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "one\n");
    std::io::Write::write_all(&mut &second.0, b"two\n").unwrap();
    let exit = host.exit_of(guest);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(exit.console_tail.contains("got two"), "{exit:?}");
    let fds = exit.console_tail.lines().find(|line| line.starts_with("fds=")).unwrap();
    let mut open: Vec<i32> = fds[4..].split_whitespace().map(|fd| fd.parse().unwrap()).collect();
    open.sort_unstable();
    let consoles = 10..10 + i32::try_from(CONSOLES).unwrap();
    // 3 is the folder that `ls` looks at.
    let wanted: Vec<i32> = (0..=3).chain(consoles).chain([one, two]).collect();
    assert_eq!(open, wanted);
}

#[test]
fn more_descriptors_than_are_passed_on_are_refused() {
    let host = Host::new();
    let (end, _other) = UnixStream::pair().unwrap();
    let many = vec![end.as_fd(); 33];
    let error = host.guests().spawn_with("d", &shell("true"), &many).unwrap_err();
    assert_eq!(error.code(), Code::INVALID_ARG);
    assert!(error.to_string().contains("33 descriptors, 32 is the limit"), "{error}");
}
