//! `Connection`: frames over a unix socket, sorted into replies, events and stream packets.
//!
//! One thread, one connection: whoever waits for one kind of frame keeps the others for those who ask later, and
//! answers the host's pings meanwhile. The socket never blocks by itself, so a host that waits for us to read can not
//! meet us waiting for it to read.

use super::error::{Error, Result};
use super::event::Event;
use super::target::Target;
use crate::rpc::codec::Procedure;
use crate::rpc::codec::connect::{AuthList, ConnectOpen, OPEN_READ_ONLY};
use crate::rpc::error::RemoteError;
use crate::rpc::frame::{self, Frame, LENGTH_LEN};
use crate::rpc::header::{
    Header, KEEPALIVE_PING, KEEPALIVE_PONG, KEEPALIVE_PROGRAM, Kind, PROGRAM_VERSION, REMOTE_PROGRAM, Status,
};
use crate::rpc::xdr::{self, Xdr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A connection that was opened at a host.
#[derive(Debug)]
pub struct Connection {
    socket: UnixStream,
    serial: u32,
    inbox: Vec<u8>,
    outbox: VecDeque<u8>,
    replies: VecDeque<Frame>,
    events: VecDeque<Event>,
    packets: VecDeque<Frame>,
}

/// What ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Woken {
    /// Bytes went or came.
    Socket,
    /// One of the other descriptors is ready, by its place in the list.
    Other(usize),
    /// The time is over.
    Deadline,
}

impl Connection {
    /// Connects and opens.
    ///
    /// # Errors
    /// No host there, or one that refuses.
    pub fn open(target: &Target) -> Result<Self> {
        let connect = |socket: &std::path::Path| {
            let stream = UnixStream::connect(socket)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        };
        let socket = connect(&target.socket).map_err(|cause| Error::Connect {
            socket: target.socket.clone(),
            cause,
        })?;
        let mut connection = Self::over(socket);
        connection.call(&AuthList {})?;
        connection.call(&ConnectOpen {
            name: target.name.clone(),
            flags: if target.readonly { OPEN_READ_ONLY } else { 0 },
        })?;
        Ok(connection)
    }

    /// A connection over a socket that does not block and was not opened yet.
    pub(crate) fn over(socket: UnixStream) -> Self {
        Self {
            socket,
            serial: 0,
            inbox: Vec::new(),
            outbox: VecDeque::new(),
            replies: VecDeque::new(),
            events: VecDeque::new(),
            packets: VecDeque::new(),
        }
    }

