//! `Wire`: frames as UDP datagrams, one in each, as other machine monitors send them, to a multicast group or to one peer; or
//! as packets to and from a program beside the guest.

use super::super::order::{Failure, Step};
use super::program::Program;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Ipv4Addr, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, getsockname, recvfrom, send,
    socket_with, sockopt,
};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One end of a wire.
#[derive(Debug)]
pub(super) enum Wire {
    /// Everybody in the group is on it. What this end sends comes back to it, as to its neighbours on the same machine.
    Group {
        group: SocketAddr,
        /// Bound to the group, as all sockets of it are.
        receiver: OwnedFd,
        /// With a port of its own, by which its datagrams are known; made anew when the network has changed.
        sender: Option<Sender>,
    },
    Peer(OwnedFd),
    Program(Program),
}

#[derive(Debug)]
pub(super) struct Sender {
    socket: OwnedFd,
    address: SocketAddr,
}

impl Wire {
    /// Joins a group, `address:port`.
    ///
    /// # Errors
    /// With the group that could not be joined.
    pub(super) fn join(group: &str) -> Result<Self, Failure> {
        let group = parse(group)?;
        let join = || -> io::Result<OwnedFd> {
            let socket = datagrams(&group)?;
            // Guests of the same host share group and port.
            sockopt::set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &group)?;
            match group.ip() {
                IpAddr::V4(ip) => sockopt::set_ip_add_membership(&socket, &ip, &Ipv4Addr::UNSPECIFIED)?,
                IpAddr::V6(ip) => sockopt::set_ipv6_add_membership(&socket, &ip, 0)?,
            }
            Ok(socket)
        };
        Ok(Self::Group {
            group,
            receiver: join().step(|| format!("join the multicast group '{group}'"))?,
            sender: None,
        })
    }

    /// A wire between two addresses.
    ///
    /// # Errors
    /// With the addresses.
    pub(super) fn between(local: &str, remote: &str) -> Result<Self, Failure> {
        let (local, remote) = (parse(local)?, parse(remote)?);
        let make = || -> io::Result<OwnedFd> {
            let socket = datagrams(&local)?;
            bind(&socket, &local)?;
            connect(&socket, &remote)?;
            Ok(socket)
        };
        let socket = make().step(|| format!("lay a wire from '{local}' to '{remote}'"))?;
        Ok(Self::Peer(socket))
    }

    /// The way to a program that listens at this socket in the run folder.
    pub(super) fn to_program(socket: &str) -> Self {
        Self::Program(Program::new(socket))
    }

    pub(super) fn receiver(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Group { receiver, .. } => Some(receiver.as_fd()),
            Self::Peer(socket) => Some(socket.as_fd()),
            Self::Program(program) => program.stream(),
        }
    }

    /// Sends a frame, or loses it, as wires do.
    pub(super) fn send(&mut self, frame: &[u8]) -> bool {
        match self {
            Self::Group { group, sender, .. } => {
                if sender.is_none() {
                    *sender = Sender::new(group).ok();
                }
                let sent = sender
                    .as_ref()
                    .map(|sender| send(&sender.socket, frame, SendFlags::NOSIGNAL));
                match sent {
                    Some(Ok(_)) => return true,
                    Some(Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::MSGSIZE)) | None => {}
                    Some(Err(_)) => *sender = None,
                }
                false
            }
            Self::Peer(socket) => send(socket, frame, SendFlags::NOSIGNAL).is_ok(),
            Self::Program(program) => program.send(frame),
        }
    }

    /// Takes the next frame of somebody else into `frame`; `None` when there is nothing more, `Some(0)` for what is to be
    /// left out.
    pub(super) fn receive(&mut self, frame: &mut [u8]) -> Option<usize> {
        if let Self::Program(program) = self {
            return program.receive(frame);
        }
        let room = frame.len();
        match recvfrom(self.receiver()?, frame, RecvFlags::TRUNC) {
            Ok((_, length, from)) => {
                let from = from.and_then(|from| SocketAddr::try_from(from).ok());
                Some(if length > room || self.is_own(from) { 0 } else { length })
            }
            Err(Errno::AGAIN) => None,
            // Nobody is there to take the last frame; or a signal.
            Err(_) => Some(0),
        }
    }

    fn is_own(&self, from: Option<SocketAddr>) -> bool {
        match self {
            Self::Group {
                sender: Some(sender), ..
            } => from == Some(sender.address),
            _ => false,
        }
    }
}

impl Sender {
    fn new(group: &SocketAddr) -> io::Result<Self> {
        let socket = datagrams(group)?;
        // No further than the network that this machine is in; and to guests of this machine too.
        if group.is_ipv4() {
            sockopt::set_ip_multicast_ttl(&socket, 1)?;
            sockopt::set_ip_multicast_loop(&socket, true)?;
        } else {
            sockopt::set_ipv6_multicast_hops(&socket, 1)?;
            sockopt::set_ipv6_multicast_loop(&socket, true)?;
        }
        connect(&socket, group)?;
        let address = SocketAddr::try_from(getsockname(&socket)?)?;
        Ok(Self { socket, address })
    }
}

fn datagrams(like: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if like.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(family, SocketType::DGRAM, flags, None)?)
}

fn parse(address: &str) -> Result<SocketAddr, Failure> {
    address
        .parse()
        .map_err(|_| Failure::new(format!("understand the address '{address}' of a link")))
}
