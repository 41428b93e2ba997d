//! What else can be done with a domain: reset, rename, looking into its disks, and seeing that its kernel hangs.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{PythonLibvirt, Root, Uml, Virsh};
use conformance::process::{self, signal};
use conformance::wait;
use rustix::process::Signal;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "guest_that_hangs_is_shown_and_recovers",
        needs: &[Root, Uml, Virsh],
        run: hangs,
    },
    Case {
        name: "guest_reset_keeps_its_id_and_its_log",
        needs: &[Root, Uml, Virsh],
        run: reset,
    },
    Case {
        name: "domain_renamed_is_the_same_after_a_crash_of_the_host",
        needs: &[Root, Uml, Virsh],
        run: renamed,
    },
    Case {
        name: "disk_is_looked_into_through_its_copy_on_write_file",
        needs: &[Root, Uml, Virsh, PythonLibvirt],
        run: peeked,
    },
    Case {
        name: "panic_is_told_in_the_kernels_words",
        needs: &[Root, Uml, Virsh],
        run: panicked,
    },
    Case {
        name: "domain_shut_down_is_not_started_again_with_the_host",
        needs: &[Root, Uml, Virsh],
        run: stays_off,
    },
];

fn ready(host: &Host, name: &str, times: usize) {
    wait::until("the guest is ready", || {
        (host.console_log(name).matches("guest ready").count() >= times).then_some(())
    });
}

