//! A guest process as a driver orders it from the host, and what the host tells of it afterwards.

use super::uuid::Uuid;
use std::path::PathBuf;

/// Names one guest process tree for as long as the host's root exists; never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct GuestId(pub u64);

/// The first descriptor number that a guest's consoles get: console `k` is descriptor `CONSOLE_FD + k`.
pub const CONSOLE_FD: i32 = 10;

/// The first number of the descriptors that a guest is born with ([`crate::host::Host::spawn_with`]).
pub const DESCRIPTOR_FD: i32 = 64;

/// A guest process tree to be started under a supervisor.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GuestSpec {
    /// The domain it belongs to.
    pub domain: Uuid,
    /// The domain's name, for logs and for file names.
    pub name: String,
    /// The program (absolute path, as the host sees it) and its arguments. `@RUN@` in an argument stands for the
    /// private run folder as the guest process sees it. That folder is also the process's working directory: an answer
    /// to a socket that the driver bound in [`Started::run_dir`] under a bare name finds its way by that name alone.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Consoles, in the order of their descriptors (see [`CONSOLE_FD`]).
    pub consoles: Vec<ConsoleSpec>,
    /// Files of the host that the guest process may open, under their own paths.
    pub files: Vec<VisibleFile>,
    /// Size limit in bytes of the private tmpfs that holds the guest's memory file; 0 takes the host's default.
    pub memory_bytes: u64,
    /// Where the rotated log of console 0 is appended; the host's log folder when empty.
    pub log: Option<PathBuf>,
}

/// One console of a guest: a two-way byte stream that the supervisor drains, logs and shows to viewers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConsoleSpec {
    /// The alias under which clients ask for it (`console0`, `serial0`).
    pub alias: String,
    /// Also offer it as a host pty (`<console type='pty'>`); the path is told in [`Started::ptys`].
    pub pty: bool,
    /// Extra log file (`<log file='...'>`), beside the host's own.
    pub log: Option<PathBuf>,
}

/// A file or folder of the host that a guest process may see. A block device or `/dev/kvm` becomes a node of the guest's own;
/// other devices are seen and can not be opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VisibleFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Whether it may be written.
    pub writable: bool,
}

/// What the host tells when a guest process has been started or found again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Started {
    /// Its name from now on.
    pub guest: u64,
    /// The domain it was started for ([`GuestSpec::domain`]): tells a driver that lost its own notes whose guest it is.
    pub domain: Uuid,
    /// The guest's first process as the host counts it.
    pub pid: u32,
    /// Its private run folder as the host sees it: monitor sockets of the guest live here. The guest finds it as
    /// `@RUN@`, as its working folder, and under this same path, so that a socket address bound here means the same on
    /// both sides. What lies in it was made by the guest: never follow a symbolic link there.
    pub run_dir: PathBuf,
    /// One entry per console: the pty's path, or empty.
    pub ptys: Vec<String>,
    /// What the kernel did not let the supervisor isolate, in words; empty when everything is in place.
    pub not_isolated: Vec<String>,
}

/// Something that happened to a guest process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GuestEvent {
    /// A datagram arrived on the notification socket `@RUN@/notify`.
    Notified(Vec<u8>),
    /// The whole process tree is gone.
    Exited(Exit),
}

/// How a guest process tree ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exit {
    /// Exit code, when the first process ended by itself.
    pub code: Option<i32>,
    /// Signal, when it was killed.
    pub signal: Option<i32>,
    /// The kernel's out-of-memory killer did it, as far as the cgroup tells.
    pub out_of_memory: bool,
    /// The supervisor itself was lost, so neither code nor signal is known.
    pub supervisor_lost: bool,
    /// The host asked for it (`kill`).
    pub requested: bool,
    /// The last notification datagrams, oldest first, for a host that was away when they came.
    pub notifications: Vec<Vec<u8>>,
    /// The last lines of console 0.
    pub console_tail: String,
}

/// Where a console can be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsoleRef {
    /// The guest process tree.
    pub guest: GuestId,
    /// The console's place in [`GuestSpec::consoles`].
    pub index: u32,
}
