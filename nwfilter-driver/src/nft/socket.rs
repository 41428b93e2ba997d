//! `Socket`: one netlink socket to nf_tables; sends transactions, asks for lists, hears of changes.

use super::batch::{Batch, Refusal};
use super::object::{Family, SUBSYSTEM};
use super::sys;
use super::wire::{Attributes, HEADER, Header, Message, Messages, Writer, native_u32};
use rustix::io::Errno;
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{bind, getsockname, recv, send, socket_with, sockopt};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const ERROR: u16 = 2;
const DONE: u16 = 3;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
const DUMP_INTERRUPTED: u16 = 0x10;
const CAPPED: u16 = 0x100;
const HAS_WORDS: u16 = 0x200;
/// The largest datagram that the kernel makes for a list.
const DATAGRAM: usize = 64 * 1024;
/// Room for the refusals of a large batch; the kernel doubles it.
const RECEIVE: usize = 4 * 1024 * 1024;
/// A list that others change all the time is given up after so many tries.
const TRIES: u32 = 50;

/// A socket in the network namespace of the thread that opened it, for as long as it lives.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
    port: u32,
    buffer: Vec<u8>,
    send_room: usize,
    sequence: u32,
}

/// Multicast groups to hear, as a mask.
pub mod group {
    /// Nothing.
    pub const NONE: u32 = 0;
    /// Changes of tables and what is in them.
    pub const CHANGES: u32 = 1 << 6;
    /// The ways of traced packets.
    pub const TRACE: u32 = 1 << 8;
}

/// Why a transaction is not in force.
#[derive(Debug)]
pub enum Failed<L> {
    /// The kernel refused it; the first refusal is the cause, others may follow from it.
    Refused(Refusal<L>),
    /// It was not sent, or its answer was lost.
    Io(io::Error),
}