    /// Calls a procedure of the remote program and waits for its answer.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn call<P: Procedure>(&mut self, args: &P) -> Result<P::Ret> {
        self.call_at(REMOTE_PROGRAM, P::NUMBER, args).map(|(ret, _)| ret)
    }

    /// Calls a procedure of any program; answers the header of the call too, which a stream is known by.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn call_at<A: Xdr, R: Xdr>(&mut self, program: u32, number: u32, args: &A) -> Result<(R, Header)> {
        let header = self.begin(program, number, args)?;
        loop {
            if let Some(reply) = self.take_reply(&header)? {
                return Ok((reply, header));
            }
            self.wait(None, &[])?;
        }
    }

    /// Calls a procedure that may take long; `meanwhile` is called whenever `watched` is readable, and once with
    /// `true` when `deadline` has passed. The answer is waited for all the same.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn call_watching<P: Procedure>(
        &mut self,
        args: &P,
        mut deadline: Option<Instant>,
        watched: BorrowedFd<'_>,
        mut meanwhile: impl FnMut(bool),
    ) -> Result<P::Ret> {
        let header = self.begin(REMOTE_PROGRAM, P::NUMBER, args)?;
        loop {
            if let Some(reply) = self.take_reply(&header)? {
                return Ok(reply);
            }
            match self.wait(deadline, &[(watched, PollFlags::IN)])? {
                Woken::Socket => {}
                Woken::Other(_) => meanwhile(false),
                Woken::Deadline => {
                    deadline = None;
                    meanwhile(true);
                }
            }
        }
    }

    fn begin<A: Xdr>(&mut self, program: u32, number: u32, args: &A) -> Result<Header> {
        let header = Header {
            program,
            version: PROGRAM_VERSION,
            procedure: number.cast_signed(),
            kind: Kind::Call,
            serial: self.serial,
            status: Status::Ok,
        };
        self.serial = self.serial.wrapping_add(1);
        let payload = xdr::encode(args).map_err(|error| Error::Protocol(error.to_string()))?;
        self.send(&header, &payload)?;
        Ok(header)
    }

    fn take_reply<R: Xdr>(&mut self, call: &Header) -> Result<Option<R>> {
        let Some(reply) = self.replies.pop_front() else {
            return Ok(None);
        };
        if reply.header.serial != call.serial {
            return Err(Error::Protocol(format!(
                "call {} was answered with the reply to call {}",
                call.serial, reply.header.serial
            )));
        }
        match reply.header.status {
            Status::Ok => decode(&reply.payload).map(Some),
            _ => Err(refusal(&reply.payload)),
        }
    }

    /// Queues a frame; it leaves with the next wait.
    ///
    /// # Errors
    /// A payload that no frame can hold, or a broken connection.
    pub(crate) fn send(&mut self, header: &Header, payload: &[u8]) -> Result<()> {
        let bytes = frame::encode(header, payload).map_err(|error| Error::Protocol(error.to_string()))?;
        self.outbox.extend(bytes);
        self.flush()
    }

    /// Whether everything that was sent has left.
    pub(crate) fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    /// The oldest event that was not taken yet.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The oldest stream packet that was not taken yet.
    pub(crate) fn take_packet(&mut self) -> Option<Frame> {
        self.packets.pop_front()
    }

    /// Waits until the socket has moved, another descriptor is ready, or the time is over.
    ///
    /// # Errors
    /// A broken connection or protocol.
    pub fn wait(&mut self, deadline: Option<Instant>, others: &[(BorrowedFd<'_>, PollFlags)]) -> Result<Woken> {
        let wish = if self.outbox.is_empty() {
            PollFlags::IN
        } else {
            PollFlags::IN | PollFlags::OUT
        };
        let timeout = deadline.map(|deadline| timespec(deadline.saturating_duration_since(Instant::now())));
        let (count, socket, other) = {
            let mut fds = vec![PollFd::from_borrowed_fd(self.socket.as_fd(), wish)];
            fds.extend(others.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)));
            let count = match poll(&mut fds, timeout.as_ref()) {
                Ok(count) => count,
                // A signal; its handler has written to one of the others, or nobody cares for it.
                Err(rustix::io::Errno::INTR) => return Ok(Woken::Socket),
                Err(error) => return Err(Error::Lost(error.into())),
            };
            let ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
            (count, ready(&fds[0]), fds[1..].iter().position(ready))
        };
        if count == 0 {
            return Ok(Woken::Deadline);
        }
        if socket {
            self.flush()?;
            self.receive()?;
        }
        Ok(other.map_or(Woken::Socket, Woken::Other))
    }

    fn flush(&mut self) -> Result<()> {
        while !self.outbox.is_empty() {
            let (front, _) = self.outbox.as_slices();
            match self.socket.write(front) {
                Ok(0) => return Err(Error::Lost(io::ErrorKind::WriteZero.into())),
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Lost(error)),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let mut bytes = [0; 65_536];
        match self.socket.read(&mut bytes) {
            Ok(0) => return Err(Error::Lost(io::Error::other("the host closed it"))),
            Ok(count) => self.inbox.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(Error::Lost(error)),
        }
        while let Some((word, rest)) = self.inbox.split_first_chunk::<LENGTH_LEN>() {
            let length = frame::body_len(*word).map_err(|error| Error::Protocol(error.to_string()))?;
            let Some(body) = rest.get(..length) else { break };
            let frame = Frame::from_body(body.to_vec()).map_err(|error| Error::Protocol(error.to_string()))?;
            self.inbox.drain(..LENGTH_LEN + length);
            self.sort(frame)?;
        }
        Ok(())
    }

    fn sort(&mut self, frame: Frame) -> Result<()> {
        match frame.header.kind {
            Kind::Message if frame.header.program == KEEPALIVE_PROGRAM => {
                if frame.header.procedure == KEEPALIVE_PING {
                    self.send(&Header::keepalive(KEEPALIVE_PONG), &[])?;
                }
            }
            Kind::Reply => self.replies.push_back(frame),
            Kind::Stream => self.packets.push_back(frame),
            Kind::Message => self.events.extend(Event::from_frame(&frame)?),
            other => return Err(Error::Protocol(format!("a client was sent a frame of kind {other:?}"))),
        }
        Ok(())
    }
}

/// A payload as the value that it must be.
pub(crate) fn decode<T: Xdr>(payload: &[u8]) -> Result<T> {
    xdr::decode(payload).map_err(|error| Error::Protocol(error.to_string()))
}

/// The payload of a refusal as an error.
pub(crate) fn refusal(payload: &[u8]) -> Error {
    decode::<RemoteError>(payload).map_or_else(|error| error, |remote| Error::Remote(remote.into()))
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
