//! The guest's first process between clone and execve: its own small root, its own user, no rights, then the program.

use super::confinement::{InForce, Layers};
use super::identity::Visible;
use super::node::{self, Node};
use super::order::{Failure, Step};
use super::{confinement, seccomp, sys};
use driver_api::types::guest::{CONSOLE_FD, DESCRIPTOR_FD};
use rustix::fs::{CWD, Mode};
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use rustix::process::{Gid, Resource, Rlimit, Signal, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The run folder as the guest sees it, what `@RUN@` stands for.
pub(super) const RUN: &str = "/run/guest";
/// The guest's private memory-backed folder; not `/tmp`, where files to be shown may lie.
pub(super) const MEMORY: &str = "/run/memory";
/// Device nodes that programs take for granted; none of them leads anywhere.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
/// Where the loader of a dynamically linked program finds itself and its libraries.
const LIBRARIES: [&str; 5] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"];

const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;

/// All that the guest's first process needs to know.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) argv: Vec<CString>,
    pub(super) env: Vec<CString>,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether it changes to that user (else the user namespace has given it that one).
    pub(super) switch: bool,
    pub(super) files: Vec<Visible>,
    /// Whether the program is dynamically linked.
    pub(super) libraries: bool,
    pub(super) memory_bytes: u64,
    /// The guest's ends of its consoles.
    pub(super) consoles: Vec<OwnedFd>,
    /// What it is born with beside them.
    pub(super) descriptors: Vec<OwnedFd>,
    /// Whether it has taps to ask for from the start.
    pub(super) taps: bool,
    /// Whether it is a program beside a guest and no guest: no kernel with oddities of its own.
    pub(super) companion: bool,
    /// Whether it may use the host's network.
    pub(super) network: bool,
    pub(super) layers: Layers,
    /// The empty folder to build the root on.
    pub(super) root: PathBuf,
    /// The run folder as the host sees it.
    pub(super) run: PathBuf,
}

/// Builds the guest's world; returns what could not be isolated.
pub(super) fn build(plan: &mut Plan) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    // The host must not be the one that is killed when memory runs out.
    if std::fs::write("/proc/self/oom_score_adj", "300").is_err() {
        notes.push("the guest is not preferred when memory runs out".to_owned());
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .step(|| "make the mount namespace private".to_owned())?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount(
        "lockstep",
        &plan.root,
        "tmpfs",
        flags,
        Some(c"size=1m,nr_inodes=4096,mode=0755"),
    )
    .step(|| "mount the guest's root".to_owned())?;
    let root = plan.root.clone();
    for device in DEVICES {
        show(&root, Path::new(device), Path::new(device), None, NOSUID)?;
    }
    if !plan.companion {
        // A tap takes the place of the descriptor that was opened here: see `Taps`.
        show(&root, Path::new("/dev/null"), Path::new("/dev/net/tun"), None, NOSUID)?;
    }
    if plan.libraries {
        for library in LIBRARIES.map(Path::new) {
            if library.exists() {
                show(&root, library, library, None, NOSUID | NODEV | RDONLY)?;
            }
        }
    }
    show(&root, &plan.run, Path::new(RUN), None, NOSUID | NODEV)?;
    show(&root, &plan.run, &plan.run, None, NOSUID | NODEV)?;
    memory_folder(plan, &root)?;
    if let Err(failure) = process_folder(&root) {
        notes.push(format!("no /proc inside ({failure})"));
    }
    // A folder before what lies in it.
    plan.files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in &mut plan.files {
        let readonly = if file.writable { 0 } else { RDONLY };
        let stat = rustix::fs::stat(&file.path).step(|| format!("find '{}'", file.path.display()))?;
        if let Some(device) = node::device(&stat) {
            let owner = (plan.uid, plan.gid);
            // Else the guest is the host's own user, whom the device knows.
            let node = plan
                .switch
                .then(|| Node::make(&root, device, file.writable, owner))
                .transpose()?;
            let source = node.as_ref().map_or(&file.path, |node| &node.path);
            // Read-only, so that the guest can not change the node's mode; who may write the device is said by that.
            show(&root, source, &file.path, None, NOSUID | RDONLY)?;
            continue;
        }
        show(
            &root,
            &file.path,
            &file.path,
            file.tree.take(),
            NOSUID | NODEV | readonly,
        )?;
    }
    enter(&root)?;
    // Only a UTS namespace of its own can be named; without one the name of the host must stay.
    let _ = rustix::system::sethostname(b"guest");
    Ok(notes)
}

