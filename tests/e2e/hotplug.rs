//! Devices that come and go, with real guests that work meanwhile.

use super::console::VirshConsole;
use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::net::Net;
use conformance::{process, wait};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "hotplug_disk_is_used_kept_while_busy_and_gone",
        needs: &[Root, Uml, Virsh],
        run: disk,
    },
    Case {
        name: "hotplug_interface_is_filtered_from_its_first_frame",
        needs: &[Root, Uml, Virsh],
        run: interface,
    },
    Case {
        name: "hotplug_interface_changes_filter_bridge_and_link",
        needs: &[Root, Uml, Virsh],
        run: update,
    },
    Case {
        name: "hotplug_lines_are_typed_into_and_logged",
        needs: &[Root, Uml, Virsh],
        run: lines,
    },
    Case {
        name: "hotplug_outlives_the_host_and_a_reboot",
        needs: &[Root, Uml, Virsh],
        run: outlives,
    },
    Case {
        name: "hotplug_of_the_definition_counts_from_the_next_start",
        needs: &[Root, Uml, Virsh],
        run: definition,
    },
];

const HOST: &str = "10.9.0.1";

/// A guest's shell on its first console.
pub(super) struct Shell(VirshConsole);

/// Numbers what shells run: a console tells again what it has told before.
static COUNT: AtomicU32 = AtomicU32::new(0);

impl Shell {
    /// Of a guest that has been started.
    pub(super) fn open(host: &Host, name: &str) -> Self {
        wait::until("the guest is ready", || {
            host.console_log(name).contains("guest ready").then_some(())
        });
        Self(VirshConsole::open_at(host, name, "guest"))
    }

    /// Runs a command and gives what it printed.
    pub(super) fn run(&mut self, command: &str) -> String {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (begin, end) = (format!("begin-{number}."), format!("end-{number}."));
        // The words are put together in the guest, so that the echo of what is typed is not taken for them.
        self.0.type_(&format!(
            "echo begin-\"\"{number}.; {command}; echo end-\"\"{number}.\n"
        ));
        wait::until(&format!("the guest has run '{command}'"), || {
            let text = self.0.text();
            let (_, after) = text.split_once(&begin)?;
            let (said, _) = after.split_once(&end)?;
            Some(said.trim().replace('\r', ""))
        })
    }

    pub(super) fn close(mut self) {
        self.0.type_("\x1d");
        let _text = self.0.ended();
    }
}

