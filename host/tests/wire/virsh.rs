//! The same server asked by the real `virsh`.

use crate::bench::Host;
use std::process::Command;

#[test]
fn an_unmodified_virsh_is_answered() {
    if Command::new("virsh").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("LOCKSTEP_NO_SKIP").is_none(),
            "not to be skipped: virsh is not installed"
        );
        println!("skipped: virsh is not installed");
        return;
    }
    let host = Host::start();
    let uri = format!("uml+unix:///system?socket={}", host.socket("rw").display());
    let virsh = |args: &[&str]| {
        let output = Command::new("virsh")
            .env("LC_ALL", "C")
            .args(["-c", &uri])
            .args(args)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (ok, out, err) = virsh(&["version"]);
    assert!(ok && out.contains("Running hypervisor: UML 6.1.2"), "{out}{err}");
    let (ok, out, err) = virsh(&["hostname"]);
    assert!(ok && out.trim() == "fake.example", "{out}{err}");
    let (ok, out, err) = virsh(&["uri"]);
    assert!(ok && out.starts_with("uml"), "{out}{err}");
    let (ok, _, err) = virsh(&["reset", "m1"]);
    assert!(
        !ok && err.contains("not supported by the connection driver: virDomainReset"),
        "{err}"
    );
    let (ok, _, err) = virsh(&["-r", "hostname"]);
    assert!(ok, "{err}");
    let (ok, _, err) = virsh(&["-r", "destroy", "m1"]);
    assert!(!ok && err.contains("read only"), "{err}");
}
