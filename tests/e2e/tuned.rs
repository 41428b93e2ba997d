//! What a document says of a guest's processes: their limits, and whose they are.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::process;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "tuned_guest_is_limited_as_its_document_says",
        needs: &[Root, Uml, Virsh],
        run: limits,
    },
    Case {
        name: "tuned_guest_that_would_be_killed_is_refused",
        needs: &[Root, Uml, Virsh],
        run: too_tight,
    },
    Case {
        name: "tuned_guest_runs_as_the_user_of_its_label",
        needs: &[Root, Uml, Virsh],
        run: label,
    },
];

fn limits() {
    let host = Host::start();
    let tune = "<vcpu cpuset='0'>1</vcpu><cputune><shares>512</shares><period>100000</period><quota>50000</quota></cputune>\
                <memtune><hard_limit unit='MiB'>256</hard_limit></memtune>";
    host.define(&Document::new("vm1").with(tune).xml());
    let answer = host.virsh(&["start", "vm1"]);
    if answer.code != 0 {
        // A machine that can not keep a limit says which.
        assert!(
            answer.err.contains("cpu_shares") || answer.err.contains("hard_limit"),
            "{}",
            answer.err
        );
        assert!(host.supervisors().is_empty());
        return;
    }
    let shown = host.virsh(&["schedinfo", "vm1", "--live"]).ok();
    for (name, value) in [
        ("cpu_shares", "512"),
        ("vcpu_period", "100000"),
        ("vcpu_quota", "50000"),
    ] {
        let line = shown
            .lines()
            .find(|line| line.trim_start().starts_with(name))
            .unwrap_or_default();
        assert!(line.ends_with(&format!(": {value}")), "no '{name}' {value} in {shown}");
    }
    let shown = host.virsh(&["memtune", "vm1", "--live"]).ok();
    assert!(shown.contains("hard_limit     : 262144"), "{shown}");
    let guest = process::descendants(host.supervisors()[0].pid);
    let status = std::fs::read_to_string(format!("/proc/{}/status", guest[0].pid)).expect("it lives");
    assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn too_tight() {
    let host = Host::start();
    let tune = "<memtune><hard_limit unit='MiB'>80</hard_limit></memtune>";
    host.define(&Document::new("vm1").with(tune).xml());
    let message = host.virsh(&["start", "vm1"]).fails();
    assert!(
        message.contains("<hard_limit> 81920 KiB, which is sure to be the guest's end"),
        "{message}"
    );
}

fn label() {
    let host = Host::start();
    let image = host.root().join("data.img");
    std::fs::write(&image, vec![b'd'; 4096]).unwrap();
    std::fs::set_permissions(&image, std::fs::Permissions::from_mode(0o600)).unwrap();
    let label = "<seclabel type='static' model='dac'><label>nobody:+4242</label></seclabel>";
    let disk = format!("<disk><source file='{}'/><target dev='ubda'/></disk>", image.display());
    let script = "mknod /dev/ubda b 98 0; echo read:$(head -c 3 /dev/ubda); sleep 1000";
    host.define(&Document::new("vm1").running(script).with(label).device(&disk).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    conformance::wait::until("the guest has read its disk", || {
        host.console_log("vm1").contains("read:ddd").then_some(())
    });
    for process in process::descendants(host.supervisors()[0].pid) {
        let status = std::fs::metadata(format!("/proc/{}", process.pid)).expect("it lives");
        assert_eq!((status.uid(), status.gid()), (65534, 4242), "{process:?}");
    }
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    let meta = std::fs::metadata(&image).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (0, 0o600), "the file is as it was");
}
