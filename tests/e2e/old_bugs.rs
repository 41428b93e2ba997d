//! Faults of the driver that libvirt had until 2019 that only a real guest can show, one case each, named after the place in
//! the list of its faults (docs/uml-comparison.md). The others are in `uml-driver/src/driver/tests/old_bugs`.

use conformance::case::Case;
use conformance::guest::{Document, KERNEL};
use conformance::host::{Host, binary};
use conformance::need::Need::{PythonLibvirt, Root, Uml, Virsh};
use conformance::net::Net;
use conformance::process::{self, Process, signal};
use conformance::wait;
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "old_bug_0_2_no_guest_became_running",
        needs: &[Root, Uml, Virsh, PythonLibvirt],
        run: became_running,
    },
    Case {
        name: "old_bug_0_5_nothing_was_ever_valid",
        needs: &[Virsh],
        run: never_valid,
    },
    Case {
        name: "old_bug_0_6_early_orders_killed_the_guest",
        needs: &[Root, Uml, Virsh],
        run: early_orders,
    },
    Case {
        name: "old_bug_0_7_lines_opened_late_were_lost",
        needs: &[Root, Uml, Virsh],
        run: late_lines,
    },
    Case {
        name: "old_bug_0_9_killed_guests_left_processes_and_ran_for_ever",
        needs: &[Root, Uml, Virsh],
        run: killed,
    },
    Case {
        name: "old_bug_1_5_a_daemon_without_the_driver_crashed",
        needs: &[Virsh],
        run: without_driver,
    },
    Case {
        name: "old_bug_1_33_cpu_time_was_that_of_one_process",
        needs: &[Root, Uml, Virsh],
        run: cpu_time,
    },
    Case {
        name: "old_bug_1_35_changed_memory_was_lost",
        needs: &[Root, Uml, Virsh],
        run: lost_memory,
    },
    Case {
        name: "old_bug_1_43_the_kernels_words_were_thrown_away",
        needs: &[Root, Uml, Virsh],
        run: thrown_away,
    },
    Case {
        name: "old_bug_1_44_plugged_disks_were_writable_and_forgotten",
        needs: &[Root, Uml, Virsh],
        run: plugged,
    },
    Case {
        name: "old_bug_2_12_guests_ran_as_root",
        needs: &[Root, Uml, Virsh],
        run: as_root,
    },
    Case {
        name: "old_bug_2_14_readonly_disks_were_written",
        needs: &[Root, Uml, Virsh],
        run: readonly,
    },
    Case {
        name: "old_bug_2_15_paths_were_cut_and_split",
        needs: &[Root, Uml, Virsh],
        run: blanks,
    },
    Case {
        name: "old_bug_2_20_taps_could_be_taken_by_others",
        needs: &[Root, Uml, Virsh],
        run: taken_taps,
    },
    Case {
        name: "old_bug_4_10_logs_were_cut_at_each_start",
        needs: &[Root, Uml, Virsh],
        run: cut_logs,
    },
];

fn start(host: &Host, document: &Document, until: &str) {
    host.define(&document.xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    wait::until("the guest has got so far", || {
        host.console_log("vm1").contains(until).then_some(())
    });
}

/// The guest's processes, its first one first.
fn guest(host: &Host) -> Vec<Process> {
    let supervisors = host.supervisors();
    let mut all = process::descendants(supervisors[0].pid);
    all.sort_by_key(|process| process.pid);
    all
}

/// No guest was ever seen to run. Here whoever hears of its start finds it running, with its id.
fn became_running() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    let script = "import libvirt, os, threading\n\
         libvirt.virEventRegisterDefaultImpl()\n\
         c, seen = libvirt.open(os.environ['URI']), []\n\
         def told(c, d, event, detail, _):\n\
         \x20   if event == libvirt.VIR_DOMAIN_EVENT_STARTED: seen.append((d.ID(), d.state()[0]))\n\
         c.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, told, None)\n\
         d = c.lookupByName('vm1')\n\
         t = threading.Thread(target=d.create)\n\
         t.start()\n\
         while not seen: libvirt.virEventRunDefaultImpl()\n\
         t.join()\n\
         assert seen == [(1, libvirt.VIR_DOMAIN_RUNNING)], seen\n\
         d.destroy()\n";
    let _out = host.python(script).ok();
}