fn hangs() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("lockstep.toml");
    std::fs::write(&config, "[driver.uml]\nhang_after = 1\n").unwrap();
    let host = Host::start_with(&["--config", &config.to_string_lossy()]);
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    assert_eq!(host.virsh(&["domcontrol", "vm1"]).ok().trim(), "ok");
    let guest = process::descendants(host.supervisors()[0].pid);
    let all = |what| guest.iter().for_each(|process| signal(process.pid, what));
    all(Signal::STOP);
    wait::until("the guest is shown as hung", || {
        let control = host.virsh(&["domcontrol", "vm1"]).ok();
        control.contains("error").then_some(())
    });
    assert_eq!(host.state("vm1"), "running (booted)");
    assert!(host.virsh(&["dominfo", "vm1"]).ok().contains("hung"));
    assert!(host.log().contains("does not answer: it hangs"));
    all(Signal::CONT);
    wait::until("the guest answers again", || {
        (host.virsh(&["domcontrol", "vm1"]).ok().trim() == "ok").then_some(())
    });
    assert!(!host.virsh(&["dominfo", "vm1"]).ok().contains("hung"));
    assert!(host.log().contains("answers again"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn reset() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    assert!(host.virsh(&["reset", "vm1"]).fails().contains("not running"));
    let _out = host.virsh(&["start", "vm1"]).ok();
    ready(&host, "vm1", 1);
    let before: Vec<i32> = host.supervisors().iter().map(|supervisor| supervisor.pid).collect();
    let _out = host.virsh(&["reset", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "running (booted)");
    assert_eq!(host.virsh(&["domid", "vm1"]).ok().trim(), "1");
    let after: Vec<i32> = host.supervisors().iter().map(|supervisor| supervisor.pid).collect();
    assert!(after.len() == 1 && after != before, "{before:?} {after:?}");
    // The log goes on where the last run ended.
    ready(&host, "vm1", 2);
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn renamed() {
    let mut host = Host::start();
    host.define(&Document::new("old").xml());
    let uuid = host.virsh(&["domuuid", "old"]).ok();
    let _out = host.virsh(&["domrename", "old", "new"]).ok();
    host.kill();
    host.serve();
    assert_eq!(host.virsh(&["list", "--all", "--name"]).ok().trim(), "new");
    assert_eq!(host.virsh(&["domuuid", "new"]).ok(), uuid);
    let _out = host.virsh(&["start", "new"]).ok();
    assert!(host.virsh(&["domrename", "new", "newer"]).fails().contains("new"));
    let _out = host.virsh(&["destroy", "new"]).ok();
    host.define(&Document::new("other").xml());
    let taken = host.virsh(&["domrename", "new", "other"]).fails();
    assert!(taken.contains("'other'"), "{taken}");
    let definitions = host.root().join("etc/lockstep/uml");
    assert!(definitions.join("new.xml").exists() && !definitions.join("old.xml").exists());
}

fn peeked() {
    let host = Host::start();
    let root = host.root();
    let (base, cow) = (root.join("base"), root.join("cow"));
    std::fs::write(&base, vec![b'b'; 1 << 20]).unwrap();
    let disk = format!(
        "<disk type='file'><driver name='uml' type='cow'/><source file='{}'/><target dev='ubda'/>\
         <backingStore type='file'><format type='raw'/><source file='{}'/></backingStore></disk>",
        cow.display(),
        base.display()
    );
    let script = "printf written | dd of=/dev/ubda bs=1 seek=100000 conv=notrunc 2>/dev/null; sync; echo guest done";
    host.define(&Document::new("vm1").running(script).device(&disk).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    wait::until("the guest has written", || {
        host.console_log("vm1").contains("guest done").then_some(())
    });
    let script = format!(
        "import libvirt, os\n\
         d = libvirt.open(os.environ['URI']).lookupByName('vm1')\n\
         assert d.blockPeek('ubda', 99998, 12, 0) == b'bbwrittenbbb', d.blockPeek('ubda', 99998, 12, 0)\n\
         assert d.blockPeek('{}', 0, 4, 0) == b'bbbb'\n\
         for disk, offset in (('ubda', 1048575), ('ubdb', 0), ('/etc/passwd', 0)):\n\
         \x20   try: d.blockPeek(disk, offset, 2, 0)\n\
         \x20   except libvirt.libvirtError: pass\n\
         \x20   else: raise SystemExit(disk)\n",
        cow.display()
    );
    let _out = host.python(&script).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(std::fs::read(&base).unwrap(), vec![b'b'; 1 << 20]);
}

fn panicked() {
    let host = Host::start();
    let script = "read x; echo c > /proc/sysrq-trigger";
    host.define(&Document::new("vm1").running(script).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    ready(&host, "vm1", 1);
    std::fs::write(host.virsh(&["ttyconsole", "vm1"]).ok().trim(), "go\n").expect("the pty takes input");
    wait::until("the guest has crashed", || {
        (host.state("vm1") == "shut off (crashed)").then_some(())
    });
    let told = host.virsh(&["dominfo", "vm1"]).ok();
    assert!(told.contains("panicked ('sysrq triggered crash')"), "{told}");
    assert!(host.log().contains("sysrq triggered crash"));
    // Killed from outside it is told differently.
    let _out = host.virsh(&["start", "vm1"]).ok();
    assert!(!host.virsh(&["dominfo", "vm1"]).ok().contains("panicked"));
    let supervisor = host.supervisors()[0].pid;
    signal(supervisor, Signal::KILL);
    wait::until("the guest is gone", || {
        (host.state("vm1") == "shut off (crashed)").then_some(())
    });
    let told = host.virsh(&["dominfo", "vm1"]).ok();
    assert!(told.contains("ended from outside"), "{told}");
}

fn stays_off() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["autostart", "vm1"]).ok();
    let _out = host.virsh(&["start", "vm1"]).ok();
    ready(&host, "vm1", 1);
    let _out = host.virsh(&["shutdown", "vm1"]).ok();
    wait::until("the guest is off", || {
        (host.state("vm1") == "shut off (shutdown)").then_some(())
    });
    host.stop();
    host.serve();
    // A verb after autostart has had its moment.
    host.define(&Document::new("vm2").xml());
    wait::until("the host has looked what to start", || {
        host.log().contains("since the machine booted").then_some(())
    });
    assert!(host.state("vm1").starts_with("shut off"));
}