fn memory_folder(plan: &Plan, root: &Path) -> Result<(), Failure> {
    let target = inside(root, Path::new(MEMORY));
    std::fs::create_dir_all(&target).step(|| "make the memory folder".to_owned())?;
    let options = format!("size={},mode=0700,uid={},gid={}", plan.memory_bytes, plan.uid, plan.gid);
    let options = CString::new(options).step(|| "name the memory folder's size".to_owned())?;
    // Executable on purpose: a UML guest runs its programs out of its memory file.
    rustix::mount::mount(
        "lockstep-memory",
        &target,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        options.as_c_str(),
    )
    .step(|| format!("mount {} bytes for the guest's memory", plan.memory_bytes))
}

fn process_folder(root: &Path) -> Result<(), Failure> {
    let target = inside(root, Path::new("/proc"));
    std::fs::create_dir_all(&target).step(|| "make /proc".to_owned())?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // subset=pid leaves out /proc/sys and all else that could speak to the host's kernel.
    rustix::mount::mount("proc", &target, "proc", flags, Some(c"subset=pid")).step(|| "mount /proc".to_owned())
}

/// Shows `source` of the host as `target` of the guest.
fn show(root: &Path, source: &Path, target: &Path, tree: Option<OwnedFd>, attributes: u64) -> Result<(), Failure> {
    let place = inside(root, target);
    // A folder comes with what is mounted in it: a user namespace may not look beneath a mount that it inherited.
    let (tree, recursive) = match tree {
        Some(tree) => (tree, false),
        None => (
            clone_tree(source).step(|| format!("clone the mount of '{}'", source.display()))?,
            true,
        ),
    };
    let stat = rustix::fs::fstat(&tree).step(|| format!("look at '{}'", source.display()))?;
    let folder = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    prepare(&place, folder).step(|| format!("make a place for '{}'", target.display()))?;
    sys::mount_setattr(tree.as_fd(), attributes, recursive, None)
        .step(|| format!("restrict '{}'", source.display()))?;
    rustix::mount::move_mount(&tree, "", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .step(|| format!("show '{}' to the guest", source.display()))
}

fn clone_tree(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    Ok(rustix::mount::open_tree(CWD, path, flags)?)
}

fn prepare(place: &Path, folder: bool) -> io::Result<()> {
    if folder {
        return std::fs::create_dir_all(place);
    }
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match std::fs::File::create_new(place) {
        // It lies in a folder that is shown already.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes `root` the root, with nothing of the old one left.
fn enter(root: &Path) -> Result<(), Failure> {
    rustix::process::chdir(root).step(|| "enter the guest's root".to_owned())?;
    // Both arguments the same: the old root is stacked on the new one and then taken off.
    rustix::process::pivot_root(".", ".").step(|| "change the root".to_owned())?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).step(|| "take the host's root off".to_owned())?;
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount_remount("/", flags, c"").step(|| "make the guest's root read-only".to_owned())?;
    rustix::process::chdir(RUN).step(|| "enter the run folder".to_owned())
}

/// What is left when every right was given up.
#[derive(Debug, Default)]
pub(super) struct Renounced {
    /// What could not be given up, in words.
    pub(super) notes: Vec<String>,
    pub(super) in_force: InForce,
    /// Where its requests for taps wait.
    pub(super) listener: Option<OwnedFd>,
}

/// Gives up every right, for good. After this the process is as harmless as the program that it will become.
pub(super) fn renounce(plan: &Plan) -> Result<Renounced, Failure> {
    let mut notes = Vec::new();
    let core = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, core).step(|| "forbid core files".to_owned())?;
    rustix::process::umask(Mode::from_raw_mode(0o077));
    sys::empty_bounding_set().step(|| "empty the capability bounding set".to_owned())?;
    let _ = rustix::thread::clear_ambient_capability_set();
    if plan.switch {
        let (uid, gid) = (Uid::from_raw(plan.uid), Gid::from_raw(plan.gid));
        rustix::thread::set_thread_groups(&[]).step(|| "leave the supplementary groups".to_owned())?;
        rustix::thread::set_thread_res_gid(gid, gid, gid).step(|| format!("become group {}", plan.gid))?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).step(|| format!("become user {}", plan.uid))?;
    } else if rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|g| g.as_raw() != plan.gid)) {
        notes.push("guest processes keep the host's supplementary groups".to_owned());
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).step(|| "drop the capabilities".to_owned())?;
    rustix::thread::set_no_new_privs(true).step(|| "forbid new privileges".to_owned())?;
    // A change of user clears it, so it comes after; who has lost its parent before this line is told by the
    // supervisor's missing word (see `start`).
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .step(|| "tie the guest's life to its supervisor".to_owned())?;
    rustix::process::setsid().step(|| "begin a session".to_owned())?;
    let mut in_force = InForce::default();
    if plan.layers.landlock {
        // A guest speaks through links, whatever network it is in.
        match confinement::restrict(plan.companion && plan.network) {
            Ok(version) => in_force.landlock = version,
            Err(e) => notes.push(format!("no Landlock rules for its files, sockets and signals ({e})")),
        }
    }
    if plan.companion {
        if plan.layers.seccomp
            && let Err(e) = confinement::deny_for_companion()
        {
            notes.push(format!("no filter of its system calls ({e})"));
        }
        return Ok(Renounced {
            notes,
            in_force,
            listener: None,
        });
    }
    // With it on, UML adds a random gap of hundreds of megabytes to its memory file.
    sys::no_randomisation().step(|| "turn address randomisation off".to_owned())?;
    if let Err(e) = seccomp::make_abort_deadly() {
        notes.push(format!("a guest that aborts hangs instead ({e})"));
    }
    let listener = match seccomp::listen_for_taps() {
        Ok(listener) => Some(listener),
        Err(e) if plan.taps => {
            return Err(e).step(|| {
                "listen to the guest's requests for taps (that needs seccomp, and no other listener around the host)"
                    .to_owned()
            });
        }
        Err(_) => {
            if let Err(e) = seccomp::forbid_device_control() {
                notes.push(format!(
                    "a guest could change the host's ends of its network devices ({e})"
                ));
            }
            None
        }
    };
    // The last one, since it does not leave the calls that make others.
    if plan.layers.seccomp {
        match confinement::allow_for_guest() {
            Ok(calls) => in_force.calls = calls,
            Err(e) => notes.push(format!("no list of allowed system calls ({e})")),
        }
    } else if let Err(e) = confinement::tie_to_supervisor() {
        notes.push(format!("a hostile guest could outlive its supervisor ({e})"));
    }
    Ok(Renounced {
        notes,
        in_force,
        listener,
    })
}

