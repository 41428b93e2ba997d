//! Events as a client sees them: registering for them, and waiting for one.

use super::connection::{Connection, Woken, decode};
use super::error::Result;
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::event::{
    ConnectDomainEventCallbackRegisterAny, LIFECYCLE, LifecycleMessage, REBOOT, RebootMessage, message,
};
use crate::rpc::frame::Frame;
use rustix::event::PollFlags;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// One event of a domain.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// The domain as it was then.
    pub dom: DomainRef,
    /// What happened.
    pub kind: EventKind,
}

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// `virDomainEventType` and its detail.
    Lifecycle(i32, i32),
    /// The guest rebooted.
    Reboot,
}

impl Event {
    /// The event in a message; `None` for messages that no event of ours comes in.
    pub(super) fn from_frame(frame: &Frame) -> Result<Option<Self>> {
        Ok(match frame.header.procedure.cast_unsigned() {
            message::CALLBACK_LIFECYCLE => {
                let LifecycleMessage { event, .. } = decode(&frame.payload)?;
                Some(Self {
                    dom: event.dom,
                    kind: EventKind::Lifecycle(event.event, event.detail),
                })
            }
            message::CALLBACK_REBOOT => {
                let RebootMessage { event, .. } = decode(&frame.payload)?;
                Some(Self {
                    dom: event.dom,
                    kind: EventKind::Reboot,
                })
            }
            _ => None,
        })
    }
}

/// What ended a wait for an event.
#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    /// An event.
    Event(Event),
    /// The time was over first.
    Deadline,
    /// The given descriptor was readable first.
    Interrupted,
}

impl Connection {
    /// Asks for lifecycle events, of one domain or of all.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn watch_lifecycle(&mut self, dom: Option<&DomainRef>) -> Result<()> {
        self.watch(LIFECYCLE, dom)
    }

    /// Asks for reboot events, of one domain or of all.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn watch_reboot(&mut self, dom: Option<&DomainRef>) -> Result<()> {
        self.watch(REBOOT, dom)
    }

    fn watch(&mut self, event: i32, dom: Option<&DomainRef>) -> Result<()> {
        let dom = dom.cloned();
        self.call(&ConnectDomainEventCallbackRegisterAny { event, dom })
            .map(drop)
    }

    /// Waits for the next event, at most until `deadline`, and not past the moment when `interrupt` becomes readable.
    ///
    /// # Errors
    /// A broken connection.
    pub fn next_event(&mut self, deadline: Option<Instant>, interrupt: Option<BorrowedFd<'_>>) -> Result<Next> {
        let others: Vec<_> = interrupt.into_iter().map(|fd| (fd, PollFlags::IN)).collect();
        loop {
            if let Some(event) = self.take_event() {
                return Ok(Next::Event(event));
            }
            match self.wait(deadline, &others)? {
                Woken::Socket => {}
                Woken::Other(_) => return Ok(Next::Interrupted),
                Woken::Deadline => return Ok(Next::Deadline),
            }
        }
    }
}
