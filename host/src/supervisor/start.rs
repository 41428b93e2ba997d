//! Starting a guest: namespaces, consoles and sockets around it, and what it takes over when its program runs.

use super::cgroup::{Groups, Refusal};
use super::companion::{Companions, Home};
use super::console::{Console, Logging};
use super::extras::{BackendOrder, LinkOrder};
use super::hotplug::{Shown, View, check_links};
use super::identity::{self, Identity};
use super::link::Links;
use super::order::{Failure, GUEST_DIR, NOTIFY, Order, ROOT_DIR, RUNNING, Running, Step};
use super::record::{self, Durable};
use super::sandbox::{self, Plan, Renounced};
use super::sys::{self, Side};
use super::{elf, handover, process};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Gid, Signal, Uid, WaitId, WaitIdOptions};
use std::ffi::CString;
use std::fs::Permissions;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Without these guest code could reach the host.
pub(super) const MUST: i32 = libc::CLONE_NEWPID | libc::CLONE_NEWNS;
/// These only narrow what it sees. No spec needs the host's network: taps come by descriptor.
pub(super) const WANTED: i32 = libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP;

/// A guest that has been started.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) pidfd: OwnedFd,
    pub(super) groups: Groups,
    pub(super) consoles: Vec<Console>,
    pub(super) logging: Logging,
    pub(super) links: Links,
    pub(super) shown: Shown,
    pub(super) companions: Companions,
    pub(super) notify: UnixDatagram,
    pub(super) running: Running,
}

/// Starts what `order` asks for; of `descriptors` its taps take the first, and the guest alone the others. `wanted` is
/// asked once before the point of no return.
pub(super) fn start(
    order: &Order,
    mut descriptors: Vec<OwnedFd>,
    wanted: impl FnOnce() -> bool,
) -> Result<Guest, Failure> {
    let mut notes = Vec::new();
    let privileged = identity::is_privileged();
    check_links(&order.files)?;
    let identity = identity::choose(order, privileged, &mut notes)?;
    let notify = notify_socket(&identity)?;
    let mut consoles = Vec::new();
    let (mut ends, mut ptys) = (Vec::new(), Vec::new());
    let logging = Logging {
        bytes: order.log_bytes,
        files: order.log_files,
    };
    for index in 0..order.consoles.len() + order.extras.spare_consoles as usize {
        let (mut console, end) = Console::spare(index)?;
        if let Some(wanted) = order.consoles.get(index) {
            let backend = order.extras.backends.get(index).unwrap_or(&BackendOrder::None);
            ptys.push(console.employ(wanted, backend, logging)?);
        }
        consoles.push(console);
        ends.push(end);
    }
    let mut links = Links::new(identity.switch.then_some((identity.uid, identity.gid)));
    for link in &order.extras.links {
        let tap = matches!(link, LinkOrder::Tap { .. }) && !descriptors.is_empty();
        links.add(link, tap.then(|| descriptors.remove(0)))?;
    }
    let user = (identity.uid, identity.gid);
    let home = Home::new(order, user, identity.switch);
    let plan = plan(order, identity, ends, descriptors)?;
    let mut groups = Groups::default();
    if order.layers.cgroups {
        let why;
        (groups, why) = Groups::create(&order.group_name(), privileged);
        notes.extend(why.map(|e| format!("no cgroup of its own ({e})")));
    }
    notes.extend(order.layers.off());
    let mut companions = Companions::new(home);
    let forked = match companions.start_all(&order.extras.companions, &groups) {
        Ok(()) => fork(plan, groups, privileged, &mut notes),
        Err(failure) => Err((failure, groups)),
    };
    let mut fork = match forked {
        Ok(fork) => fork,
        Err((failure, groups)) => {
            companions.end();
            let _ = groups.remove();
            return Err(failure);
        }
    };
    let started = hand_over(order, &mut fork, ptys, notes, wanted).and_then(|started| {
        let process = fork.pidfd.try_clone();
        Ok((started, process.step(|| "keep hold of the guest's process".to_owned())?))
    });
    match started {
        Ok(((running, listener), process)) => {
            let view = View {
                process,
                user_namespace: fork.map.is_some(),
                user,
            };
            links.taps.listen(listener);
            Ok(Guest {
                pidfd: fork.pidfd,
                groups: fork.groups,
                consoles,
                logging,
                links,
                shown: Shown::new(view, order.run_dir.join(GUEST_DIR), &order.files),
                companions,
                notify,
                running,
            })
        }
        Err(failure) => {
            companions.end();
            end(&fork.pidfd, &fork.groups);
            let _ = std::fs::remove_file(RUNNING);
            Err(failure)
        }
    }
}

