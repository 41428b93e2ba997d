//! `Relay`: carries frames between a socket in a guest's run folder and a wire of the host.

use super::super::order::{Failure, GUEST_DIR, Step};
use super::Owner;
use super::wire::Wire;
use rustix::event::PollFlags;
use rustix::fs::{CWD, Gid, Mode, Uid};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, recv,
    send, socket_with,
};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The longest frame, of a network with large ones and a tag.
const FRAME: usize = 9216 + 18;
/// Frames in one round, so that a guest that floods leaves its consoles their turn.
const ROUND: usize = 64;

/// What of a relay became ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Part {
    Listener,
    Guest,
    Wire,
}

/// What went through a link, as the guest sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct Traffic {
    pub(in super::super) name: String,
    pub(in super::super) rx_bytes: u64,
    pub(in super::super) rx_packets: u64,
    pub(in super::super) tx_bytes: u64,
    pub(in super::super) tx_packets: u64,
}

/// One link that is no tap. What does not fit anywhere is lost; nothing waits here.
#[derive(Debug)]
pub(super) struct Relay {
    listener: OwnedFd,
    /// The guest's end, while its interface is up.
    guest: Option<OwnedFd>,
    wire: Wire,
    pub(super) traffic: Traffic,
}

impl Relay {
    /// Listens for the guest at `NAME.link` in its run folder.
    ///
    /// # Errors
    /// With the step that failed.
    pub(super) fn new(name: &str, wire: Wire, owner: Owner) -> Result<Self, Failure> {
        let step = || format!("make the socket of link '{name}'");
        // Made outside of the folder in which the guest could put something else in its place meanwhile.
        let made = format!(".{name}.link");
        let _ = std::fs::remove_file(&made);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).step(step)?;
        bind(&listener, &SocketAddrUnix::new(made.as_str()).step(step)?).step(step)?;
        rustix::fs::chmodat(CWD, &made, Mode::from_raw_mode(0o600), rustix::fs::AtFlags::empty()).step(step)?;
        if let Some((uid, gid)) = owner {
            rustix::fs::chown(&made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).step(step)?;
        }
        // One that is the last to leave, and its successor.
        listen(&listener, 2).step(step)?;
        std::fs::rename(&made, socket_path(name)).step(step)?;
        Ok(Self {
            listener,
            guest: None,
            wire,
            traffic: Traffic {
                name: name.to_owned(),
                ..Traffic::default()
            },
        })
    }

    /// What it waits for.
    pub(super) fn interests(&self) -> Vec<(Part, BorrowedFd<'_>, PollFlags)> {
        let mut list = vec![(Part::Listener, self.listener.as_fd(), PollFlags::IN)];
        // Always: frames for a guest that is not there must not be the first that it gets.
        let wire = self.wire.receiver();
        list.extend(wire.map(|wire| (Part::Wire, wire, PollFlags::IN)));
        list.extend(
            self.guest
                .as_ref()
                .map(|guest| (Part::Guest, guest.as_fd(), PollFlags::IN)),
        );
        list
    }

    /// Does what became possible.
    pub(super) fn handle(&mut self, part: Part) {
        match part {
            Part::Listener => {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                // A guest that comes again has forgotten its former end.
                if let Ok(guest) = accept_with(&self.listener, flags) {
                    self.guest = Some(guest);
                }
            }
            Part::Guest => self.carry_out(),
            Part::Wire => self.carry_in(),
        }
    }

    fn carry_out(&mut self) {
        let mut frame = [0_u8; FRAME];
        for _ in 0..ROUND {
            let Some(guest) = &self.guest else { return };
            match recv(guest, &mut frame, RecvFlags::TRUNC) {
                Ok((_, 0)) => self.guest = None,
                Ok((_, length)) if length > FRAME => {}
                Ok((_, length)) => {
                    if self.wire.send(&frame[..length]) {
                        self.traffic.tx_packets += 1;
                        self.traffic.tx_bytes += length as u64;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.guest = None,
            }
        }
    }

    fn carry_in(&mut self) {
        let mut frame = [0_u8; FRAME];
        for _ in 0..ROUND {
            let Some(length) = self.wire.receive(&mut frame) else {
                return;
            };
            if let Some(guest) = self.guest.as_ref().filter(|_| length > 0)
                && send(guest, &frame[..length], SendFlags::NOSIGNAL).is_ok()
            {
                self.traffic.rx_packets += 1;
                self.traffic.rx_bytes += length as u64;
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Whatever the guest has put there: no link is followed.
        let _ = std::fs::remove_file(socket_path(&self.traffic.name));
    }
}

fn socket_path(name: &str) -> String {
    format!("{GUEST_DIR}/{name}.link")
}
