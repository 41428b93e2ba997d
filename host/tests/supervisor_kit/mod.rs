//! A host for one test: a private root, the events that arrived, and a look at what is left at the end.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, which end by panic; not each test program needs all of them"
)]

use driver_api::types::guest::{ConsoleSpec, Exit, GuestEvent, GuestId, GuestSpec, VisibleFile};
use driver_api::types::launch::Launch;
use lockstep::supervisor::{ConsoleMode, Guests, Options, Sink};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

mod network;

pub(crate) use network::*;

/// Ends the test early, saying why, where it can not run; fails it where the runner has seen to every need.
macro_rules! need {
    ($condition:expr, $why:expr) => {
        if !$condition {
            assert!(
                std::env::var_os("LOCKSTEP_NO_SKIP").is_none(),
                "not to be skipped: {}",
                $why
            );
            eprintln!("skipped: {}", $why);
            return;
        }
    };
}
pub(crate) use need;

/// A static program that needs nothing beside it.
pub(crate) const SHELL: &str = "/usr/bin/busybox";
pub(crate) const WHY_NOT: &str = "busybox-static is not installed, or the kernel gives this user no namespaces";

/// Names another `lockstep` binary than the one that was built with these tests.
pub(crate) const PROGRAM: &str = "LOCKSTEP_TEST_PROGRAM";

