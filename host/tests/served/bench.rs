//! A host of its own for each test, with a guest that runs, and calls that are told apart by their codes.

use crate::built::library;
use driver_api::types::uuid::Uuid;
use lockstep::client::event::{EventKind, Next};
use lockstep::client::{Connection, Error, Target};
use lockstep::rpc::codec::Procedure;
use lockstep::rpc::codec::domain::{DomainCreateWithFlags, DomainDefineXml, DomainRef};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Only so that a broken test ends; nothing is asserted about time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running host; stopped and waited for when dropped.
pub(crate) struct Host {
    root: TempDir,
    _programs: TempDir,
    child: Child,
}

impl Host {
    /// A host with the hello driver and with one that has a domain and offers nothing else.
    pub(crate) fn start() -> Self {
        // A host looks for drivers beside its own program, so that needs a folder without this build's others.
        let programs = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let program = programs.path().join("lockstep");
        fs::hard_link(env!("CARGO_BIN_EXE_lockstep"), &program).unwrap();
        for name in ["hello", "misbehave"] {
            fs::write(programs.path().join(format!("lib{name}_driver.so")), library(name)).unwrap();
        }
        let root = tempfile::tempdir_in("/tmp").unwrap();
        let conf = root.path().join("etc/lockstep");
        fs::create_dir_all(&conf).unwrap();
        fs::write(conf.join("lockstep.toml"), "[driver.misbehave]\nfault = 'one domain'\n").unwrap();
        let ready = root.path().join("ready");
        let manager = UnixDatagram::bind(&ready).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = serve(&program, root.path(), &ready);
        let host = Self {
            root,
            _programs: programs,
            child,
        };
        let mut word = [0; 64];
        let length = manager.recv(&mut word).expect("the host comes up");
        assert_eq!(&word[..length], b"READY=1");
        host
    }

    /// A connection to a driver.
    pub(crate) fn connect(&self, driver: &str) -> Connection {
        self.open(driver, false)
    }

    /// A connection to the hello driver that may only look.
    pub(crate) fn connect_read_only(&self) -> Connection {
        self.open("hello", true)
    }

    fn open(&self, driver: &str, readonly: bool) -> Connection {
        let socket = if readonly { "libvirt-sock-ro" } else { "libvirt-sock" };
        Connection::open(&Target {
            socket: self.root.path().join("run/lockstep").join(socket),
            name: Some(format!("{driver}:///session")),
            readonly,
        })
        .unwrap()
    }

    /// What the command line prints for people, of the hello driver; it must succeed.
    #[track_caller]
    pub(crate) fn shown(&self, line: &[&str]) -> String {
        let output = self.lockstep(line);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        out
    }

    /// The same for programs.
    #[track_caller]
    pub(crate) fn document(&self, line: &[&str]) -> serde_json::Value {
        let line: Vec<&str> = ["--output", "json"].iter().chain(line).copied().collect();
        serde_json::from_str(&self.shown(&line)).unwrap()
    }

    /// The exit code and the complaint of a command line that must fail.
    #[track_caller]
    pub(crate) fn complaint(&self, line: &[&str]) -> (i32, String) {
        let output = self.lockstep(line);
        let code = output.status.code().unwrap();
        assert_ne!(code, 0, "{}", text(&output.stdout));
        (code, text(&output.stderr))
    }

    fn lockstep(&self, line: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        command
            .args(["--connect", "hello:///session", "--root"])
            .arg(self.root.path());
        command.args(line).stdin(Stdio::null()).output().unwrap()
    }

    /// A file below the host's root.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.root.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A connection to the hello driver, and a domain that runs there.
    pub(crate) fn with_guest(&self) -> (Connection, DomainRef) {
        let mut connection = self.connect("hello");
        let dom = define(&mut connection, "vm");
        let dom = connection.call(&DomainCreateWithFlags { dom, flags: 0 }).unwrap();
        (connection, dom)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn serve(program: &Path, root: &Path, ready: &Path) -> Child {
    let mut command = Command::new(program);
    command.arg("serve").arg("--root").arg(root).env("NOTIFY_SOCKET", ready);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

impl Drop for Host {
    fn drop(&mut self) {
        // No guest has a process here, so that nothing outlives it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Defines a domain of the hello driver.
pub(crate) fn define(connection: &mut Connection, name: &str) -> DomainRef {
    let uuid = Uuid::random().unwrap();
    let xml = format!("<domain type='hello'><name>{name}</name><uuid>{uuid}</uuid></domain>");
    connection.call(&DomainDefineXml { xml }).unwrap()
}

/// The code and message that a call is refused with.
#[track_caller]
pub(crate) fn refused<P: Procedure>(connection: &mut Connection, call: &P) -> (u32, String)
where
    P::Ret: std::fmt::Debug,
{
    match connection.call(call).unwrap_err() {
        Error::Remote(error) => (error.code().0, error.to_string()),
        other => panic!("{other}"),
    }
}

/// What happens next.
#[track_caller]
pub(crate) fn next_event(connection: &mut Connection) -> EventKind {
    let deadline = std::time::Instant::now().checked_add(PATIENCE);
    match connection.next_event(deadline, None).unwrap() {
        Next::Event(event) => event.kind,
        other => panic!("{other:?}"),
    }
}