/// Kills a guest's tree, waits until it is gone and removes its groups; returns how its first process ended.
pub(super) fn end(pidfd: &OwnedFd, groups: &Groups) -> (Option<i32>, Option<i32>) {
    if groups.kill().is_err() {
        let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    }
    let how = reap(pidfd);
    if let Err(e) = groups.remove() {
        eprintln!("cannot remove the guest's cgroup: {e}");
    }
    how
}

/// Waits for the guest's first process; with it, its whole PID namespace is gone. Returns exit code and signal.
pub(super) fn reap(pidfd: &OwnedFd) -> (Option<i32>, Option<i32>) {
    loop {
        match rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            // SIGSYS is what the filter of `make_abort_deadly` turns an abort into.
            Ok(Some(status)) => {
                let signal = status.terminating_signal();
                let signal = if signal == Some(libc::SIGSYS) {
                    Some(libc::SIGABRT)
                } else {
                    signal
                };
                return (status.exit_status(), signal);
            }
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return (None, None),
        }
    }
}

/// The datagram socket through which the guest speaks to its supervisor; made before the guest is.
fn notify_socket(identity: &Identity) -> Result<UnixDatagram, Failure> {
    std::fs::create_dir(GUEST_DIR).step(|| "make the guest's run folder".to_owned())?;
    std::fs::set_permissions(GUEST_DIR, Permissions::from_mode(0o700)).step(|| "protect the run folder".to_owned())?;
    let socket = UnixDatagram::bind(NOTIFY).step(|| "make the notification socket".to_owned())?;
    socket
        .set_nonblocking(true)
        .step(|| "set up the notification socket".to_owned())?;
    if identity.switch {
        let (uid, gid) = (Some(Uid::from_raw(identity.uid)), Some(Gid::from_raw(identity.gid)));
        for path in [NOTIFY, GUEST_DIR] {
            rustix::fs::chown(path, uid, gid).step(|| format!("give '{path}' to user {}", identity.uid))?;
        }
    }
    std::fs::create_dir(ROOT_DIR).step(|| "make the place for the guest's root".to_owned())?;
    Ok(socket)
}

fn plan(order: &Order, identity: Identity, consoles: Vec<OwnedFd>, descriptors: Vec<OwnedFd>) -> Result<Plan, Failure> {
    let text = |text: &str| {
        CString::new(text.replace("@RUN@", sandbox::RUN)).map_err(|_| {
            Failure::new(format!(
                "pass '{}' to the guest: it has a zero byte",
                text.escape_debug()
            ))
        })
    };
    let argv = order.argv.iter().map(|arg| text(arg)).collect::<Result<_, _>>()?;
    let mut env: Vec<CString> = order
        .env
        .iter()
        .map(|(key, value)| text(&format!("{key}={value}")))
        .collect::<Result<_, _>>()?;
    if !order.env.iter().any(|(key, _)| key == "TMPDIR") {
        env.push(text(&format!("TMPDIR={}", sandbox::MEMORY))?);
    }
    let program = Path::new(&order.argv[0]);
    let libraries = elf::needs_loader(program).step(|| format!("read the program '{}'", program.display()))?;
    Ok(Plan {
        argv,
        env,
        uid: identity.uid,
        gid: identity.gid,
        switch: identity.switch,
        files: identity.files,
        libraries,
        memory_bytes: order.memory_bytes,
        consoles,
        descriptors,
        taps: order
            .extras
            .links
            .iter()
            .any(|link| matches!(link, LinkOrder::Tap { .. })),
        companion: false,
        network: !order.layers.network_namespace,
        layers: order.layers,
        root: order.run_dir.join(ROOT_DIR),
        run: order.run_dir.join(GUEST_DIR),
    })
}

/// The guest's first process on its way.
#[derive(Debug)]
struct Fork {
    pid: u32,
    pidfd: OwnedFd,
    groups: Groups,
    words: OwnedFd,
    /// Its identity in a user namespace, when it has one.
    map: Option<(u32, u32)>,
}