/// No document passed the schema: `--validate` failed and `edit` warned.
fn never_valid() {
    let host = Host::start();
    let document = host.document(&Document::new("vm1").xml());
    let _out = host.virsh(&["define", "--validate", &document.to_string_lossy()]).ok();
    let mut edit = host.virsh_command();
    edit.args(["edit", "vm1"]).env("EDITOR", "sed -i s/65536/131072/g");
    assert!(edit.output().expect("virsh runs").status.success());
    assert!(host.virsh(&["dominfo", "vm1"]).ok().contains("131072 KiB"));
}

fn disk(host: &Host, image: &Path, more: &str) -> String {
    let xml = format!(
        "<disk type='file'><source file='{}'/><target dev='ubdb'/>{more}</disk>",
        image.display()
    );
    host.document(&xml).to_string_lossy().into_owned()
}

/// A kernel answers before it has its devices, and refuses all that is said of them until then: the guest was killed.
fn early_orders() {
    let host = Host::start();
    let device = disk(&host, &image(&host, "image"), "");
    host.define(&Document::new("vm1").xml());
    for _ in 0..5 {
        let _out = host.virsh(&["start", "vm1"]).ok();
        let _out = host.virsh(&["attach-device", "vm1", &device, "--live"]).ok();
        assert!(host.virsh(&["domblklist", "vm1"]).ok().contains("ubdb"));
        let _out = host.virsh(&["destroy", "vm1"]).ok();
    }
}

