//! `Companions`: the programs beside a guest, started before it, started again when they end, and ended with it.

mod birth;
mod request;
mod speech;

pub(super) use birth::Home;
pub(super) use request::{State, Wish, check};

use super::cgroup::Groups;
use super::extras::CompanionOrder;
use super::order::{Failure, GUEST_DIR};
use super::start;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use speech::Speech;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The pause before one that ended is started again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// One that ran for so long has proved itself: its next end is a first one.
const PROVED: Duration = Duration::from_secs(60);
/// How long one may take until it is ready, before its guest starts.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// What became ready of one of them; the number is its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Exit(u64),
    Output(u64),
}

/// A program that runs.
#[derive(Debug)]
struct Process {
    pidfd: OwnedFd,
    output: OwnedFd,
    since: Instant,
}

#[derive(Debug)]
struct Companion {
    number: u64,
    order: CompanionOrder,
    process: Option<Process>,
    speech: Speech,
    /// When it is started again, and the pause after the end that may follow.
    again: Option<Instant>,
    pause: Duration,
    /// How it ended last.
    end: String,
}

/// All of one guest's.
#[derive(Debug)]
pub(super) struct Companions {
    home: Home,
    list: Vec<Companion>,
    last: u64,
    /// The guest is ending: none is started any more.
    retired: bool,
}

impl Companions {
    pub(super) const fn new(home: Home) -> Self {
        Self {
            home,
            list: Vec::new(),
            last: 0,
            retired: false,
        }
    }

    /// Starts one; it need not be ready when this returns. `leader` is the guest's first process, once there is one: the
    /// limits of that are its own.
    ///
    /// # Errors
    /// The step that failed.
    pub(super) fn start(&mut self, order: CompanionOrder, groups: &Groups, leader: Option<u32>) -> Result<(), Failure> {
        if self.list.iter().any(|companion| companion.order.name == order.name) {
            return Err(Failure::new(format!("start a second companion '{}'", order.name)));
        }
        let process = self.home.start(&order, groups, leader)?;
        self.last += 1;
        self.list.push(Companion {
            number: self.last,
            speech: Speech::new(&order.name),
            order,
            process: Some(process),
            again: None,
            pause: FIRST_PAUSE,
            end: String::new(),
        });
        Ok(())
    }

    /// Starts all that a guest needs before itself, and waits for each until it is ready.
    ///
    /// # Errors
    /// The step that failed; those that run already go on.
    pub(super) fn start_all(&mut self, orders: &[CompanionOrder], groups: &Groups) -> Result<(), Failure> {
        for order in orders {
            self.start(order.clone(), groups, None)?;
        }
        for order in orders {
            self.await_ready(&order.name, Instant::now() + PATIENCE)?;
        }
        Ok(())
    }

    fn await_ready(&mut self, name: &str, deadline: Instant) -> Result<(), Failure> {
        loop {
            match self.state(name) {
                State::Ready => return Ok(()),
                State::Waiting if Instant::now() < deadline => {}
                State::Waiting => {
                    return Err(Failure::new(format!(
                        "wait for the companion '{name}': its socket did not come within {} s",
                        PATIENCE.as_secs()
                    )));
                }
                State::Ended(how) => {
                    return Err(Failure::new(format!("start the companion '{name}': it {how}")));
                }
                State::Unknown => return Err(Failure::new(format!("find the companion '{name}'"))),
            }
            let places = self.interests();
            let mut fds: Vec<PollFd<'_>> = places
                .iter()
                .map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
                .collect();
            // The socket appears without a word, an end is told.
            if poll(&mut fds, Some(&LOOK)).is_err() {
                continue;
            }
            let ready: Vec<Part> = places
                .iter()
                .zip(&fds)
                .filter(|(_, fd)| !fd.revents().is_empty())
                .map(|((part, ..), _)| *part)
                .collect();
            for part in ready {
                // One that ends before it was ready ever is not started again.
                self.serve(part);
            }
        }
    }

    /// How far one is.
    pub(super) fn state(&self, name: &str) -> State {
        let Some(companion) = self.list.iter().find(|companion| companion.order.name == name) else {
            return State::Unknown;
        };
        match &companion.process {
            None => State::Ended(companion.end.clone()),
            Some(_) if companion.is_ready() => State::Ready,
            Some(_) => State::Waiting,
        }
    }

    /// Ends one for good; `false` when there is none of this name.
    pub(super) fn stop(&mut self, name: &str) -> bool {
        let Some(place) = self.list.iter().position(|companion| companion.order.name == name) else {
            return false;
        };
        self.list.remove(place).kill();
        true
    }

