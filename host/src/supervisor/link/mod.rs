//! `Links`: a guest's ways into networks, taps that it may take and relays to sockets of the host.

mod sys;
mod tap;

use super::extras::LinkOrder;
use super::order::Failure;
use rustix::event::PollFlags;
use std::os::fd::{BorrowedFd, OwnedFd};
pub(super) use sys::filter_and_listen;
pub(super) use tap::{NAME, Taps};

/// What of a guest's links became ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Requests,
}

/// All links of one guest.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) taps: Taps,
}

impl Links {
    pub(super) fn has(&self, name: &str) -> bool {
        self.taps.has(name)
    }

    /// Takes a link away; `false` when there is none of this name. Of a tap that the guest has taken it keeps its copy: the
    /// device goes when its owner removes it, or with the guest.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.taps.remove(name)
    }

    /// Adds a link; a tap comes with its descriptor.
    ///
    /// # Errors
    /// With the step that failed; then nothing of it is left.
    pub(super) fn add(&mut self, link: &LinkOrder, descriptor: Option<OwnedFd>) -> Result<(), Failure> {
        match link {
            LinkOrder::Tap { name } => {
                let missing = || Failure::new(format!("use tap '{name}': no descriptor came with it"));
                self.taps.add(name, descriptor.ok_or_else(missing)?)
            }
            LinkOrder::Multicast { name, .. } | LinkOrder::Udp { name, .. } => {
                Err(Failure::new(format!("make link '{name}': relays are not there yet")))
            }
        }
    }

    /// What the links wait for.
    pub(super) fn interests(&self) -> Vec<(Part, BorrowedFd<'_>, PollFlags)> {
        let requests = self.taps.listener().map(|fd| (Part::Requests, fd, PollFlags::IN));
        requests.into_iter().collect()
    }

    /// Does what became possible.
    pub(super) fn handle(&mut self, part: Part, flags: PollFlags) {
        match part {
            Part::Requests if flags.contains(PollFlags::IN) => self.taps.serve(),
            // No process is left that could ask.
            Part::Requests => self.taps.listen(None),
        }
    }
}