/// The `lockstep` binary under test.
pub(crate) fn program() -> PathBuf {
    std::env::var_os(PROGRAM).map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_lockstep")), PathBuf::from)
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether guests can run here at all.
pub(crate) fn can_run() -> bool {
    Path::new(SHELL).exists() && (is_root() || Path::new("/proc/self/ns/user").exists())
}

pub(crate) const WHY_NO_BOOT: &str = "user-mode-linux or busybox-static is not installed, or there are no namespaces";

/// Whether a real guest kernel can run here.
pub(crate) fn can_boot() -> bool {
    can_run() && Path::new(UML).exists()
}

/// A guest that runs a shell script on console 0.
pub(crate) fn shell(script: &str) -> GuestSpec {
    GuestSpec {
        name: "vm".to_owned(),
        domain: driver_api::types::uuid::Uuid::from_bytes([7; 16]),
        argv: [SHELL, "sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec![("PATH".to_owned(), "/".to_owned())],
        consoles: vec![ConsoleSpec::default()],
        ..GuestSpec::default()
    }
}

pub(crate) struct Host {
    pub(crate) root: tempfile::TempDir,
    pub(crate) options: Options,
    base: PathBuf,
    guests: Option<Guests>,
    sender: Sender<(GuestId, GuestEvent)>,
    events: Mutex<Receiver<(GuestId, GuestEvent)>>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let (sender, events) = channel();
        let root = tempfile::tempdir().unwrap();
        let mut host = Self {
            options: Options {
                program: program(),
                ..Options::default()
            },
            base: root.path().to_owned(),
            root,
            guests: None,
            sender,
            events: Mutex::new(events),
        };
        host.open();
        host
    }

    /// A host that begins (again) in the same root.
    pub(crate) fn open(&mut self) {
        self.guests = None;
        // A test beside this one may be about to start something: until that is another program, it has a copy of all
        // that was open here, and holds the claim too.
        if let Ok(claim) = std::fs::File::open(self.base.join("run/guests/claim")) {
            rustix::fs::flock(&claim, rustix::fs::FlockOperation::LockExclusive).unwrap();
            rustix::fs::flock(&claim, rustix::fs::FlockOperation::Unlock).unwrap();
        }
        let sender = Mutex::new(self.sender.clone());
        let sink: Arc<Sink> =
            Arc::new(move |_: &str, guest, event| sender.lock().unwrap().send((guest, event)).unwrap());
        let (run, log) = (self.base.join("run"), self.base.join("log"));
        self.guests = Some(Guests::open(&run, &log, self.options.clone(), sink).unwrap());
    }

    /// Begins anew in a folder below.
    pub(crate) fn move_to(&mut self, folder: &str) {
        self.base = self.base.join(folder);
        std::fs::create_dir_all(&self.base).unwrap();
        self.open();
    }

    pub(crate) fn close(&mut self) {
        self.guests = None;
    }

    pub(crate) fn guests(&self) -> &Guests {
        self.guests.as_ref().unwrap()
    }

    pub(crate) fn event(&self) -> (GuestId, GuestEvent) {
        self.events
            .lock()
            .unwrap()
            .recv_timeout(Duration::from_secs(60))
            .expect("an event was due")
    }

    pub(crate) fn exit_of(&self, wanted: GuestId) -> Exit {
        loop {
            if let (guest, GuestEvent::Exited(exit)) = self.event()
                && guest == wanted
            {
                return exit;
            }
        }
    }
}

/// A UML guest whose first program is a shell script; `files` are shown to its process.
pub(crate) fn uml(root: &Path, script: &str) -> GuestSpec {
    let initrd = root.join("initrd");
    std::fs::write(&initrd, initrd_with(script)).unwrap();
    let argv = [
        UML,
        "mem=64M",
        "umid=vm",
        "uml_dir=@RUN@",
        "mconsole=notify:@RUN@/notify",
        "con0=fd:10,fd:10",
        "con=none",
        "ssl=none",
        "noreboot",
    ];
    let mut argv = argv.map(str::to_owned).to_vec();
    argv.push(format!("initrd={}", initrd.display()));
    GuestSpec {
        argv,
        env: Vec::new(),
        memory_bytes: 80 * 1024 * 1024,
        files: vec![VisibleFile {
            path: initrd,
            writable: false,
        }],
        ..shell("")
    }
}

pub(crate) const UML: &str = "/usr/bin/linux.uml";

/// An initial file system with a shell and `/init`, as a "newc" cpio archive.
fn initrd_with(script: &str) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut add = |name: &str, mode: u32, device: u32, content: &[u8]| {
        let (size, name_size) = (
            u32::try_from(content.len()).unwrap(),
            u32::try_from(name.len() + 1).unwrap(),
        );
        let fields = [1, mode, 0, 0, 1, 0, size, 0, 0, 5 * device, device, name_size, 0];
        archive.extend_from_slice(b"070701");
        for field in fields {
            archive.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        archive.extend_from_slice(name.as_bytes());
        archive.push(0);
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(4), 0);
    };
    let busybox = std::fs::read(SHELL).unwrap();
    for dir in ["bin", "dev", "proc", "mnt"] {
        add(dir, 0o40755, 0, b"");
    }
    // The kernel's first program speaks on it: major 5, minor 1.
    add("dev/console", 0o20600, 1, b"");
    add("bin/busybox", 0o100755, 0, &busybox);
    let init = format!(
        "#!/bin/busybox sh\nexport PATH=/bin\n/bin/busybox --install -s /bin\nmount -t proc proc /proc\n{script}\n"
    );
    add("init", 0o100755, 0, init.as_bytes());
    add("TRAILER!!!", 0, 0, b"");
    archive
}

impl Host {
    /// Waits until console 0 has said `text`.
    pub(crate) fn await_text(&self, guest: GuestId, text: &str) {
        let mode = ConsoleMode {
            history: true,
            ..ConsoleMode::default()
        };
        let mut console = self.guests().open_console(guest, 0, mode).unwrap();
        read_until(&mut console, text);
    }
}

/// Reads up to the first `text`, or fails at the end.
pub(crate) fn read_until(from: &mut impl Read, text: &str) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&seen).ends_with(text) {
        assert_eq!(
            from.read(&mut byte).unwrap(),
            1,
            "ended after: {}",
            String::from_utf8_lossy(&seen)
        );
        seen.push(byte[0]);
    }
    String::from_utf8(seen).unwrap()
}

/// A process and all that descend from it.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let children = format!("/proc/{0}/task/{0}/children", found[at]);
        let children = std::fs::read_to_string(children).unwrap_or_default();
        found.extend(children.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
        at += 1;
    }
    found
}

