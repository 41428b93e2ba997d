//! A host for one test: a private root, the events that arrived, and a look at what is left at the end.

use driver_api::types::guest::{ConsoleSpec, Exit, GuestEvent, GuestId, GuestSpec, VisibleFile};
use lockstep::supervisor::{Guests, Options, Sink};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A static program that needs nothing beside it.
pub const SHELL: &str = "/usr/bin/busybox";
pub const WHY_NOT: &str = "busybox-static is not installed, or the kernel gives this user no namespaces";

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether guests can run here at all.
pub fn can_run() -> bool {
    Path::new(SHELL).exists() && (is_root() || Path::new("/proc/self/ns/user").exists())
}

pub const WHY_NO_BOOT: &str = "user-mode-linux or busybox-static is not installed, or there are no namespaces";

/// Whether a real guest kernel can run here.
pub fn can_boot() -> bool {
    can_run() && Path::new(UML).exists()
}

/// A guest that runs a shell script on console 0.
pub fn shell(script: &str) -> GuestSpec {
    GuestSpec {
        name: "vm".to_owned(),
        domain: driver_api::types::uuid::Uuid::from_bytes([7; 16]),
        argv: [SHELL, "sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec![("PATH".to_owned(), "/".to_owned())],
        consoles: vec![ConsoleSpec::default()],
        ..GuestSpec::default()
    }
}

pub struct Host {
    pub root: tempfile::TempDir,
    guests: Option<Guests>,
    sender: Sender<(GuestId, GuestEvent)>,
    events: Mutex<Receiver<(GuestId, GuestEvent)>>,
}

impl Host {
    pub fn new() -> Self {
        let (sender, events) = channel();
        let mut host = Self {
            root: tempfile::tempdir().unwrap(),
            guests: None,
            sender,
            events: Mutex::new(events),
        };
        host.open();
        host
    }

    /// A host that begins (again) in the same root.
    pub fn open(&mut self) {
        self.guests = None;
        let sender = Mutex::new(self.sender.clone());
        let sink: Arc<Sink> =
            Arc::new(move |_: &str, guest, event| sender.lock().unwrap().send((guest, event)).unwrap());
        let options = Options {
            program: PathBuf::from(env!("CARGO_BIN_EXE_lockstep")),
            ..Options::default()
        };
        let root = self.root.path();
        self.guests = Some(Guests::open(&root.join("run"), &root.join("log"), options, sink).unwrap());
    }

    pub fn close(&mut self) {
        self.guests = None;
    }

    pub fn guests(&self) -> &Guests {
        self.guests.as_ref().unwrap()
    }

    pub fn event(&self) -> (GuestId, GuestEvent) {
        self.events
            .lock()
            .unwrap()
            .recv_timeout(Duration::from_secs(60))
            .expect("an event was due")
    }

    pub fn exit_of(&self, wanted: GuestId) -> Exit {
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
pub fn uml(root: &Path, script: &str) -> GuestSpec {
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

pub const UML: &str = "/usr/bin/linux.uml";

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

impl Drop for Host {
    fn drop(&mut self) {
        // A test that failed must not leave its guests behind.
        let Some(guests) = &self.guests else { return };
        for number in 1..200 {
            let _ = guests.kill(GuestId(number));
        }
    }
}
