//! Networks of a test's own, taps in them, and a program that can ask for those.

use super::{can_run, is_root, shell};
use driver_api::types::guest::GuestSpec;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A program that can ask the kernel for anything, with what it needs shown.
pub(crate) const PERL: &str = "/usr/bin/perl";
pub(crate) const WHY_NO_NET: &str = "perl, iproute2 or busybox-static is not installed, or this user can make no taps";

/// A guest that runs a Perl script on console 0.
pub(crate) fn perl(script: &str) -> GuestSpec {
    GuestSpec {
        argv: [PERL, "-e", script].map(str::to_owned).to_vec(),
        ..shell("")
    }
}

/// Whether taps can be made in a network namespace of the test's own.
pub(crate) fn can_net() -> bool {
    can_run() && is_root() && Path::new(PERL).exists() && Path::new("/dev/net/tun").exists()
}

/// Puts this thread, and what it starts, into a network namespace of its own.
pub(crate) fn enter_network() {
    // SAFETY: no descriptor table is unshared.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
    ip("link set lo up");
}

/// Runs `ip` with these words.
pub(crate) fn ip(words: &str) {
    let output = std::process::Command::new("ip")
        .args(words.split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "ip {words}: {output:?}");
}

/// A tap of this thread's network namespace, as a guest's kernel wants it.
pub(crate) fn tap(name: &str) -> OwnedFd {
    tap_with(name, libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR)
}

/// A tap with other flags.
pub(crate) fn tap_with(name: &str, flags: libc::c_int) -> OwnedFd {
    use std::os::fd::AsRawFd;
    let tun = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .unwrap();
    let mut request = [0_u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    request[16..18].copy_from_slice(&u16::try_from(flags).unwrap().to_ne_bytes());
    // SAFETY: the kernel reads and writes a struct ifreq, which has 40 bytes.
    let done = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
    assert_eq!(done, 0, "tap {name}: {}", std::io::Error::last_os_error());
    tun.into()
}
