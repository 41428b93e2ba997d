//! `Conversation`: one command to one guest kernel and its answer, taken piece by piece without waiting.

use super::client::{Failure, io_failure};
use super::packet::{self, Answer, Assembly, MAX_DATAGRAM};
use crate::sys;
use rustix::fs::{AtFlags, unlinkat};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, recvmsg, send};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A way to a guest kernel that is open for one answer. The name of its socket goes with it.
#[derive(Debug)]
pub struct Conversation {
    socket: OwnedFd,
    folder: OwnedFd,
    name: String,
    /// Who may answer; 0 takes any.
    pid: u32,
    assembly: Assembly,
}

impl AsFd for Conversation {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if let Err(errno) = unlinkat(&self.folder, &self.name, AtFlags::empty()) {
            tracing::debug!(name = %self.name, error = %errno, "the reply socket could not be removed");
        }
    }
}

impl Conversation {
    /// A conversation on a non-blocking socket that is bound to `name` in `folder`.
    pub(super) fn new(socket: OwnedFd, folder: OwnedFd, name: String, pid: u32) -> Self {
        Self {
            socket,
            folder,
            name,
            pid,
            assembly: Assembly::default(),
        }
    }

    /// Sends the text of a command or an order; does not wait.
    ///
    /// # Errors
    /// [`Failure::Full`] when the kernel reads nothing any more, [`Failure::Gone`].
    pub(crate) fn send(&self, command: &str) -> Result<(), Failure> {
        match send(&self.socket, &packet::request(command), SendFlags::NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(rustix::io::Errno::AGAIN) => Err(Failure::Full),
            Err(errno) => Err(Failure::Gone(errno.into())),
        }
    }

    /// Takes what has come; the whole answer once its last part is there. Does not wait.
    ///
    /// # Errors
    /// [`Failure::Stranger`], [`Failure::Nonsense`], [`Failure::Io`].
    pub fn hear(&mut self) -> Result<Option<Answer>, Failure> {
        while let Some((datagram, sender)) = receive(self.socket.as_fd()).map_err(io_failure)? {
            if self.pid != 0 && u32::try_from(sender).ok() != Some(self.pid) {
                return Err(Failure::Stranger(sender));
            }
            if let Some(answer) = self.assembly.push(&datagram).map_err(Failure::Nonsense)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// Whether the command still waits to be read by the kernel, as far as the host's kernel tells.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        sys::unread(self.as_fd()).is_ok_and(|bytes| bytes > 0)
    }
}

/// One datagram and the process that sent it, or `None` when there is none yet.
fn receive(socket: BorrowedFd<'_>) -> rustix::io::Result<Option<(Vec<u8>, i32)>> {
    // One byte more than allowed, so that a longer datagram is seen to be one.
    let mut bytes = [0_u8; MAX_DATAGRAM + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = match recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut control,
        RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
    ) {
        Ok(got) => got,
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let sender = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid.as_raw_nonzero().get()),
        _ => None,
    });
    let length = if got.flags.contains(ReturnFlags::TRUNC) {
        0
    } else {
        got.bytes
    };
    Ok(Some((bytes[..length].to_vec(), sender.unwrap_or(0))))
}
