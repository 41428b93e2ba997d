//! Network devices by name and number, and what the kernel tells of their coming and going: one socket that stays open.

pub mod message;

pub use message::Event;

use driver_api::error::{Code, Error, Origin, Result};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netdevice, recv, socket_with};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The multicast group of changes of devices (`RTMGRP_LINK`).
const LINK_GROUP: u32 = 1;

/// The kernel's devices in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Links(OwnedFd);

impl Links {
    /// Opens the socket; events are kept from now on.
    ///
    /// # Errors
    /// 38 when the kernel gives none.
    pub fn open() -> Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // No protocol is NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).and_then(|socket| {
            bind(&socket, &SocketAddrNetlink::new(0, LINK_GROUP))?;
            Ok(socket)
        });
        socket.map(Self).map_err(|error| {
            let message = "the kernel gives no socket that tells of network devices";
            Error::new(Code::SYSTEM_ERROR, Origin::NWFILTER, message).because(io::Error::from(error))
        })
    }

    /// The number of a device; `None` if there is none of this name.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<u32> {
        netdevice::name_to_index(&self.0, name).ok()
    }

    /// Takes all events that are there, waiting for none.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut found = Vec::new();
        // More than the kernel tells of one device.
        let mut buffer = vec![0; 32 << 10];
        loop {
            match recv(&self.0, buffer.as_mut_slice(), RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
                Ok((kept, sent)) if kept == sent => found.extend(message::events(&buffer[..kept])),
                Ok(_) | Err(Errno::NOBUFS) => found.push(Event::Lost),
                Err(_) => return found,
            }
        }
    }
}

impl AsFd for Links {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
