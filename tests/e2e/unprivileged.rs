//! An ordinary user's own host: the whole life of a guest without any right, as isolated as the kernel allows then.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::{Host, USER};
use conformance::need::Need::{Root, Uml, UserNetwork, Virsh};
use conformance::net::Net;
use conformance::{process, wait};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

// Root only to become somebody else.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "user_host_guest_lives_and_is_taken_over",
        needs: &[Root, Uml, Virsh],
        run: life,
    },
    Case {
        name: "user_guest_has_no_rights_and_no_stray_descriptors",
        needs: &[Root, Uml, Virsh],
        run: rights,
    },
    Case {
        name: "user_host_makes_no_device_and_says_so",
        needs: &[Root, Uml, Virsh],
        run: no_device,
    },
    Case {
        name: "user_guest_has_a_network_without_any_right",
        needs: &[Root, Uml, Virsh, UserNetwork],
        run: network,
    },
    Case {
        name: "user_sockets_are_the_users_alone",
        needs: &[Root, Virsh],
        run: sockets,
    },
];

fn no_device() {
    let host = Host::start_as_user();
    let document = Document::new("vm1")
        .initrd(&host.root().join("initrd"))
        .device("<interface type='ethernet'><mac address='52:54:00:00:00:01'/></interface>");
    host.define(&document.xml());
    let message = host.virsh(&["start", "vm1"]).fails();
    let words =
        "cannot make the tap 'vnet0' of interface '52:54:00:00:00:01': only a host with the right to change the";
    assert!(message.contains(words), "{message}");
    assert!(host.state("vm1").starts_with("shut off"));
}

fn network() {
    let net = Net::unshare();
    net.ip("addr add 192.0.2.1/32 dev lo");
    let outside = TcpListener::bind("192.0.2.1:0").expect("the loopback device has this address");
    let host = Host::start_as_user();
    let script = format!(
        "ip link set vec0 up; ip addr add 10.0.2.15/24 dev vec0; ip route add default via 10.0.2.2
        echo hello from the guest | nc 192.0.2.1 {}; sleep 1000",
        outside.local_addr().expect("it has one").port()
    );
    let document = Document::new("vm1")
        .initrd(&host.root().join("initrd"))
        .running(&script)
        .device("<interface type='user'/>");
    host.define(&document.xml());
    start(&host);
    let mut said = String::new();
    let (mut client, _) = outside.accept().expect("the guest connects");
    let _bytes = client.read_to_string(&mut said).expect("it speaks");
    assert_eq!(said, "hello from the guest\n");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn define(host: &Host) {
    let echo = "echo listening; while read -r line; do echo got-$line; done";
    let document = Document::new("vm1").initrd(&host.root().join("initrd")).running(echo);
    host.define(&document.xml());
}

fn start(host: &Host) {
    let _out = host.virsh(&["start", "vm1"]).ok();
}

fn life() {
    let mut host = Host::start_as_user();
    define(&host);
    start(&host);
    assert_eq!(host.state("vm1"), "running (booted)");
    let log = host.log();
    assert!(log.contains("guest processes run as the host's own user"), "{log}");
    let pty = host.virsh(&["ttyconsole", "vm1"]).ok();

    host.kill();
    host.serve();
    assert_eq!(host.state("vm1"), "running (booted)");
    assert_eq!(host.virsh(&["ttyconsole", "vm1"]).ok(), pty);
    // What is typed before the guest has opened its console is lost.
    wait::until("the guest listens", || {
        host.console_log("vm1").contains("listening").then_some(())
    });
    // A terminal whose other side the supervisor has kept over the host's death.
    std::fs::write(pty.trim(), "hello\n").expect("the console takes input");
    wait::until("the guest has answered", || {
        host.console_log("vm1").contains("got-hello").then_some(())
    });

    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "shut off (destroyed)");
    assert!(host.supervisors().is_empty());
    start(&host);
    let _out = host.virsh(&["destroy", "vm1", "--graceful"]).ok();
    let _out = host.virsh(&["undefine", "vm1"]).ok();
    host.stop();
}

fn rights() {
    let host = Host::start_as_user();
    define(&host);
    start(&host);
    let supervisor = host.supervisors()[0].pid;
    let guest = process::descendants(supervisor);
    assert!(guest.len() >= 2, "{guest:?}");
    for process in &guest {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid)).expect("it lives");
        let field = |name: &str| {
            let line = status
                .lines()
                .find(|line| line.starts_with(name))
                .expect("a field of it");
            line.split_ascii_whitespace().skip(1).collect::<Vec<_>>().join(" ")
        };
        let user = [USER; 4].map(|id| id.to_string()).join(" ");
        assert_eq!(
            [field("Uid:"), field("Gid:"), field("Groups:")],
            [user.clone(), user, String::new()]
        );
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(field(set), "0000000000000000", "{set} of {process:?}");
        }
        assert_eq!(field("NoNewPrivs:"), "1");
        for kind in ["pid", "mnt", "net", "ipc", "uts", "user"] {
            let space = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("it lives");
            assert_ne!(space(process.pid), space(host.pid()), "{kind} namespace of {process:?}");
        }
        for entry in std::fs::read_dir(format!("/proc/{}/fd", process.pid)).expect("it lives") {
            let target = std::fs::read_link(entry.expect("a descriptor").path()).unwrap_or_default();
            let root = host.root().to_string_lossy();
            assert!(
                !target.to_string_lossy().contains(&*root),
                "{target:?} is open in {process:?}"
            );
        }
    }
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn sockets() {
    let host = Host::start_as_user();
    for path in [host.socket(), host.read_only_socket()] {
        let meta = path.metadata().expect("the socket is there");
        assert_eq!((meta.permissions().mode() & 0o777, meta.uid()), (0o600, USER));
    }
    assert_eq!(host.virsh(&["list", "--all", "--name"]).ok().trim(), "");
    let system = host.uri().replace("/session", "/system");
    let refused = host.virsh(&["-c", &system, "uri"]).fails();
    assert!(refused.contains("uml:///session"), "{refused}");
}
