//! The agent of examples/guest-agent in a guest: it tells of the guest, and it obeys.

use conformance::case::Case;
use conformance::guest::{Document, repository};
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::net::Net;
use conformance::wait;
use std::io::Write;
use std::process::{Command, Stdio};

pub(crate) const CASES: &[Case] = &[Case {
    name: "agent_tells_of_its_guest_and_obeys",
    needs: &[Root, Uml, Virsh],
    run: agent,
}];

/// The tiny guest with the agent in its image, which its boot starts.
fn guest(host: &Host) -> Document {
    let image = host.root().join("agent.cpio.gz");
    let script = "ip link set lo up; ip link set vec0 up; ip addr add 10.9.0.2/24 dev vec0; hostname box; \
                  sh /lockstep-agent 1 </dev/null >/dev/null 2>&1 & echo guest done";
    let document = Document::new("vm1")
        .running(script)
        .initrd(&image)
        .device("<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/></interface>");
    // The kernel unpacks one archive after the other.
    let folder = repository().join("examples/guest-agent");
    let mut cpio = Command::new("cpio")
        .args(["-o", "-H", "newc", "--quiet"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cpio runs");
    let mut names = cpio.stdin.take().expect("a pipe");
    names.write_all(b"lockstep-agent\n").expect("cpio reads");
    drop(names);
    let archive = cpio.wait_with_output().expect("cpio ends").stdout;
    let image = std::fs::OpenOptions::new().append(true).open(&image);
    // An archive begins at a multiple of four bytes.
    let mut image = image.expect("the image can be added to");
    let length = image.metadata().expect("a length").len();
    let gap = usize::try_from(length.next_multiple_of(4) - length).expect("a small number");
    image.write_all(&vec![0; gap]).expect("the image grows");
    image.write_all(&archive).expect("the image grows");
    document
}

fn agent() {
    let net = Net::unshare();
    net.bridge("br0");
    let host = Host::start();
    host.define(&guest(&host).xml());
    let mut watcher = host.virsh_command();
    watcher.args(["event", "--event", "agent-lifecycle", "--loop", "--timeout", "600"]);
    let events = host.root().join("events");
    watcher.stdout(std::fs::File::create(&events).unwrap());
    let mut watcher = watcher.spawn().expect("virsh runs");
    let _out = host.virsh(&["start", "vm1"]).ok();
    let shown = wait::until("the agent has told its addresses", || {
        let shown = host.virsh(&["domifaddr", "vm1", "--source", "agent"]);
        (shown.code == 0 && shown.out.contains("10.9.0.2/24")).then_some(shown.out)
    });
    assert!(shown.contains("vec0") && shown.contains("52:54:00:00:00:01"), "{shown}");
    assert!(shown.contains("127.0.0.1/8"), "{shown}");
    wait::until("it has told its name", || {
        let told = host.virsh(&["domstats", "--vm", "vm1"]);
        (told.out.contains("vm.agent.hostname=box") && told.out.contains("vm.agent.load.1m=")).then_some(())
    });
    let id = host.virsh(&["domid", "vm1"]).ok();
    let _out = host.virsh(&["reboot", "vm1", "--mode", "agent"]).ok();
    wait::until("the guest has booted again", || {
        (host.console_log("vm1").matches("guest done").count() == 2).then_some(())
    });
    assert_eq!(host.virsh(&["domid", "vm1"]).ok(), id);
    // The agent of the new run has its own greeting, and does not obey the wish of before.
    wait::until("the guest can be shut down", || {
        (host.virsh(&["shutdown", "vm1", "--mode", "agent"]).code == 0).then_some(())
    });
    wait::until("the guest is off", || {
        (host.state("vm1") == "shut off (shutdown)").then_some(())
    });
    wait::until("its agent's coming and going was told", || {
        let told = std::fs::read_to_string(&events).unwrap();
        (told.matches("disconnected").count() >= 2).then_some(())
    });
    watcher.kill().expect("virsh can be ended");
    watcher.wait().expect("virsh can be waited for");
}
