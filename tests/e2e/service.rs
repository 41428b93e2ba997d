//! Under a service manager: sockets that are passed in, and word of how the host is doing.

use conformance::case::Case;
use conformance::host::binary;
use conformance::need::Need::{Root, Virsh};
use conformance::process::signal;
use rustix::process::Signal;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Stdio;

pub(crate) const CASES: &[Case] = &[Case {
    name: "service_manager_passes_sockets_and_hears_ready_and_stopping",
    needs: &[Root, Virsh],
    run: activated,
}];

/// What a service manager does between fork and exec, for which the pid must be known: the sockets go to 3 and 4.
const SHELL: &str =
    "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=all:look-ro exec \"$0\" serve --root \"$1\" 3<&0 4<&1 </dev/null >&2";

fn activated() {
    let root = tempfile::Builder::new()
        .prefix("ls")
        .tempdir_in("/tmp")
        .expect("a temporary folder");
    let path = |name: &str| root.path().join(name);
    let manager = UnixDatagram::bind(path("notify")).expect("a socket");
    let (all, look) = (UnixListener::bind(path("all")), UnixListener::bind(path("look")));
    let (all, look) = (all.expect("a socket"), look.expect("a socket"));
    let log = std::fs::File::create(path("log")).expect("a log");
    let mut child = std::process::Command::new("sh")
        .args(["-c", SHELL])
        .arg(binary())
        .arg(root.path())
        .env("NOTIFY_SOCKET", path("notify"))
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(all)))
        .stdout(Stdio::from(std::os::fd::OwnedFd::from(look)))
        .stderr(log)
        .spawn()
        .expect("sh runs");
    let hear = || {
        let mut text = [0_u8; 64];
        manager
            .set_read_timeout(Some(conformance::wait::PATIENCE))
            .expect("a deadline");
        let count = manager.recv(&mut text).expect("the host speaks");
        String::from_utf8_lossy(&text[..count]).into_owned()
    };
    assert_eq!(hear(), "READY=1");
    assert!(
        !path("run/lockstep/libvirt-sock").exists(),
        "it made a socket of its own"
    );
    let virsh = |socket: &str, verb: &[&str]| {
        let uri = format!("uml+unix:///system?socket={}", path(socket).display());
        let mut virsh = std::process::Command::new("virsh");
        virsh
            .args(["-q", "-c", &uri])
            .args(verb)
            .env("HOME", root.path())
            .env("LC_ALL", "C");
        let output = virsh.output().expect("virsh runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let xml = path("filter.xml");
    std::fs::write(&xml, "<filter name='f'/>").expect("a file");
    let xml = xml.to_string_lossy();
    let (done, error) = virsh("look", &["nwfilter-define", &xml]);
    assert!(!done && error.contains("read-only"), "{error}");
    let (done, error) = virsh("all", &["nwfilter-define", &xml]);
    assert!(done, "{error}");
    signal(i32::try_from(child.id()).expect("a pid fits"), Signal::TERM);
    assert_eq!(hear(), "STOPPING=1");
    let status = child.wait().expect("the host can be waited for");
    assert!(status.success(), "{status}");
    // The service manager's sockets stay for the next start.
    assert!(path("all").exists() && path("look").exists());
}
