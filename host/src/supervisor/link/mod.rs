//! `Links`: a guest's ways into networks, taps that it may take and relays to sockets of the host and to programs beside the guest.

mod program;
mod relay;
mod sys;
mod tap;
mod wire;

use super::extras::LinkOrder;
use super::order::Failure;
use relay::Relay;
pub(super) use relay::Traffic;
use rustix::event::PollFlags;
use std::os::fd::{BorrowedFd, OwnedFd};
pub(super) use sys::filter_and_listen;
pub(super) use tap::{NAME, Taps};
use wire::Wire;

/// The user and group to which sockets for the guest are given, when it has others than the host.
type Owner = Option<(u32, u32)>;

/// What of a guest's links became ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Requests,
    Relay(usize, relay::Part),
}

/// All links of one guest.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) taps: Taps,
    relays: Vec<Relay>,
    owner: Owner,
}

impl Links {
    /// None yet, of a guest with this user and group.
    pub(super) fn new(owner: Owner) -> Self {
        Self {
            taps: Taps::default(),
            relays: Vec::new(),
            owner,
        }
    }

    /// What went through those that are no taps.
    pub(super) fn traffic(&self) -> Vec<Traffic> {
        self.relays.iter().map(|relay| relay.traffic.clone()).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.taps.has(name) || self.relays.iter().any(|relay| relay.traffic.name == name)
    }

    /// Takes a link away; `false` when there is none of this name. Of a tap that the guest has taken it keeps its copy: the
    /// device goes when its owner removes it, or with the guest.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let before = self.relays.len();
        self.relays.retain(|relay| relay.traffic.name != name);
        self.relays.len() != before || self.taps.remove(name)
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
            LinkOrder::Multicast { name, group } => self.relay(name, Wire::join(group)?),
            LinkOrder::Udp { name, local, remote } => self.relay(name, Wire::between(local, remote)?),
            LinkOrder::Program { name, socket } => self.relay(name, Wire::to_program(socket)),
        }
    }

    fn relay(&mut self, name: &str, wire: Wire) -> Result<(), Failure> {
        self.relays.push(Relay::new(name, wire, self.owner)?);
        Ok(())
    }

    /// What the links wait for.
    pub(super) fn interests(&self) -> Vec<(Part, BorrowedFd<'_>, PollFlags)> {
        let requests = self.taps.listener().map(|fd| (Part::Requests, fd, PollFlags::IN));
        let mut list: Vec<_> = requests.into_iter().collect();
        for (number, relay) in self.relays.iter().enumerate() {
            let parts = relay.interests().into_iter();
            list.extend(parts.map(|(part, fd, flags)| (Part::Relay(number, part), fd, flags)));
        }
        list
    }

    /// Does what became possible.
    pub(super) fn handle(&mut self, part: Part, flags: PollFlags) {
        match part {
            Part::Requests if flags.contains(PollFlags::IN) => self.taps.serve(),
            // No process is left that could ask.
            Part::Requests => self.taps.listen(None),
            Part::Relay(number, part) => {
                if let Some(relay) = self.relays.get_mut(number) {
                    relay.handle(part);
                }
            }
        }
    }
}
