//! `Watch`: hears when somebody else changes our tables.

use super::Kernel;
use super::names::TABLE;
use crate::nft::Socket;
use crate::nft::object::{SUBSYSTEM, kind};
use crate::nft::socket::group;
use crate::nft::wire::Message;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// What was heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A transaction of somebody else touched our tables.
    Changed {
        /// The process, 0 if the kernel does not tell.
        pid: u32,
        /// Its name as the kernel has it: what a process calls itself, so not to be trusted.
        name: String,
    },
    /// There was more than the socket could keep: anything may have changed.
    Lost,
}

/// A socket that hears of changes, from the moment it was made.
#[derive(Debug)]
pub struct Watch {
    socket: Socket,
    /// The number of the socket by which we make changes ourselves.
    own: u32,
    /// Whether the transaction that is being told touched ours.
    touched: bool,
    heard: Vec<Event>,
}

impl Kernel {
    /// Listens for changes of our tables by others. Changes by this `Kernel` are not told.
    ///
    /// # Errors
    /// No socket, or no right to listen.
    pub fn watch(&self) -> io::Result<Watch> {
        Ok(Watch {
            socket: Socket::open(group::CHANGES)?,
            own: self.socket().port(),
            touched: false,
            heard: Vec::new(),
        })
    }
}

impl Watch {
    /// The next event; `None` if there is none yet: the descriptor becomes readable then.
    ///
    /// # Errors
    /// The socket can not be read.
    pub fn next_event(&mut self) -> io::Result<Option<Event>> {
        let (own, touched) = (self.own, &mut self.touched);
        while self.heard.is_empty() {
            match self.socket.hear(false) {
                Ok(Some(messages)) => {
                    let events = messages.filter_map(|message| take(message, own, touched));
                    self.heard.extend(events);
                }
                Ok(None) => {
                    // What was touched may be in the part that is lost.
                    *touched = false;
                    self.heard.push(Event::Lost);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(self.heard.remove(0)))
    }
}

/// The kernel tells every object of a transaction and then, once, who made it.
fn take(message: Message<'_>, own: u32, touched: &mut bool) -> Option<Event> {
    if message.header.kind >> 8 != SUBSYSTEM {
        return None;
    }
    let attributes = message.attributes();
    if message.header.kind & 0xff == kind::NEWGEN {
        return std::mem::take(touched).then(|| Event::Changed {
            pid: attributes.number(2).unwrap_or(0),
            name: attributes.text(3).unwrap_or_default(),
        });
    }
    // The name of the table is the first attribute of every kind of object.
    *touched |= message.header.port != own && attributes.text(1).as_deref() == Some(TABLE);
    None
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
