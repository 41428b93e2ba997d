//! The driver of `examples/qemu-driver`, built as its author would and used by stock virsh: PC guests under emulation.

use crate::console::VirshConsole;
use conformance::case::Case;
use conformance::guest;
use conformance::host::{Host, build_dir};
use conformance::need::Need::{Qemu, Root, Storage, Virsh};
use conformance::net::Net;
use conformance::{process, wait};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "qemu_guest_lives_a_whole_life_over_the_hosts_death",
        needs: &[Root, Virsh, Qemu],
        run: whole_life,
    },
    Case {
        name: "qemu_guest_that_is_killed_has_failed_whoever_runs_then",
        needs: &[Root, Virsh, Qemu],
        run: killed,
    },
    Case {
        name: "qemu_guest_with_a_filter_can_not_spoof_and_leaves_no_rule",
        needs: &[Root, Virsh, Qemu],
        run: filtered,
    },
    Case {
        name: "qemu_guest_writes_its_disks_and_no_others",
        needs: &[Root, Virsh, Qemu, Storage],
        run: disks,
    },
    Case {
        name: "qemu_domain_comes_and_goes_as_it_was_asked_to",
        needs: &[Root, Virsh, Qemu],
        run: comes_and_goes,
    },
    Case {
        name: "qemu_start_that_fails_tells_why_and_leaves_nothing",
        needs: &[Root, Virsh, Qemu],
        run: failing,
    },
];

/// An emulated boot takes seconds on a machine that has nothing else to do.
const BOOT: Duration = Duration::from_secs(240);
const UUID: &str = "c7a5fdbd-edaf-9455-926a-d65c16db1809";
/// What a guest runs to have cards and disks, and a power button that somebody listens to when this is over.
const SET_UP: &str = "for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover \
                      virtio_net virtio_blk evdev button; do insmod /modules/$m.ko || echo lacks $m; done; \
                      mkdir -p /etc/acpi/PWRF /var/log /var/run; \
                      printf '#!/bin/sh\\npoweroff -f\\n' >/etc/acpi/PWRF/00000080; chmod 755 /etc/acpi/PWRF/00000080; acpid; \
                      until ls -l /proc/$(pidof acpid)/fd | grep -q /dev/input; do usleep 10000; done;";