impl Socket {
    /// Opens one that hears `groups`.
    ///
    /// # Errors
    /// No netlink for netfilter, or no right to it.
    pub fn open(groups: u32) -> io::Result<Self> {
        let descriptor = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(NETFILTER),
        )?;
        bind(&descriptor, &SocketAddrNetlink::new(0, groups))?;
        sys::explain(descriptor.as_fd())?;
        // Without the right to a larger buffer the default has to do: a loss is noticed.
        let _ = sockopt::set_socket_recv_buffer_size_force(&descriptor, RECEIVE);
        let address = SocketAddrNetlink::try_from(getsockname(&descriptor)?)?;
        let send_room = sockopt::socket_send_buffer_size(&descriptor)?;
        Ok(Self {
            descriptor,
            port: address.pid(),
            buffer: vec![0; DATAGRAM],
            send_room,
            sequence: 0,
        })
    }

    /// The number by which the kernel tells this socket from others.
    #[must_use]
    pub const fn port(&self) -> u32 {
        self.port
    }

    /// Brings a transaction into force; an empty one is not sent.
    ///
    /// # Errors
    /// See [`Failed`]; then nothing has changed, unless the answer was lost.
    pub fn commit<L: Clone>(&mut self, batch: Batch<L>) -> Result<(), Failed<L>> {
        self.transact(batch, true)
    }

    /// Has the kernel look at a transaction as if it were to come into force; nothing changes.
    ///
    /// # Errors
    /// See [`Failed`].
    pub fn check<L: Clone>(&mut self, batch: Batch<L>) -> Result<(), Failed<L>> {
        self.transact(batch, false)
    }

    fn transact<L: Clone>(&mut self, batch: Batch<L>, commit: bool) -> Result<(), Failed<L>> {
        if batch.is_empty() {
            return Ok(());
        }
        let Some((bytes, labels)) = batch.finish(commit) else {
            return Err(Failed::Io(io::Error::other(
                "a part of the transaction is longer than netlink allows",
            )));
        };
        self.make_room(bytes.len()).map_err(Failed::Io)?;
        self.drain();
        send(&self.descriptor, &bytes, SendFlags::empty()).map_err(|errno| Failed::Io(errno.into()))?;
        self.outcome(&labels)
    }

    /// The kernel handles a transaction within `send`, so that every answer waits here already.
    fn outcome<L: Clone>(&mut self, labels: &[L]) -> Result<(), Failed<L>> {
        let last = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        let mut done = false;
        loop {
            let len = match self.receive(RecvFlags::DONTWAIT) {
                Ok(len) => len,
                Err(Errno::AGAIN) if done => return Ok(()),
                // There were more refusals than fit; the first, which is the cause, was kept.
                Err(Errno::NOBUFS) => continue,
                Err(errno) => return Err(Failed::Io(errno.into())),
            };
            for message in Messages(self.buffer.get(..len).unwrap_or_default()) {
                let Some(answer) = Answer::decode(message) else {
                    continue;
                };
                if answer.errno != 0 {
                    let index = usize::try_from(message.header.sequence).unwrap_or(0).checked_sub(1);
                    return Err(Failed::Refused(Refusal {
                        at: index.and_then(|index| labels.get(index)).cloned(),
                        errno: answer.errno,
                        words: answer.words,
                    }));
                }
                done |= message.header.sequence == last;
            }
        }
    }

    /// All objects of a kind, as `read` reads them; `body` narrows what is asked for.
    ///
    /// # Errors
    /// The kernel's refusal, or others changed the tables through all tries.
    pub fn list<T>(
        &mut self,
        family: Option<Family>,
        operation: u16,
        body: impl Fn(&mut Writer),
        mut read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        for _ in 0..TRIES {
            self.ask(family, (SUBSYSTEM << 8) | operation, DUMP, &body)?;
            let mut found = Vec::new();
            if self.collect(|message| found.extend(read(message)))? {
                return Ok(found);
            }
        }
        Err(io::Error::other(
            "the tables changed again and again while they were read",
        ))
    }

    /// One object, or as many messages as answer for it.
    ///
    /// # Errors
    /// The kernel's refusal; `ENOENT` if there is none.
    pub fn get<T>(
        &mut self,
        family: Option<Family>,
        operation: u16,
        body: impl Fn(&mut Writer),
        mut read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut found = Vec::new();
        self.ask(family, (SUBSYSTEM << 8) | operation, ACK, &body)?;
        self.collect(|message| found.extend(read(message)))?;
        Ok(found)
    }

    /// The same for a question to another subsystem.
    pub(super) fn exchange<T>(
        &mut self,
        kind: u16,
        body: impl Fn(&mut Writer),
        mut read: impl FnMut(Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut found = Vec::new();
        self.ask(None, kind, ACK, &body)?;
        self.collect(|message| found.extend(read(message)))?;
        Ok(found)
    }

    fn ask(&mut self, family: Option<Family>, kind: u16, flags: u16, body: impl Fn(&mut Writer)) -> io::Result<()> {
        self.drain();
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header {
            kind,
            flags: REQUEST | flags,
            sequence: self.sequence,
            port: 0,
        };
        let mut writer = Writer::default();
        writer.message(header, family.map_or(0, Family::number), 0, body);
        if writer.overflowed() {
            return Err(io::Error::other("a question is longer than netlink allows"));
        }
        self.make_room(writer.bytes().len())?;
        send(&self.descriptor, writer.bytes(), SendFlags::empty())?;
        Ok(())
    }

    /// Reads to the end of an answer; `false` if the list is not of one moment.
    fn collect(&mut self, mut each: impl FnMut(Message<'_>)) -> io::Result<bool> {
        let mut whole = true;
        loop {
            let len = self.receive(RecvFlags::empty())?;
            for message in Messages(self.buffer.get(..len).unwrap_or_default()) {
                if message.header.sequence != self.sequence {
                    continue;
                }
                whole &= message.header.flags & DUMP_INTERRUPTED == 0;
                match message.header.kind {
                    DONE => {
                        let errno = native_u32(message.body).unwrap_or(0).cast_signed().wrapping_neg();
                        return if errno > 0 {
                            Err(io::Error::from_raw_os_error(errno))
                        } else {
                            Ok(whole)
                        };
                    }
                    ERROR => match Answer::decode(message) {
                        Some(answer) if answer.errno == 0 => return Ok(whole),
                        Some(answer) => return Err(io::Error::from_raw_os_error(answer.errno)),
                        None => return Err(io::Error::other("netlink gave an error without a number")),
                    },
                    _ => each(message),
                }
            }
        }
    }

    /// The next datagram of a multicast group; `None` after something was lost.
    ///
    /// # Errors
    /// `WouldBlock` if `wait` is false and there is none.
    pub fn hear(&mut self, wait: bool) -> io::Result<Option<Messages<'_>>> {
        let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        match self.receive(flags) {
            Ok(len) => Ok(Some(Messages(self.buffer.get(..len).unwrap_or_default()))),
            Err(Errno::NOBUFS | Errno::MSGSIZE) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    fn receive(&mut self, flags: RecvFlags) -> Result<usize, Errno> {
        loop {
            match recv(&self.descriptor, self.buffer.as_mut_slice(), flags | RecvFlags::TRUNC) {
                Err(Errno::INTR) => {}
                Ok((_, len)) if len > self.buffer.len() => return Err(Errno::MSGSIZE),
                Ok((_, len)) => return Ok(len),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Throws away what an earlier question left, also the note that something was lost.
    fn drain(&mut self) {
        while !matches!(self.receive(RecvFlags::DONTWAIT), Err(Errno::AGAIN)) {}
    }

    /// A netlink datagram is sent whole or not at all.
    fn make_room(&mut self, len: usize) -> io::Result<()> {
        // The kernel keeps 32 bytes and counts its own overhead against the buffer, for which it doubles the number.
        if len + 4096 > self.send_room {
            sockopt::set_socket_send_buffer_size_force(&self.descriptor, len + 4096)?;
            self.send_room = sockopt::socket_send_buffer_size(&self.descriptor)?;
        }
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The kernel's answer to one message.
struct Answer {
    errno: i32,
    words: Option<String>,
}

impl Answer {
    fn decode(message: Message<'_>) -> Option<Self> {
        if message.header.kind != ERROR {
            return None;
        }
        let errno = native_u32(message.body)?.cast_signed().wrapping_neg();
        let quoted = native_u32(message.body.get(4..)?).map_or(HEADER, |len| usize::try_from(len).unwrap_or(HEADER));
        let skip = if message.header.flags & CAPPED != 0 {
            HEADER
        } else {
            quoted.next_multiple_of(4)
        };
        let words = if message.header.flags & HAS_WORDS != 0 {
            message.body.get(4 + skip..).and_then(|rest| Attributes(rest).text(1))
        } else {
            None
        };
        Some(Self { errno, words })
    }
}