/// A pty was known only once the guest had opened its line, and was asked for no longer than half a second.
fn late_lines() {
    let host = Host::start();
    let script = "read x; echo said late > /dev/ttyS0; echo guest done";
    let document = Document::new("vm1").running(script).device("<serial type='pty'/>");
    start(&host, &document, "guest ready");
    let xml = host.virsh(&["dumpxml", "vm1"]).ok();
    let serial = xml.split("<serial").nth(1).expect("a serial line");
    let path = serial.split("path='").nth(1).and_then(|rest| rest.split('\'').next());
    let path = path.expect("a path before the guest opens the line");
    let line = fs::File::options().read(true).write(true).open(path).expect("a pty");
    fs::write(host.virsh(&["ttyconsole", "vm1"]).ok().trim(), "go\n").expect("the pty takes input");
    let mut said = String::new();
    while !said.contains("said late") {
        BufReader::new(&line).read_line(&mut said).expect("the line is read");
    }
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

/// A guest that was killed left helper processes and its folder, and was shown as running for ever.
fn killed() {
    let host = Host::start();
    start(&host, &Document::new("vm1"), "guest ready");
    let before = guest(&host);
    assert!(before.len() > 1, "{before:?}");
    // The first of its PID namespace: the kernel takes all others along, and no guest code is left on the host.
    signal(before[0].pid, Signal::KILL);
    wait::until("the guest is known to be gone", || {
        (host.state("vm1") == "shut off (crashed)").then_some(())
    });
    assert!(
        before.iter().all(|process| !process::is_alive(process.pid)),
        "{before:?}"
    );
    wait::until("its supervisor has ended", || {
        host.supervisors().is_empty().then_some(())
    });
    let run = host.root().join("run/lockstep/uml");
    let left = fs::read_dir(run.join("status")).expect("a folder").count();
    assert_eq!(left, 0, "its status was left");
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

/// A daemon without the driver looked into it nevertheless.
fn without_driver() {
    let folder = tempfile::tempdir().unwrap();
    let (program, drivers) = (folder.path().join("lockstep"), folder.path().join("drivers"));
    fs::copy(binary(), &program).expect("the host can be copied");
    fs::create_dir(&drivers).unwrap();
    let mut host = Host::start_other(&program, &drivers);
    for _ in 0..3 {
        let refused = host.virsh(&["list"]).fails();
        assert!(refused.contains("uml"), "{refused}");
    }
    host.stop();
}

/// CPU time was that of the guest's first process, and a kernel whose name has a blank had none.
fn cpu_time() {
    let host = Host::start();
    let kernel = host.root().join("a kernel");
    fs::copy(KERNEL, &kernel).expect("the kernel can be copied");
    let document = Document::new("vm1")
        .kernel(&kernel.to_string_lossy())
        .running("echo busy; while :; do :; done");
    start(&host, &document, "busy");
    let first = guest(&host)[0].pid;
    let ticks = rustix::param::clock_ticks_per_second();
    wait::until("the guest has used more than its first process", || {
        let shown = host.virsh(&["domstats", "--cpu-total", "vm1"]).ok();
        let shown = shown.lines().find_map(|line| line.trim().strip_prefix("cpu.time="));
        let all: u64 = shown.expect("a time").parse().expect("a number");
        let stat = fs::read_to_string(format!("/proc/{first}/stat")).expect("the guest lives");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let own: u64 = fields[11..13]
            .iter()
            .map(|field| field.parse::<u64>().expect("a number"))
            .sum();
        // Both were read, one after the other: only much more counts.
        (all > own * (1_000_000_000 / ticks) + 1_000_000_000).then_some(())
    });
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

/// What was set was known to the daemon only as long as it lived.
fn lost_memory() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["setmaxmem", "vm1", "128M", "--config"]).ok();
    let _out = host.virsh(&["setmem", "vm1", "96M", "--config"]).ok();
    let _out = host.virsh(&["start", "vm1"]).ok();
    wait::until("the guest is ready", || {
        host.console_log("vm1").contains("guest ready").then_some(())
    });
    let _out = host.virsh(&["setmem", "vm1", "90M", "--live"]).ok();
    host.kill();
    host.serve();
    let shown = host.virsh(&["dumpxml", "vm1"]).ok();
    assert!(shown.contains("<currentMemory unit='KiB'>92160<"), "{shown}");
    let stored = host.virsh(&["dumpxml", "vm1", "--inactive"]).ok();
    for words in ["<memory unit='KiB'>131072<", "<currentMemory unit='KiB'>98304<"] {
        assert!(stored.contains(words), "no {words}: {stored}");
    }
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

/// When a guest's kernel refused a device its words were thrown away, and the client was told nothing.
fn thrown_away() {
    let host = Host::start();
    let device = disk(&host, &image(&host, "image"), "");
    let script = "read x; exec 3</dev/ubdb; echo opened; read x; exec 3<&-; echo closed";
    start(&host, &Document::new("vm1").running(script), "guest ready");
    let _out = host.virsh(&["attach-device", "vm1", &device, "--live"]).ok();
    let tty = host.virsh(&["ttyconsole", "vm1"]).ok();
    let go_on = |until| {
        fs::write(tty.trim(), "go\n").expect("the pty takes input");
        wait::until(until, || host.console_log("vm1").contains(until).then_some(()));
    };
    go_on("opened");
    let refused = host.virsh(&["detach-device", "vm1", &device, "--live"]).fails();
    assert!(refused.contains("Device is currently open"), "{refused}");
    go_on("closed");
    let _out = host.virsh(&["detach-device", "vm1", &device, "--live"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

/// A disk that was plugged in could be written whatever was asked for, nobody was told, and the next start had it not.
fn plugged() {
    let host = Host::start();
    let image = image(&host, "image");
    let device = disk(&host, &image, "<readonly/>");
    let look =
        "cat /sys/block/ubdb/ro; dd if=/dev/zero of=/dev/ubdb bs=512 count=1 conv=fsync 2>/dev/null || echo refused";
    let script = format!("read x; {look}; echo guest done");
    start(&host, &Document::new("vm1").running(&script), "guest ready");
    let mut watcher = host.virsh_command();
    watcher.args(["event", "--event", "device-added", "--loop", "--timeout", "600"]);
    let events = host.root().join("events");
    let mut watcher = watcher
        .stdout(fs::File::create(&events).unwrap())
        .spawn()
        .expect("virsh runs");
    let told = |what: &str| fs::read_to_string(&events).unwrap().contains(what);
    // A registration is not told of: events of another disk show that it is in place.
    let other = disk(&host, &self::image(&host, "other"), "");
    wait::until("the watcher sees events", || {
        let _out = host.virsh(&["attach-device", "vm1", &other, "--live"]).ok();
        let _out = host.virsh(&["detach-device", "vm1", &other, "--live"]).ok();
        told("device-added").then_some(())
    });
    let before = fs::read_to_string(&events).unwrap().len();
    let _out = host
        .virsh(&["attach-device", "vm1", &device, "--live", "--config"])
        .ok();
    wait::until("the disk is told of", || {
        (fs::read_to_string(&events).unwrap().len() > before).then_some(())
    });
    watcher.kill().expect("virsh can be ended");
    watcher.wait().expect("virsh can be waited for");
    fs::write(host.virsh(&["ttyconsole", "vm1"]).ok().trim(), "go\n").expect("the pty takes input");
    wait::until("the guest has looked", || {
        host.console_log("vm1").contains("guest done").then_some(())
    });
    assert!(
        host.console_log("vm1").contains("refused"),
        "{}",
        host.console_log("vm1")
    );
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(fs::read(&image).unwrap().iter().all(|byte| *byte == b'i'));
    let stored = host.virsh(&["dumpxml", "vm1"]).ok();
    assert!(stored.contains("ubdb") && stored.contains("<readonly/>"), "{stored}");
}

/// Guests ran as root.
fn as_root() {
    let host = Host::start();
    start(&host, &Document::new("vm1"), "guest ready");
    for process in guest(&host) {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let Some(uids) = field("Uid:") else { continue };
        assert!(uids.split_whitespace().all(|uid| uid != "0"), "{process:?}: {uids}");
        assert_eq!(field("CapEff:"), Some("0000000000000000"), "{process:?}");
        assert_eq!(field("NoNewPrivs:"), Some("1"), "{process:?}");
    }
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn image(host: &Host, name: &str) -> PathBuf {
    let image = host.root().join(name);
    fs::write(&image, vec![b'i'; 1 << 20]).expect("the image can be written");
    image
}

/// A disk that was to be read only was written.
fn readonly() {
    let host = Host::start();
    let image = image(&host, "image");
    let disk = format!(
        "<disk type='file'><source file='{}'/><target dev='ubda'/><readonly/></disk>",
        image.display()
    );
    let script = "dd if=/dev/zero of=/dev/ubda bs=512 count=1 conv=fsync || echo refused; \
                  cat /sys/block/ubda/ro; echo guest done";
    start(&host, &Document::new("vm1").running(script).device(&disk), "guest done");
    let log = host.console_log("vm1");
    assert!(log.contains("refused"), "{log}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(fs::read(&image).unwrap().iter().all(|byte| *byte == b'i'));
}

/// A path was cut at its first blank: the guest had another file.
fn blanks() {
    let host = Host::start();
    let _other = image(&host, "my");
    let path = host.root().join("my image");
    fs::write(&path, vec![b'r'; 1 << 20]).unwrap();
    let disk = format!(
        "<disk type='file'><source file='{}'/><target dev='ubda'/></disk>",
        path.display()
    );
    let script = "head -c 5 /dev/ubda; echo; echo guest done";
    start(&host, &Document::new("vm1").running(script).device(&disk), "guest done");
    assert!(host.console_log("vm1").contains("rrrrr"), "{}", host.console_log("vm1"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

/// Any user who could open the tun device could have a guest's tap before the guest had it.
fn taken_taps() {
    let net = Net::unshare();
    net.bridge("br0");
    let host = Host::start();
    let interface = "<interface type='bridge'><source bridge='br0'/><target dev='lab0'/></interface>";
    start(&host, &Document::new("vm1").device(interface), "guest ready");
    let take = || {
        Command::new("ip")
            .args(["tuntap", "add", "dev", "lab0", "mode", "tap"])
            .output()
    };
    let taken = take().expect("ip runs");
    assert!(!taken.status.success(), "the tap has two owners");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    // It was the guest's and nobody else's: it is gone.
    let shown = Command::new("ip")
        .args(["link", "show", "lab0"])
        .output()
        .expect("ip runs");
    assert!(!shown.status.success(), "the tap is left");
    assert!(take().expect("ip runs").status.success());
}

/// The log of a run that crashed was lost by the next start.
fn cut_logs() {
    let host = Host::start();
    let script = "echo run $(cat /proc/sys/kernel/random/uuid) begins; read x; echo c > /proc/sysrq-trigger";
    start(&host, &Document::new("vm1").running(script), "begins");
    fs::write(host.virsh(&["ttyconsole", "vm1"]).ok().trim(), "go\n").expect("the pty takes input");
    wait::until("the guest has crashed", || {
        (host.state("vm1") == "shut off (crashed)").then_some(())
    });
    let first = host.console_log("vm1");
    assert!(first.contains("Kernel panic"), "{first}");
    let _out = host.virsh(&["start", "vm1"]).ok();
    wait::until("the second run has begun", || {
        (host.console_log("vm1").matches(" begins").count() == 2).then_some(())
    });
    assert!(host.console_log("vm1").starts_with(&first));
    let log = host.root().join("var/log/lockstep/uml/vm1.log");
    assert_eq!(fs::metadata(log).unwrap().mode() & 0o777, 0o600);
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}