/// Builds the driver as its README says; the folder that it lies in.
pub(crate) fn driver() -> PathBuf {
    let target = build_dir().with_file_name("qemu-driver");
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(guest::repository().join("examples/qemu-driver/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status();
    assert!(built.expect("cargo runs").success(), "the driver can not be built");
    target.join("debug")
}

/// The folder with a PC's kernel and its modules.
fn kernel() -> PathBuf {
    let folder = build_dir().with_file_name("pc-kernel");
    let tool = guest::repository().join("tools/pc-kernel");
    let fetched = Command::new(tool).arg(&folder).status();
    assert!(fetched.expect("tools/pc-kernel runs").success(), "there is no kernel");
    folder
}

fn start_host() -> Host {
    Host::start_driver("qemu", &driver())
}

/// A domain that boots the tiny guest, which runs `script` after it has set itself up.
fn document(host: &Host, script: &str, devices: &str) -> String {
    let kernel = kernel();
    let found = std::fs::read_dir(kernel.join("modules")).expect("there are modules");
    let modules: Vec<(String, PathBuf)> = found
        .flatten()
        .map(|file| (format!("modules/{}", file.file_name().to_string_lossy()), file.path()))
        .collect();
    let modules: Vec<(&str, &Path)> = modules
        .iter()
        .map(|(path, file)| (path.as_str(), file.as_path()))
        .collect();
    let initrd = guest::image_with(host.root(), &modules);
    format!(
        "<domain type='qemu'><name>vm1</name><uuid>{UUID}</uuid><memory unit='MiB'>128</memory>\
         <os><type arch='x86_64' machine='pc'>hvm</type><kernel>{}</kernel><initrd>{}</initrd>\
         <cmdline>console=ttyS0 quiet guest.run={}</cmdline></os>\
         <devices><console type='pty'/>{devices}</devices></domain>",
        kernel.join("vmlinuz").display(),
        initrd.display(),
        guest::base64(format!("{SET_UP} {script}").as_bytes())
    )
}

fn boot(host: &Host, script: &str, devices: &str) {
    host.define(&document(host, script, devices));
    let _out = host.virsh(&["start", "vm1"]).ok();
    says(host, "guest ready");
}

/// Waits until the guest has said something so often.
fn says_times(host: &Host, words: &str, times: usize) {
    wait::within(BOOT, &format!("the guest says '{words}' {times} times"), || {
        (host.console_log("vm1").matches(words).count() >= times).then_some(())
    });
}

fn says(host: &Host, words: &str) {
    says_times(host, words, 1);
}

fn reaches(host: &Host, state: &str) {
    wait::within(BOOT, &format!("the domain is '{state}'"), || {
        (host.state("vm1") == state).then_some(())
    });
}

/// The first process of the guest.
fn emulator() -> i32 {
    let me = i32::try_from(std::process::id()).expect("a pid fits");
    let found = process::descendants(me);
    let qemu = found
        .iter()
        .find(|process| process.command.starts_with("/usr/bin/qemu-system-x86_64"));
    qemu.expect("the guest runs").pid
}

/// Nothing that belongs to a guest is left in the driver's run folder.
fn nothing_left(host: &Host) {
    let left = std::fs::read_dir(host.root().join("run/lockstep/qemu")).expect("the folder is there");
    let left: Vec<_> = left
        .flatten()
        .map(|file| file.file_name())
        .filter(|name| name != "autostarted" && name != "next-id")
        .collect();
    assert!(left.is_empty(), "{left:?}");
    wait::until("the guest's supervisor is gone", || {
        host.supervisors().is_empty().then_some(())
    });
}

fn whole_life() {
    let mut host = start_host();
    boot(&host, "echo set up", "");
    says(&host, "set up");
    assert!(
        !host.console_log("vm1").contains("lacks"),
        "{}",
        host.console_log("vm1")
    );
    assert_eq!(host.state("vm1"), "running (booted)");
    let live = host.virsh(&["dumpxml", "vm1"]).ok();
    assert!(
        live.contains("<domain type='qemu' id='1'>") && live.contains("tty='/dev/pts/"),
        "{live}"
    );
    let mut console = VirshConsole::open_at(&host, "vm1", "guest ready");
    console.type_("echo sum $((40 + 2))\n");
    wait::within(BOOT, "virsh shows the answer", || {
        console.text().contains("sum 42").then_some(())
    });
    console.type_("\x1d");
    let _text = console.ended();

    let _out = host.virsh(&["suspend", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "paused (user)");
    let message = host.virsh(&["shutdown", "vm1"]).fails();
    assert!(
        message.contains("is paused and can not react: resume it first"),
        "{message}"
    );
    let qemu = emulator();
    host.kill();
    host.serve();
    assert_eq!((host.state("vm1").as_str(), emulator()), ("paused (user)", qemu));
    assert_eq!(host.virsh(&["domid", "vm1"]).ok().trim(), "1");
    let _out = host.virsh(&["resume", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "running (unpaused)");

    let _out = host.virsh(&["reboot", "vm1"]).ok();
    says_times(&host, "set up", 2);
    assert_eq!(host.virsh(&["domid", "vm1"]).ok().trim(), "1", "it is the same guest");
    let _out = host.virsh(&["shutdown", "vm1", "--mode", "acpi"]).ok();
    reaches(&host, "shut off (shutdown)");
    nothing_left(&host);
    let _out = host.virsh(&["undefine", "vm1"]).ok();
    assert_eq!(host.virsh(&["list", "--all"]).ok().trim(), "");
}

fn killed() {
    let mut host = start_host();
    let watcher = Watcher::of(&host);
    boot(&host, "", "");
    process::signal(emulator(), Signal::KILL);
    reaches(&host, "shut off (crashed)");
    nothing_left(&host);
    let seen = wait::until("the guest's end is told", || {
        let seen = watcher.seen();
        (seen.len() >= 3).then_some(seen)
    });
    assert_eq!(seen, ["Defined Added", "Started Booted", "Stopped Failed"]);
    watcher.end();
    // The same while no host runs.
    let _out = host.virsh(&["start", "vm1"]).ok();
    let qemu = emulator();
    host.kill();
    process::signal(qemu, Signal::KILL);
    wait::until("the guest is gone", || (!process::is_alive(qemu)).then_some(()));
    host.serve();
    reaches(&host, "shut off (crashed)");
    nothing_left(&host);
}

/// A virsh that prints what happens to domains.
struct Watcher {
    virsh: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Watcher {
    fn of(host: &Host) -> Self {
        let mut virsh = host
            .virsh_command()
            .args(["event", "--loop", "--event", "lifecycle", "--timeout", "600"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("virsh runs");
        let output = BufReader::new(virsh.stdout.take().expect("a pipe"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                sink.lock().expect("no reader panics").push(line);
            }
        });
        // The registration has no answer that virsh shows; the first event proves that it is in place.
        wait::until("the watcher sees events", || {
            let probe = "<domain type='qemu'><name>probe</name><memory>4096</memory><os><type>hvm</type></os></domain>";
            host.define(probe);
            let _out = host.virsh(&["undefine", "probe"]).ok();
            (!lines.lock().expect("no reader panics").is_empty()).then_some(())
        });
        Self { virsh, lines, reader }
    }

    /// What has happened to the guest.
    fn seen(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("no reader panics");
        let of_guest = lines.iter().filter(|line| line.contains("vm1"));
        of_guest
            .map(|line| line.rsplit(": ").next().unwrap_or_default().to_owned())
            .collect()
    }

    fn end(mut self) {
        self.virsh.kill().expect("virsh can be ended");
        let _status = self.virsh.wait().expect("virsh can be waited for");
        self.reader.join().expect("the reader ends");
    }
}

fn filtered() {
    let net = Net::unshare();
    net.bridge("br0");
    net.ip("addr add 10.9.0.1/24 dev br0");
    let mut host = start_host();
    let ping = |word: &str| format!("ping -c 1 -W 5 10.9.0.1 >/dev/null && echo {word} yes || echo {word} no;");
    let script = format!(
        "ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up; {} \
         ip link set eth0 down; ip link set eth0 address 52:54:00:00:00:66; ip link set eth0 up; {}",
        ping("own"),
        ping("other")
    );
    let interface = "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>\
                     <filterref filter='clean-traffic'><parameter name='IP' value='10.9.0.2'/></filterref></interface>";
    boot(&host, &script, interface);
    assert!(host.virsh(&["domiflist", "vm1"]).ok().contains("qtap1-0"));
    let bindings = host.virsh(&["nwfilter-binding-list"]).ok();
    assert!(
        bindings.contains("qtap1-0") && bindings.contains("clean-traffic"),
        "{bindings}"
    );
    assert!(net.ruleset().contains("qtap1-0"), "{}", net.ruleset());
    says(&host, "own yes");
    says(&host, "other no");
    // The next host knows whose port it is.
    host.kill();
    host.serve();
    assert!(host.virsh(&["nwfilter-binding-list"]).ok().contains("qtap1-0"));
    let message = host.virsh(&["nwfilter-undefine", "clean-traffic"]).fails();
    assert!(message.contains("qtap1-0"), "{message}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(!net.ruleset().contains("qtap1-0"), "{}", net.ruleset());
    assert!(
        !Path::new("/proc/sys/net/ipv4/conf/qtap1-0").exists(),
        "the tap goes with its guest"
    );
    nothing_left(&host);
}

fn disks() {
    let host = start_host();
    let (raw, qcow2) = (host.root().join("raw.img"), host.root().join("more.qcow2"));
    std::fs::write(&raw, vec![0; 1 << 20]).expect("an image");
    let made = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2"])
        .arg(&qcow2)
        .arg("1M")
        .status();
    assert!(made.expect("qemu-img runs").success());
    let disk = |path: &Path, format: &str, target: &str, more: &str| {
        format!(
            "<disk type='file' device='disk'><driver name='qemu' type='{format}'/><source file='{}'/>\
             <target dev='{target}' bus='virtio'/>{more}</disk>",
            path.display()
        )
    };
    let devices = disk(&raw, "raw", "vda", "") + &disk(&qcow2, "qcow2", "vdb", "<readonly/>");
    let script = "printf written | dd of=/dev/vda conv=notrunc && sync && echo vda done; \
                  blockdev --getsize64 /dev/vdb; blockdev --getro /dev/vdb; poweroff -f";
    host.define(&document(&host, script, &devices));
    let _out = host.virsh(&["start", "vm1"]).ok();
    reaches(&host, "shut off (shutdown)");
    let log = host.console_log("vm1");
    assert!(log.contains("vda done") && log.contains("1048576\r\n1\r\n"), "{log}");
    assert!(std::fs::read(&raw).expect("the image").starts_with(b"written"));
    nothing_left(&host);
}

fn comes_and_goes() {
    // No kernel: what is tried here needs no guest that has booted.
    let plain = |memory: u32| {
        format!(
            "<domain type='qemu'><name>vm1</name><uuid>{UUID}</uuid><memory>{memory}</memory><os><type>hvm</type></os></domain>"
        )
    };
    let mut host = start_host();
    let _out = host
        .virsh(&["create", &host.document(&plain(65_536)).to_string_lossy()])
        .ok();
    assert!(host.virsh(&["dominfo", "vm1"]).ok().contains("Persistent:     no"));
    assert!(
        host.virsh(&["autostart", "vm1"])
            .fails()
            .contains("it goes with its guest")
    );
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.virsh(&["list", "--all"]).ok().trim(), "");

    host.define(&plain(65_536));
    let _out = host.virsh(&["autostart", "vm1"]).ok();
    host.stop();
    host.serve();
    assert_eq!(
        host.state("vm1"),
        "shut off (unknown)",
        "the machine has not booted since"
    );
    host.stop();
    // As a boot of the machine leaves it.
    std::fs::remove_dir_all(host.root().join("run/lockstep/qemu")).expect("the folder is there");
    host.serve();
    wait::until("the domain has started", || {
        (host.state("vm1") == "running (booted)").then_some(())
    });

    // What runs stays as it is.
    host.define(&plain(131_072));
    assert!(host.virsh(&["dumpxml", "vm1"]).ok().contains(">65536<"));
    assert!(host.virsh(&["dumpxml", "--inactive", "vm1"]).ok().contains(">131072<"));
    let _out = host.virsh(&["undefine", "vm1"]).ok();
    host.kill();
    host.serve();
    assert_eq!(host.state("vm1"), "running (booted)");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.virsh(&["list", "--all"]).ok().trim(), "");
    nothing_left(&host);
}

fn failing() {
    let net = Net::unshare();
    let host = start_host();
    let unknown = document(&host, "", "<sound model='ich6'/>");
    let path = host.document(&unknown);
    let message = host.virsh(&["define", &path.to_string_lossy()]).fails();
    assert!(message.contains("unknown element <sound> in <devices>"), "{message}");
    assert_eq!(host.virsh(&["list", "--all"]).ok().trim(), "");

    let damaged = host.root().join("damaged.qcow2");
    std::fs::write(&damaged, "no image at all").expect("a file");
    let filter = "<interface type='ethernet'><mac address='52:54:00:00:00:01'/><filterref filter='no-mac-spoofing'/></interface>";
    let disk = format!(
        "<disk><driver type='qcow2'/><source file='{}'/><target dev='vda'/></disk>",
        damaged.display()
    );
    host.define(&document(&host, "", &format!("{filter}{disk}")));
    let message = host.virsh(&["start", "vm1"]).fails();
    for words in [
        "cannot start domain 'vm1'",
        "last words",
        "Image is not in qcow2 format",
    ] {
        assert!(message.contains(words), "no '{words}' in {message}");
    }
    assert_eq!(host.state("vm1"), "shut off (failed)");
    nothing_left(&host);
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(!net.ruleset().contains("qtap"), "{}", net.ruleset());

    host.define(&document(&host, "", &filter.replace("no-mac-spoofing", "nobody")));
    let message = host.virsh(&["start", "vm1"]).fails();
    assert!(
        message.contains("cannot filter interface '52:54:00:00:00:01'"),
        "{message}"
    );
    nothing_left(&host);
    // Nothing of a failure is in the way of a start that can succeed.
    host.define(&document(
        &host,
        "",
        &filter.replace("no-mac-spoofing", "no-ip-spoofing"),
    ));
    let _out = host.virsh(&["start", "vm1", "--paused"]).ok();
    assert_eq!(host.state("vm1"), "paused (user)");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "shut off (destroyed)");
    nothing_left(&host);
}