    /// Nothing is started again from now on.
    pub(super) const fn retire(&mut self) {
        self.retired = true;
    }

    /// Ends all, and waits until they are gone.
    pub(super) fn end(&mut self) {
        self.retire();
        for companion in &self.list {
            companion.signal();
        }
        self.list.drain(..).for_each(Companion::kill);
    }

    /// What to wait for.
    pub(super) fn interests(&self) -> Vec<(Part, BorrowedFd<'_>, PollFlags)> {
        let mut places = Vec::new();
        for companion in &self.list {
            if let Some(process) = &companion.process {
                // Its last words before its end.
                places.push((Part::Output(companion.number), process.output.as_fd(), PollFlags::IN));
                places.push((Part::Exit(companion.number), process.pidfd.as_fd(), PollFlags::IN));
            }
        }
        places
    }

    /// When the next one is to be started again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let next = self.list.iter().filter_map(|companion| companion.again).min()?;
        (!self.retired).then_some(next)
    }

    /// Serves one that became ready.
    pub(super) fn handle(&mut self, part: Part) {
        if let Some(companion) = self.serve(part)
            && companion.order.restart
        {
            companion.again = Some(Instant::now() + companion.pause);
            companion.pause = (companion.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Returns the one that has just ended.
    fn serve(&mut self, part: Part) -> Option<&mut Companion> {
        let (Part::Exit(number) | Part::Output(number)) = part;
        let companion = self.list.iter_mut().find(|companion| companion.number == number)?;
        let process = companion.process.as_ref()?;
        let open = companion.speech.read(&process.output);
        if matches!(part, Part::Output(_)) && open {
            return None;
        }
        // Its output is at its end when all of its processes are: its first one ends with them or takes them along.
        let process = companion.process.take()?;
        if matches!(part, Part::Output(_)) {
            let _ = pidfd_send_signal(&process.pidfd, Signal::KILL);
        }
        let how = start::reap(&process.pidfd);
        companion.speech.read(&process.output);
        if process.since.elapsed() > PROVED {
            companion.pause = FIRST_PAUSE;
        }
        companion.end = companion.speech.epitaph(how);
        eprintln!("companion '{}' {}", companion.order.name, companion.end);
        Some(companion)
    }

    /// Starts those whose pause is over.
    pub(super) fn revive(&mut self, groups: &Groups, leader: u32) {
        if self.retired {
            return;
        }
        let now = Instant::now();
        for companion in &mut self.list {
            if companion.again.is_none_or(|again| again > now) {
                continue;
            }
            companion.again = None;
            match self.home.start(&companion.order, groups, Some(leader)) {
                Ok(process) => companion.process = Some(process),
                Err(failure) => {
                    companion.end = format!("can not be started again: cannot {failure}");
                    eprintln!("companion '{}' {}", companion.order.name, companion.end);
                    companion.again = Some(now + companion.pause);
                    companion.pause = (companion.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Answers the host; see `Wish`.
    pub(super) fn grant(&mut self, wish: Wish, groups: &Groups, leader: u32) -> Result<State, Failure> {
        match wish {
            Wish::Start(order) => {
                let name = order.name.clone();
                self.start(order, groups, Some(leader))?;
                Ok(self.state(&name))
            }
            Wish::Look(name) => Ok(self.state(&name)),
            Wish::Stop(name) => {
                let state = self.state(&name);
                self.stop(&name);
                Ok(state)
            }
        }
    }
}

impl Companion {
    fn is_ready(&self) -> bool {
        let Some(socket) = socket(&self.order) else {
            return true;
        };
        // Not followed: what lies in the run folder was made by the guest.
        std::fs::symlink_metadata(socket).is_ok_and(|meta| meta.file_type().is_socket())
    }

    fn signal(&self) {
        if let Some(process) = &self.process {
            let _ = pidfd_send_signal(&process.pidfd, Signal::KILL);
        }
    }

    fn kill(mut self) {
        self.signal();
        if let Some(process) = self.process.take() {
            start::reap(&process.pidfd);
            self.speech.read(&process.output);
        }
        if let Some(socket) = socket(&self.order) {
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// Where its socket is, as the supervisor sees it.
fn socket(order: &CompanionOrder) -> Option<PathBuf> {
    Some(Path::new(GUEST_DIR).join(order.ready.strip_prefix(request::RUN)?))
}
