//! `Program`: the supervisor's connection to a program beside the guest that carries its frames.
//!
//! Such a program serves one connection, and takes its end badly. So it is not the guest's, which comes and goes as the guest
//! switches its interface on and off.

use super::super::order::GUEST_DIR;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send, socket_with,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What `@RUN@/` of an order is for the supervisor.
const RUN: &str = "@RUN@/";

#[derive(Debug)]
pub(super) struct Program {
    /// Where it listens.
    socket: String,
    stream: Option<OwnedFd>,
}

impl Program {
    pub(super) fn new(socket: &str) -> Self {
        let file = socket.strip_prefix(RUN).unwrap_or(socket);
        Self {
            socket: format!("{GUEST_DIR}/{file}"),
            stream: None,
        }
    }

    pub(super) fn stream(&self) -> Option<BorrowedFd<'_>> {
        self.stream.as_ref().map(AsFd::as_fd)
    }

    /// Sends a frame, connecting first where there is no connection: before the first frame, and after the program was started
    /// again.
    pub(super) fn send(&mut self, frame: &[u8]) -> bool {
        if self.stream.is_none() {
            self.stream = self.connect().ok();
        }
        let Some(stream) = &self.stream else { return false };
        match send(stream, frame, SendFlags::NOSIGNAL) {
            Ok(_) => true,
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::MSGSIZE) => false,
            Err(_) => {
                self.stream = None;
                false
            }
        }
    }

    /// As [`super::wire::Wire::receive`].
    pub(super) fn receive(&mut self, frame: &mut [u8]) -> Option<usize> {
        let room = frame.len();
        match recv(self.stream.as_ref()?, frame, RecvFlags::TRUNC) {
            Ok((_, 0)) => {
                self.stream = None;
                None
            }
            Ok((_, length)) => Some(if length > room { 0 } else { length }),
            Err(Errno::INTR) => Some(0),
            Err(Errno::AGAIN) => None,
            Err(_) => {
                self.stream = None;
                None
            }
        }
    }

    fn connect(&self) -> rustix::io::Result<OwnedFd> {
        // The guest may have put a link there that leads to a socket of the host; what is held can not become one.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = rustix::fs::openat(CWD, &self.socket, flags, Mode::empty())?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&held)?.st_mode);
        if kind != FileType::Socket {
            return Err(Errno::NOTSOCK);
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let stream = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let path = format!("/proc/self/fd/{}", held.as_raw_fd());
        connect(&stream, &SocketAddrUnix::new(path.as_str())?)?;
        Ok(stream)
    }
}
