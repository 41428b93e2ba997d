//! A shutdown of the machine waits while guests run: the lock of logind, on a bus of the case's own.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Dbus, Root, Uml, Virsh};
use conformance::process::signal;
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::TempDir;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "inhibitor_is_held_from_the_first_guest_to_the_last_and_by_the_next_host",
        needs: &[Root, Uml, Virsh, Dbus],
        run: held,
    },
    Case {
        name: "inhibitor_that_is_switched_off_is_not_asked_for",
        needs: &[Root, Uml, Virsh, Dbus],
        run: switched_off,
    },
    Case {
        name: "inhibitor_of_a_bus_that_hangs_delays_no_start",
        needs: &[Root, Uml, Virsh],
        run: hanging_bus,
    },
];

/// A bus that lets everybody in.
const CONFIG: &str = "<busconfig><type>system</type><listen>unix:path=PATH</listen><auth>EXTERNAL</auth>\
    <policy context='default'><allow user='*'/><allow own='*'/><allow send_destination='*'/>\
    <allow receive_sender='*'/></policy></busconfig>";

/// As much of logind as is asked for: a lock is a pipe, whose other end tells when it is given back.
const LOGIND: &str = r#"
import dbus, dbus.service, os
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
DBusGMainLoop(set_as_default=True)
bus = dbus.bus.BusConnection(os.environ["BUS"])
class Manager(dbus.service.Object):
    @dbus.service.method("org.freedesktop.login1.Manager", in_signature="ssss", out_signature="h")
    def Inhibit(self, what, who, why, mode):
        ours, theirs = os.pipe()
        print("taken", what, who, why, mode, sep="|", flush=True)
        GLib.io_add_watch(ours, GLib.IO_HUP, released)
        fd = dbus.types.UnixFd(theirs)
        os.close(theirs)
        return fd
def released(ours, condition):
    os.close(ours)
    print("released", flush=True)
    return False
name = dbus.service.BusName("org.freedesktop.login1", bus)
manager = Manager(bus, "/org/freedesktop/login1")
print("ready", flush=True)
GLib.MainLoop().run()
"#;

/// A bus with a logind on it.
struct Bus {
    _dir: TempDir,
    address: String,
    daemon: Child,
    logind: Child,
    told: BufReader<ChildStdout>,
}

impl Bus {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("bus").tempdir_in("/tmp");
        let dir = dir.expect("a temporary folder");
        let (config, socket) = (dir.path().join("bus.conf"), dir.path().join("bus"));
        fs::write(&config, CONFIG.replace("PATH", &socket.to_string_lossy())).expect("a file");
        let mut daemon = Command::new("dbus-daemon");
        daemon
            .arg("--config-file")
            .arg(&config)
            .args(["--nofork", "--nosyslog", "--print-address"]);
        let mut daemon = daemon.stdout(Stdio::piped()).spawn().expect("dbus-daemon runs");
        let mut address = String::new();
        let mut said = BufReader::new(daemon.stdout.take().expect("a pipe"));
        let _count = said.read_line(&mut address).expect("dbus-daemon speaks");
        let address = address.trim().to_owned();
        let mut logind = Command::new("/usr/bin/python3");
        logind.args(["-c", LOGIND]).env("BUS", &address).stdout(Stdio::piped());
        let mut logind = logind.spawn().expect("python3 runs");
        let mut bus = Self {
            _dir: dir,
            address,
            daemon,
            told: BufReader::new(logind.stdout.take().expect("a pipe")),
            logind,
        };
        assert_eq!(bus.line(), "ready");
        bus
    }

    /// What logind is told next.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let _count = self.told.read_line(&mut line).expect("the service speaks");
        line.trim().to_owned()
    }

    /// Ends both; all that logind was told and nobody has read yet.
    fn end(mut self) -> String {
        for child in [&mut self.logind, &mut self.daemon] {
            signal(i32::try_from(child.id()).expect("a pid fits"), Signal::TERM);
            let _status = child.wait().expect("it can be waited for");
        }
        let mut rest = String::new();
        let _count = self.told.read_to_string(&mut rest).expect("a pipe");
        rest
    }
}

const TAKEN: &str = "taken|shutdown|Lockstep|guests are running|delay";

fn define(host: &Host) {
    for name in ["vm1", "vm2"] {
        host.define(&Document::new(name).xml());
    }
}

fn held() {
    let mut bus = Bus::start();
    let mut host = Host::start_in_environment(&[("DBUS_SYSTEM_BUS_ADDRESS", &bus.address)], &[]);
    define(&host);
    let _out = host.virsh(&["start", "vm1"]).ok();
    assert_eq!(bus.line(), TAKEN);
    let _out = host.virsh(&["start", "vm2"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    let _out = host.virsh(&["destroy", "vm2"]).ok();
    assert_eq!(bus.line(), "released");
    let _out = host.virsh(&["start", "vm1"]).ok();
    assert_eq!(bus.line(), TAKEN);
    host.kill();
    assert_eq!(bus.line(), "released");
    host.serve();
    assert_eq!(bus.line(), TAKEN);
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(bus.line(), "released");
    host.stop();
    assert_eq!(bus.end(), "");
}

fn switched_off() {
    let bus = Bus::start();
    let config = Path::new(&bus.address.replace("unix:path=", "")).with_file_name("lockstep.toml");
    let config = config.to_string_lossy().into_owned();
    fs::write(&config, "[host]\ninhibit = false\n").expect("a file");
    let environment = [("DBUS_SYSTEM_BUS_ADDRESS", bus.address.as_str())];
    let mut host = Host::start_in_environment(&environment, &["--config", &config]);
    define(&host);
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    // A host that stops ends what it had begun with the bus.
    host.stop();
    assert_eq!(bus.end(), "");
}

fn hanging_bus() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("bus");
    // Nobody ever accepts: who connects waits for the first word.
    let _bus = UnixListener::bind(&path).expect("a socket");
    let address = format!("unix:path={}", path.display());
    let mut host = Host::start_in_environment(&[("DBUS_SYSTEM_BUS_ADDRESS", &address)], &[]);
    define(&host);
    for name in ["vm1", "vm2"] {
        let _out = host.virsh(&["start", name]).ok();
    }
    assert_eq!(host.virsh(&["list", "--name"]).ok().split_whitespace().count(), 2);
    for name in ["vm1", "vm2"] {
        let _out = host.virsh(&["destroy", name]).ok();
    }
    host.stop();
    assert!(!host.log().contains("shutdown of the machine"), "{}", host.log());
}