pub(super) fn start(host: &Host, document: &Document) -> Shell {
    host.define(&document.xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    Shell::open(host, "vm1")
}

/// A disk's file, which the guest's user may read and write.
pub(super) fn image(host: &Host, name: &str) -> PathBuf {
    let path = host.root().join(name);
    let file = fs::File::create(&path).expect("a file");
    file.set_len(4 << 20).expect("a length");
    path
}

pub(super) fn disk_xml(path: &Path, target: &str) -> String {
    format!(
        "<disk type='file'><source file='{}'/><target dev='{target}'/></disk>",
        path.display()
    )
}

pub(super) fn nic_xml(last: u32, more: &str) -> String {
    format!("<interface type='bridge'><mac address='52:54:00:00:00:0{last}'/><source bridge='br0'/>{more}</interface>")
}

/// `virsh attach-device` and its kin with a document.
pub(super) fn device(host: &Host, verb: &str, xml: &str, how: &[&str]) -> conformance::virsh::Answer {
    let path = host.document(xml);
    let path = path.to_string_lossy();
    let mut arguments = vec![verb, "vm1", &path];
    arguments.extend(how);
    host.virsh(&arguments)
}

pub(super) fn network() -> Net {
    let net = Net::unshare();
    net.bridge("br0");
    net.ip(&format!("addr add {HOST}/24 dev br0"));
    net
}

fn has(device: &str) -> bool {
    Path::new("/proc/sys/net/ipv4/conf").join(device).exists()
}

/// A guest that writes to its first disk for ever, and never closes it: its kernel has the file open as long as that.
pub(super) fn busy_guest(host: &Host) -> Document {
    let script =
        "(exec 3</dev/ubda; while :; do dd if=/dev/zero of=/dev/ubda bs=64k count=8 conv=fsync 2>/dev/null; done) &";
    Document::new("vm1")
        .running(script)
        .device(&disk_xml(&image(host, "a.img"), "ubda"))
}

pub(super) fn destroy(host: &Host) {
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn disk() {
    let host = Host::start();
    let mut shell = start(&host, &busy_guest(&host));
    let mut watcher = host.virsh_command();
    watcher.args(["event", "vm1", "--all", "--loop", "--timeout", "600"]);
    let events = host.root().join("events");
    watcher.stdout(fs::File::create(&events).expect("a file"));
    let mut watcher = watcher.spawn().expect("virsh runs");
    let heard = |words: &str| {
        wait::until(&format!("the client hears '{words}'"), || {
            fs::read_to_string(&events).ok()?.contains(words).then_some(())
        });
    };

    let file = image(&host, "b image.img");
    let xml = disk_xml(&file, "ubdc").replace("</disk>", "<serial>S77</serial></disk>");
    // The client may not be listening yet, so this is done until it hears of it.
    wait::until("the client hears of devices", || {
        let _out = device(&host, "attach-device", &xml, &["--live"]).ok();
        let told = fs::read_to_string(&events).unwrap_or_default().contains("device-added");
        if !told {
            let _out = device(&host, "detach-device", &xml, &["--live"]).ok();
        }
        told.then_some(())
    });
    heard("ubdc");
    assert_eq!(shell.run("cat /sys/block/ubdc/serial"), "S77");
    let _out = shell.run("echo written-by-the-guest | dd of=/dev/ubdc conv=sync,fsync 2>/dev/null");
    let bytes = fs::read(&file).expect("the file can be read");
    assert!(bytes.starts_with(b"written-by-the-guest\n"), "{:?}", &bytes[..32]);
    assert!(host.virsh(&["domblklist", "vm1"]).ok().contains("b image.img"));

    let _out = shell.run("(exec sleep 1000 </dev/ubdc) & sleep 1");
    let message = device(&host, "detach-device", &xml, &["--live"]).fails();
    for words in [
        "the guest keeps disk 'ubdc': unmount it there first",
        "Device is currently open",
    ] {
        assert!(message.contains(words), "no '{words}' in {message}");
    }
    heard("device-removal-failed");
    assert!(host.virsh(&["domblklist", "vm1"]).ok().contains("ubdc"));
    let _out = shell.run("killall sleep; sleep 1");
    let _out = host.virsh(&["detach-disk", "vm1", "ubdc", "--live"]).ok();
    heard("device-removed");
    assert!(!host.virsh(&["domblklist", "vm1"]).ok().contains("ubdc"));
    assert_eq!(shell.run("ls /sys/block | grep -c ubdc"), "0");
    // What is not there any more can be locked by others: the guest let go of it.
    let _out = device(&host, "attach-device", &disk_xml(&file, "ubdd"), &["--live"]).ok();

    // The kernel's own first disk, of a guest that was born without.
    let message = device(
        &host,
        "attach-device",
        &disk_xml(&image(&host, "c.img"), "ubda"),
        &["--live"],
    )
    .fails();
    assert!(message.contains("target 'ubda' of domain 'vm1' is taken"), "{message}");
    process::signal(
        i32::try_from(watcher.id()).expect("a pid fits"),
        rustix::process::Signal::TERM,
    );
    watcher.wait().expect("virsh ends");
    shell.close();
    destroy(&host);

    let host = Host::start();
    let shell = start(&host, &Document::new("vm1"));
    let message = device(
        &host,
        "attach-device",
        &disk_xml(&image(&host, "a.img"), "ubda"),
        &["--live"],
    )
    .fails();
    assert!(message.contains("booted without disk 'ubda'"), "{message}");
    shell.close();
    destroy(&host);
}

pub(super) const SPOOFS: &str =
    "<filterref filter='no-ip-spoofing'><parameter name='IP' value='10.9.0.2'/></filterref>";

/// What a guest's shell prints when a ping is answered.
fn ping(shell: &mut Shell, from: &str) -> bool {
    let said = shell.run(&format!(
        "ping -c 1 -W 5 -I {from} {HOST} >/dev/null && echo yes || echo no"
    ));
    said.ends_with("yes")
}

fn interface() {
    let net = network();
    let host = Host::start();
    let mut shell = start(&host, &busy_guest(&host));
    let _out = device(&host, "attach-device", &nic_xml(1, SPOOFS), &["--live"]).ok();
    assert!(has("vnet0"));
    assert!(host.virsh(&["domiflist", "vm1"]).ok().contains("vnet0"));
    assert!(host.virsh(&["nwfilter-binding-list"]).ok().contains("no-ip-spoofing"));
    let _out = shell.run("ip link set vec0 up; ip addr add 10.9.0.2/24 dev vec0; ip addr add 10.9.0.66/24 dev vec0");
    assert!(!ping(&mut shell, "10.9.0.66"), "a spoofed packet passed");
    assert!(ping(&mut shell, "10.9.0.2"));

    let message = host.virsh(&["detach-interface", "vm1", "bridge", "--live"]).fails();
    for words in ["take 'vec0' down in the guest first", "Device is currently open"] {
        assert!(message.contains(words), "no '{words}' in {message}");
    }
    assert!(ping(&mut shell, "10.9.0.2"), "a refusal changes nothing");
    let _out = shell.run("ip link set vec0 down");
    let _out = host.virsh(&["detach-interface", "vm1", "bridge", "--live"]).ok();
    assert!(!has("vnet0"));
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(!net.ruleset().contains("vnet0"));
    assert_eq!(shell.run("ls /sys/class/net | grep -c vec"), "0");

    // A filter that is not there: nothing of the attempt is left.
    let message = device(
        &host,
        "attach-device",
        &nic_xml(1, "<filterref filter='nobody'/>"),
        &["--live"],
    )
    .fails();
    assert!(message.contains("'nobody'"), "{message}");
    assert!(!has("vnet1") && !host.virsh(&["dumpxml", "vm1"]).ok().contains("<interface"));
    shell.close();
    destroy(&host);
}

fn update() {
    let net = network();
    net.bridge("br1");
    let host = Host::start();
    let document = Document::new("vm1").device(&nic_xml(1, SPOOFS));
    let mut shell = start(&host, &document);
    let _out = shell.run("ip link set vec0 up; ip addr add 10.9.0.2/24 dev vec0; ip addr add 10.9.0.66/24 dev vec0");
    assert!(ping(&mut shell, "10.9.0.2") && !ping(&mut shell, "10.9.0.66"));
    let other = SPOOFS.replace("10.9.0.2", "10.9.0.66");
    let _out = device(&host, "update-device", &nic_xml(1, &other), &["--live"]).ok();
    assert!(!ping(&mut shell, "10.9.0.2") && ping(&mut shell, "10.9.0.66"));
    let _out = device(&host, "update-device", &nic_xml(1, ""), &["--live", "--config"]).ok();
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(ping(&mut shell, "10.9.0.2"));
    let _out = host.virsh(&["domif-setlink", "vm1", "vnet0", "down"]).ok();
    assert!(!ping(&mut shell, "10.9.0.2"));
    assert!(host.virsh(&["domif-getlink", "vm1", "vnet0"]).ok().contains("down"));
    let _out = host.virsh(&["domif-setlink", "vm1", "vnet0", "up"]).ok();
    assert!(ping(&mut shell, "10.9.0.2"));
    let moved = nic_xml(1, "").replace("br0", "br1");
    let _out = device(&host, "update-device", &moved, &["--live"]).ok();
    assert!(
        !ping(&mut shell, "10.9.0.2"),
        "the host's address is on the other bridge"
    );
    assert!(host.virsh(&["domiflist", "vm1"]).ok().contains("br1"));
    let message = device(&host, "update-device", &nic_xml(1, "<mtu size='1400'/>"), &["--live"]).fails();
    assert!(message.contains("the MTU of interface"), "{message}");
    shell.close();
    destroy(&host);
}

fn lines() {
    let host = Host::start();
    let mut shell = start(&host, &busy_guest(&host));
    let log = host.root().join("serial.log");
    let serial = format!("<serial type='pty'><log file='{}'/></serial>", log.display());
    let _out = device(&host, "attach-device", &serial, &["--live"]).ok();
    let _out = shell.run("mknod /dev/ttyS0 c 4 64; (exec setsid sh </dev/ttyS0 >/dev/ttyS0 2>&1) & true");
    let arguments = "vm1 --devname serial0";
    let mut console = VirshConsole::open_at(&host, arguments, "guest#");
    console.type_("echo typed $((6 * 7))\n");
    wait::until("the line answers", || console.text().contains("typed 42").then_some(()));
    wait::until("the log has it", || {
        fs::read_to_string(&log).ok()?.contains("typed 42").then_some(())
    });
    let message = device(&host, "detach-device", &serial, &["--live"]).fails();
    assert!(message.contains("Device is already open"), "{message}");
    // The end of the guest's shell, then virsh's own, which it looks for at the beginning of what is typed.
    console.type_("exit\n");
    wait::until("the shell is told", || {
        console.text().ends_with("exit\r\n").then_some(())
    });
    console.type_("\x1d");
    let _text = console.ended();
    wait::until("the guest lets go of the line", || {
        (device(&host, "detach-device", &serial, &["--live"]).code == 0).then_some(())
    });
    assert!(!host.virsh(&["dumpxml", "vm1"]).ok().contains("<serial"));

    let _out = device(&host, "attach-device", "<console type='pty'/>", &["--live"]).ok();
    let _out = shell.run("echo second console >/dev/tty1");
    let mut second = VirshConsole::open_at(&host, "vm1 --devname console1", "second console");
    second.type_("\x1d");
    let _text = second.ended();
    let _out = host.virsh(&["detach-device-alias", "vm1", "console1", "--live"]).ok();
    // The kernel's own console stays.
    let message = host
        .virsh(&["detach-device-alias", "vm1", "console0", "--live"])
        .fails();
    assert!(message.contains("the guest keeps line 'con0'"), "{message}");
    shell.close();
    destroy(&host);
}

fn outlives() {
    let net = network();
    let mut host = Host::start();
    let document = busy_guest(&host).device(&nic_xml(9, ""));
    let mut shell = start(&host, &document);
    let file = image(&host, "b.img");
    let _out = device(&host, "attach-device", &disk_xml(&file, "ubdb"), &["--live"]).ok();
    let _out = device(&host, "attach-device", &nic_xml(1, SPOOFS), &["--live"]).ok();
    let _out = device(&host, "attach-device", "<serial type='pty'/>", &["--live"]).ok();
    let _out = device(&host, "detach-device", &nic_xml(9, ""), &["--live"]).ok();
    assert!(has("vnet1") && !has("vnet0"));
    let _out = shell.run("mknod /dev/ttyS0 c 4 64; ip link set vec1 up; ip addr add 10.9.0.2/24 dev vec1");
    shell.close();
    let before = host.virsh(&["dumpxml", "vm1"]).ok();
    for words in [
        "<alias name='net1'/>",
        "<alias name='serial0'/>",
        "<alias name='ubdb'/>",
    ] {
        assert!(before.contains(words), "no {words} in {before}");
    }
    host.kill();
    host.serve();
    assert_eq!(host.virsh(&["dumpxml", "vm1"]).ok(), before);
    let mut shell = Shell::open(&host, "vm1");
    assert!(ping(&mut shell, "10.9.0.2"));
    let _out = shell.run("echo after the crash >/dev/ttyS0");
    let mut serial = VirshConsole::open_at(&host, "vm1 --devname serial0", "after the crash");
    serial.type_("\x1d");
    let _text = serial.ended();
    shell.close();

    // A reboot of the guest keeps devices, numbers and aliases.
    let _out = host.virsh(&["reboot", "vm1"]).ok();
    wait::until("the guest has booted again", || {
        (host.console_log("vm1").matches("guest ready").count() == 2).then_some(())
    });
    wait::until("the guest runs again", || {
        let shown = host.virsh(&["dumpxml", "vm1"]).ok();
        (shown.contains("<alias name='net1'/>") && shown.contains("/dev/pts/")).then_some(())
    });
    let mut shell = Shell::open(&host, "vm1");
    assert_eq!(shell.run("ls /sys/class/net | grep vec"), "vec1");
    assert_eq!(shell.run("ls -d /sys/block/ubdb"), "/sys/block/ubdb");
    host.kill();
    host.serve();
    let _out = device(&host, "detach-device", &nic_xml(1, ""), &["--live"]).ok();
    let _out = host.virsh(&["detach-disk", "vm1", "ubdb", "--live"]).ok();
    let _out = host.virsh(&["detach-device-alias", "vm1", "serial0", "--live"]).ok();
    assert!(!has("vnet1"));
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(!net.ruleset().contains("vnet1"));
    drop(shell);
    destroy(&host);
}

fn definition() {
    let _net = network();
    let mut host = Host::start();
    host.define(&busy_guest(&host).xml());
    let file = image(&host, "b.img");
    let disk = ["attach-disk", "vm1", &file.to_string_lossy(), "ubdb", "--config"];
    let _out = host.virsh(&disk).ok();
    let message = host.virsh(&disk).fails();
    assert!(message.contains("target 'ubdb' of domain 'vm1' is taken"), "{message}");
    let message = device(&host, "attach-device", &nic_xml(1, ""), &["--live"]).fails();
    assert!(message.contains("is not running"), "{message}");
    let interface = [
        "attach-interface",
        "vm1",
        "bridge",
        "br0",
        "--mac",
        "52:54:00:00:00:01",
        "--config",
    ];
    let _out = host.virsh(&interface).ok();
    host.kill();
    host.serve();
    let _out = host.virsh(&["start", "vm1"]).ok();
    let mut shell = Shell::open(&host, "vm1");
    assert_eq!(
        shell.run("ls /sys/class/net | grep vec; ls /sys/block | grep ubdb"),
        "vec0\nubdb"
    );
    // Taken out of the definition, it stays in the guest until that is started anew.
    let _out = host.virsh(&["detach-disk", "vm1", "ubdb", "--config"]).ok();
    let _out = host.virsh(&["detach-interface", "vm1", "bridge", "--config"]).ok();
    assert!(host.virsh(&["domblklist", "vm1"]).ok().contains("ubdb"));
    let next = host.virsh(&["dumpxml", "--inactive", "vm1"]).ok();
    assert!(!next.contains("ubdb") && !next.contains("<interface"), "{next}");
    shell.close();
    destroy(&host);
    assert!(!host.virsh(&["domblklist", "vm1"]).ok().contains("ubdb"));
    let _out = host.virsh(&["start", "vm1"]).ok();
    let mut shell = Shell::open(&host, "vm1");
    assert_eq!(shell.run("ls /sys/class/net | grep vec; ls /sys/block | grep ubdb"), "");
    shell.close();
    destroy(&host);
}
