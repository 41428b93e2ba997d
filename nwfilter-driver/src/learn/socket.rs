//! `Tap`: a packet socket that sees a port's frames, both ways, as far as they matter.

use super::bpf::{Look, SNAP};
use super::frame::Way;
use super::sys;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Frames that wait to be looked at: some tens, so that what a flood leaves behind is soon gone.
const QUEUE: usize = 64 << 10;

/// A socket on one device. Frames from the guest are seen before any filter, frames to it behind all of them.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    device: u32,
    look: Look,
}

impl Tap {
    /// Listens on a device. The socket sees nothing before the filter is on it: it is only bound then.
    ///
    /// # Errors
    /// ENODEV if the device is gone, EPERM without CAP_NET_RAW.
    pub fn open(device: u32, look: Look) -> io::Result<Self> {
        // Protocol none: frames would be queued from here on otherwise.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
        sockopt::set_socket_recv_buffer_size(&socket, QUEUE)?;
        sys::attach_filter(socket.as_fd(), &look.program())?;
        sys::bind(socket.as_fd(), device)?;
        Ok(Self { socket, device, look })
    }

    /// The number of the device.
    #[must_use]
    pub const fn device(&self) -> u32 {
        self.device
    }

    /// Looks for something else from now on; what is queued already stays so.
    ///
    /// # Errors
    /// The kernel has no memory; the old filter stays.
    pub fn look_for(&mut self, look: Look) -> io::Result<()> {
        if look != self.look {
            sys::attach_filter(self.socket.as_fd(), &look.program())?;
            self.look = look;
        }
        Ok(())
    }

    /// Takes the next frame, if there is one.
    ///
    /// # Errors
    /// The device went down or away; the socket works again when it is up.
    pub fn next<'a>(&self, buffer: &'a mut Buffer) -> io::Result<Option<(Way, &'a [u8])>> {
        match sys::receive(self.socket.as_fd(), &mut buffer.0) {
            Ok((length, outgoing)) => {
                let way = if outgoing { Way::ToGuest } else { Way::FromGuest };
                Ok(Some((way, &buffer.0[..length.min(buffer.0.len())])))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Room for one frame.
#[derive(Debug)]
pub struct Buffer([u8; SNAP as usize]);

impl Default for Buffer {
    fn default() -> Self {
        Self([0; SNAP as usize])
    }
}