/// Clones the guest's first process with as many namespaces of its own as the kernel gives.
fn fork(plan: Plan, groups: Groups, privileged: bool, notes: &mut Vec<String>) -> Result<Fork, (Failure, Groups)> {
    let user = if privileged { 0 } else { libc::CLONE_NEWUSER };
    let wanted = if plan.network {
        WANTED & !libc::CLONE_NEWNET
    } else {
        WANTED
    };
    let folder = groups.open();
    let mut first = None;
    let words = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = match words.step(|| "make the start socket".to_owned()) {
        Ok(pair) => pair,
        Err(failure) => return Err((failure, groups)),
    };
    for (flags, cgroup) in [
        (MUST | wanted, true),
        (MUST | wanted, false),
        (MUST, true),
        (MUST, false),
    ] {
        if cgroup && folder.is_none() {
            continue;
        }
        let into = folder.as_ref().filter(|_| cgroup).map(AsFd::as_fd);
        match sys::clone_process(user | flags, into) {
            Ok(Side::Child) => {
                drop(ours);
                handover::guest_process(plan, theirs)
            }
            Ok(Side::Parent(pid, pidfd)) => {
                if flags & wanted == 0 {
                    notes.push("network, IPC and host name are shared with the host".to_owned());
                }
                let mut groups = groups;
                if !cgroup && groups.unified().is_some() {
                    notes.push("no cgroup of its own (the kernel does not let a process start in it)".to_owned());
                    groups.leave_unified();
                }
                let map = (!privileged).then_some((plan.uid, plan.gid));
                return Ok(Fork {
                    pid,
                    pidfd,
                    groups,
                    words: ours,
                    map,
                });
            }
            Err(e) => first = first.or(Some(e)),
        }
    }
    let error = first.unwrap_or_else(|| std::io::Error::from_raw_os_error(libc::EPERM));
    let remedy = if privileged {
        ""
    } else {
        handover::USER_NAMESPACE_REMEDY
    };
    let step = format!("make a PID namespace, without which guest code could escape to the host{remedy}");
    Err((
        Failure {
            step,
            errno: error.raw_os_error(),
            unsupported: false,
        },
        groups,
    ))
}

/// The supervisor's half of the hand-over.
fn hand_over(
    order: &Order,
    fork: &mut Fork,
    ptys: Vec<String>,
    mut notes: Vec<String>,
    wanted: impl FnOnce() -> bool,
) -> Result<(Running, Option<OwnedFd>), Failure> {
    limit(order, fork)?;
    let Renounced {
        notes: more,
        in_force,
        listener,
    } = handover::introduce(fork.pid, &fork.words, fork.map)?;
    notes.extend(more);
    let name = |pid| {
        process::name(pid).ok_or_else(|| Failure::new(format!("read the start time of process {pid} from /proc")))
    };
    let running = Running {
        supervisor: name(std::process::id())?,
        guest: name(fork.pid)?,
        boot_id: order.boot_id.clone(),
        cgroup: fork.groups.unified().map(Path::to_owned),
        legacy_cgroups: fork.groups.legacy().to_vec(),
        in_force,
        ptys,
        not_isolated: notes,
    };
    record::write(Path::new("."), RUNNING, &running, Durable::No).step(|| format!("write '{RUNNING}'"))?;
    // A host that died in the meantime will never know of this guest's start.
    if !wanted() {
        return Err(Failure::new("start the guest: the host that ordered it is gone"));
    }
    handover::set_off(&fork.words)?;
    Ok((running, listener))
}

/// Puts the guest's first process, alone as yet, under its limits.
fn limit(order: &Order, fork: &Fork) -> Result<(), Failure> {
    if !order.layers.cgroups && !order.extras.limits.is_empty() {
        return Err(Failure {
            unsupported: true,
            ..Failure::new("limit the guest: 'cgroups' is turned off in lockstep.toml")
        });
    }
    fork.groups
        .enter(fork.pid)
        .step(|| "put the guest into its cgroups".to_owned())?;
    match fork.groups.limit(&order.extras.limits, fork.pid) {
        Ok(()) => Ok(()),
        Err(refusal) => Err(Failure {
            unsupported: matches!(refusal, Refusal::Missing(_)),
            ..Failure::new(format!("limit the guest: {refusal}"))
        }),
    }
}