/// Puts the descriptors in order and becomes the program; returns only on failure.
pub(super) fn become_program(plan: &Plan) -> Failure {
    match place_descriptors(plan) {
        Err(e) => e,
        Ok(()) => {
            sys::set_signals(1..=31, false);
            sys::unblock_signals();
            let program = OsStr::from_bytes(plan.argv[0].as_bytes()).to_owned();
            let error = sys::execute(&plan.argv[0], &plan.argv, &plan.env);
            Err::<(), _>(error)
                .step(|| format!("execute '{}'", Path::new(&program).display()))
                .err()
                .unwrap_or_else(|| Failure::new("execute"))
        }
    }
}

/// A copy of a descriptor beyond the numbers that belong to consoles and to what the guest is born with.
pub(super) fn aside(plan: &Plan, fd: &OwnedFd) -> Result<OwnedFd, Failure> {
    let end = |first: i32, fds: &[OwnedFd]| first.saturating_add(i32::try_from(fds.len()).unwrap_or(i32::MAX));
    let free = end(CONSOLE_FD, &plan.consoles).max(end(DESCRIPTOR_FD, &plan.descriptors));
    rustix::io::fcntl_dupfd_cloexec(fd, free).step(|| "arrange the guest's descriptors".to_owned())
}

fn place_descriptors(plan: &Plan) -> Result<(), Failure> {
    let step = || "arrange the guest's descriptors".to_owned();
    // Out of the way first: whatever lies at a console's number would be closed by it, or close it when dropped.
    let all_aside = |fds: &[OwnedFd]| fds.iter().map(|fd| aside(plan, fd)).collect::<Result<Vec<_>, _>>();
    let consoles = all_aside(&plan.consoles)?;
    let descriptors = all_aside(&plan.descriptors)?;
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .step(step)?;
    let null = aside(plan, &OwnedFd::from(null))?;
    sys::place(null.as_fd(), 0).step(step)?;
    // What the program says before it knows its consoles belongs on the first one.
    let speech = consoles.first().unwrap_or(&null);
    sys::place(speech.as_fd(), 1).step(step)?;
    sys::place(speech.as_fd(), 2).step(step)?;
    let numbered = consoles.iter().zip(CONSOLE_FD..);
    for (fd, number) in numbered.chain(descriptors.iter().zip(DESCRIPTOR_FD..)) {
        sys::place(fd.as_fd(), number).step(step)?;
    }
    Ok(())
}
