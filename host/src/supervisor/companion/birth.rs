//! Starting a companion: a sandbox of the same kind as its guest's, with the same user and the same run folder.

use super::Process;
use crate::supervisor::cgroup::Groups;
use crate::supervisor::confinement::Layers;
use crate::supervisor::extras::CompanionOrder;
use crate::supervisor::handover;
use crate::supervisor::order::{Failure, GUEST_DIR, Order, ROOT_DIR, Step};
use crate::supervisor::sandbox::{self, Plan};
use crate::supervisor::start::{self, MUST, WANTED};
use crate::supervisor::sys::{self, Side};
use crate::supervisor::{elf, identity};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bytes of its private memory-backed folder, where programs put their temporary files.
const MEMORY: u64 = 64 << 20;

/// What all companions of a guest have in common with it.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct Home {
    run_dir: PathBuf,
    user: (u32, u32),
    /// Whether they change to that user, as the guest does.
    switch: bool,
    layers: Layers,
}

impl Home {
    pub(in crate::supervisor) fn new(order: &Order, user: (u32, u32), switch: bool) -> Self {
        Self {
            run_dir: order.run_dir.clone(),
            user,
            switch,
            layers: order.layers,
        }
    }

    /// Executes the program.
    ///
    /// # Errors
    /// The step that failed.
    pub(super) fn start(
        &self,
        order: &CompanionOrder,
        groups: &Groups,
        leader: Option<u32>,
    ) -> Result<Process, Failure> {
        let within = |failure: Failure| Failure {
            step: format!("start the companion '{}': cannot {}", order.name, failure.step),
            ..failure
        };
        self.try_start(order, groups, leader).map_err(within)
    }

    fn try_start(&self, order: &CompanionOrder, groups: &Groups, leader: Option<u32>) -> Result<Process, Failure> {
        if let Some(socket) = super::socket(order) {
            // Of its life before; what binds to a name must not find it.
            let _ = std::fs::remove_file(socket);
        }
        let (output, speech) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .step(|| "make a pipe for its output".to_owned())?;
        rustix::io::ioctl_fionbio(&output, true).step(|| "set up the pipe of its output".to_owned())?;
        let plan = self.plan(order, speech)?;
        let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (words, theirs) = pair.step(|| "make its start socket".to_owned())?;
        let user = if self.switch { 0 } else { libc::CLONE_NEWUSER };
        let network = if order.network { libc::CLONE_NEWNET } else { 0 };
        let flags = user | MUST | (WANTED & !network);
        let folder = groups.open();
        let side = sys::clone_process(flags, folder.as_ref().map(AsFd::as_fd));
        let (pid, pidfd) = match side.step(|| "make its namespaces".to_owned())? {
            Side::Child => {
                drop((words, output));
                handover::guest_process(plan, theirs)
            }
            Side::Parent(pid, pidfd) => (pid, pidfd),
        };
        drop((theirs, plan));
        let process = Process {
            pidfd,
            output,
            since: Instant::now(),
        };
        let placed = match leader {
            Some(leader) => groups.follow(pid, leader),
            None => groups.enter(pid),
        };
        let map = (!self.switch).then_some(self.user);
        let started = placed
            .step(|| "put it into the guest's cgroups".to_owned())
            .and_then(|()| handover::introduce(pid, &words, map))
            .and_then(|world| {
                for note in &world.notes {
                    eprintln!("companion '{}': {note}", order.name);
                }
                handover::set_off(&words)
            });
        if let Err(failure) = started {
            let _ = rustix::process::pidfd_send_signal(&process.pidfd, rustix::process::Signal::KILL);
            start::reap(&process.pidfd);
            return Err(failure);
        }
        Ok(process)
    }

    fn plan(&self, order: &CompanionOrder, speech: OwnedFd) -> Result<Plan, Failure> {
        let text = |text: &str| {
            CString::new(text.replace("@RUN@", sandbox::RUN))
                .map_err(|_| Failure::new(format!("pass '{}': it has a zero byte", text.escape_debug())))
        };
        let identity = identity::beside(&order.argv, &order.files, self.user, self.switch)?;
        let program = order.argv.first().map(Path::new).unwrap_or(Path::new(""));
        let libraries = elf::needs_loader(program).step(|| format!("read the program '{}'", program.display()))?;
        Ok(Plan {
            argv: order.argv.iter().map(|arg| text(arg)).collect::<Result<_, _>>()?,
            env: vec![
                text("PATH=/usr/sbin:/usr/bin:/sbin:/bin")?,
                text(&format!("TMPDIR={}", sandbox::MEMORY))?,
            ],
            uid: identity.uid,
            gid: identity.gid,
            switch: identity.switch,
            files: identity.files,
            libraries,
            memory_bytes: MEMORY,
            consoles: vec![speech],
            descriptors: Vec::new(),
            taps: false,
            companion: true,
            network: order.network,
            layers: self.layers,
            root: self.run_dir.join(ROOT_DIR),
            run: self.run_dir.join(GUEST_DIR),
        })
    }
}