/// Whether a process runs (a zombie does not).
pub(crate) fn exists(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

pub(crate) fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// The supervisor of the guest with this run folder.
pub(crate) fn supervisor_of(run: &Path) -> u32 {
    let record = std::fs::read_to_string(run.join("running.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    u32::try_from(record["supervisor"]["pid"].as_u64().unwrap()).unwrap()
}

/// A descriptor of a process.
pub(crate) fn open(pid: u32) -> OwnedFd {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    pidfd_open(pid, PidfdFlags::empty()).unwrap()
}

/// Waits for the end of a process that must come.
pub(crate) fn await_end(process: &OwnedFd) {
    let limit = Timespec { tv_sec: 20, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&limit)).unwrap();
    assert_eq!(ended, 1, "a process that should end goes on");
}

/// SIGKILL for one process, and the wait for its end.
pub(crate) fn kill(pid: u32) {
    let process = open(pid);
    pidfd_send_signal(&process, Signal::KILL).unwrap();
    await_end(&process);
}

/// SIGSTOP for one process.
pub(crate) fn stop(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
}

/// Speaks as the guest would.
pub(crate) fn notify(run_dir: &Path, bytes: &[u8]) {
    let socket = UnixDatagram::unbound().unwrap();
    socket.send_to(bytes, run_dir.join("notify")).unwrap();
}

/// Waits for a file to appear.
pub(crate) fn await_file(path: &Path) {
    while !path.exists() {
        std::thread::yield_now();
    }
}

/// The cgroups of guests of the root at `root`, in every hierarchy.
pub(crate) fn groups_of(root: &Path) -> Vec<PathBuf> {
    let guests = std::fs::metadata(root.join("run/guests")).unwrap();
    let prefix = format!("lockstep-guest-{:x}-{:x}-", guests.dev(), guests.ino());
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        // Groups come and go while this looks.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                found.push(entry.path());
            }
            folders.push(entry.path());
        }
    }
    found
}

impl Drop for Host {
    fn drop(&mut self) {
        // A test that failed must not leave its guests behind.
        let Some(guests) = &self.guests else { return };
        for number in 1..200 {
            let _ = guests.kill(GuestId(number));
        }
    }
}

/// Runs all the other tests of this program as an ordinary user.
pub(crate) fn repeat_as_ordinary_user() {
    repeat_as_ordinary_user_with(&[]);
}

/// The same with more in their environment.
pub(crate) fn repeat_as_ordinary_user_with(env: &[(&str, String)]) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = |from: &Path, name: &str| {
        let to = dir.path().join(name);
        std::fs::copy(from, &to).unwrap();
        to
    };
    let test = copy(&std::env::current_exe().unwrap(), "test");
    let program = copy(program().as_path(), "lockstep");
    let home = dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
    let output = std::process::Command::new(test)
        .env("TMPDIR", &home)
        .env(PROGRAM, program)
        // What only root can do may be left out there: root has done it already.
        .env_remove("LOCKSTEP_NO_SKIP")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir(&home)
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A guest that obeys what is typed.
pub(crate) struct Shell {
    pub(crate) guest: GuestId,
    pub(crate) console: UnixStream,
}

impl Shell {
    /// With these files, and what `more` adds.
    pub(crate) fn start(host: &Host, files: &[VisibleFile], more: impl FnOnce(&mut Launch)) -> Self {
        let mut launch = Launch {
            spec: shell("exec <&1; while read -r line; do eval \"$line\" 2>&1; echo =end=; done"),
            ..Launch::default()
        };
        launch.spec.files = files.to_vec();
        more(&mut launch);
        let guest = GuestId(host.guests().launch("d", &launch, &[]).unwrap().guest);
        host.guests().watch(guest).unwrap();
        Self::attach(host, guest)
    }

    pub(crate) fn attach(host: &Host, guest: GuestId) -> Self {
        let mode = ConsoleMode {
            write: true,
            ..ConsoleMode::default()
        };
        let console = host.guests().open_console(guest, 0, mode).unwrap();
        Self { guest, console }
    }

    /// What a command says.
    pub(crate) fn run(&mut self, command: &str) -> String {
        self.console.write_all(format!("{command}\n").as_bytes()).unwrap();
        let said = read_until(&mut self.console, "=end=\n");
        said.trim_end_matches("=end=\n").to_owned()
    }
}
