//! `Stream`: a console's bytes, both ways, over the connection that opened it.

use super::connection::{Connection, refusal};
use super::error::{Error, Result};
use crate::rpc::codec::Procedure;
use crate::rpc::codec::domain::{DomainOpenConsole, DomainRef};
use crate::rpc::header::{Header, Kind, REMOTE_PROGRAM, Status};

/// An open console.
#[derive(Debug)]
pub struct Stream {
    header: Header,
}

/// What came from a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Packet {
    /// Bytes.
    Data(Vec<u8>),
    /// No bytes will follow.
    End,
}

impl Stream {
    /// Opens a console by name, or the first one.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn open(connection: &mut Connection, dom: &DomainRef, device: Option<&str>, flags: u32) -> Result<Self> {
        let args = DomainOpenConsole {
            dom: dom.clone(),
            device: device.map(str::to_owned),
            flags,
        };
        let ((), header) = connection.call_at(REMOTE_PROGRAM, DomainOpenConsole::NUMBER, &args)?;
        Ok(Self { header })
    }

    /// The next packet that has come already; `None` when there is none.
    ///
    /// # Errors
    /// The host ended the stream with a reason.
    pub fn take(&self, connection: &mut Connection) -> Result<Option<Packet>> {
        while let Some(frame) = connection.take_packet() {
            if frame.header.serial != self.header.serial {
                continue;
            }
            return match frame.header.status {
                Status::Continue if !frame.payload.is_empty() => Ok(Some(Packet::Data(frame.payload))),
                Status::Continue | Status::Ok => Ok(Some(Packet::End)),
                Status::Error => Err(refusal(&frame.payload)),
            };
        }
        Ok(None)
    }

    /// Sends bytes to the guest.
    ///
    /// # Errors
    /// A broken connection.
    pub fn send(&self, connection: &mut Connection, bytes: &[u8]) -> Result<()> {
        connection.send(&self.header.answer(Kind::Stream, Status::Continue), bytes)
    }

    /// Ends the stream and waits until the host has agreed; bytes that come meanwhile are dropped.
    ///
    /// # Errors
    /// The host's reason, or a broken connection.
    pub fn finish(self, connection: &mut Connection) -> Result<()> {
        connection.send(&self.header.answer(Kind::Stream, Status::Ok), &[])?;
        loop {
            while let Some(frame) = connection.take_packet() {
                match frame.header.status {
                    _ if frame.header.serial != self.header.serial => {}
                    Status::Ok => return Ok(()),
                    Status::Error => return Err(refusal(&frame.payload)),
                    Status::Continue => {}
                }
            }
            match connection.wait(None, &[]) {
                // A host that stops has no answer for us any more, and none is needed.
                Err(Error::Lost(_)) => return Ok(()),
                other => other?,
            };
        }
    }
}
