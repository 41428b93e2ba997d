//! Events as a client sees them: registering for them, and waiting for one.

use super::connection::{Connection, Woken, decode};
use super::error::Result;
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::event::{
    AgentEvent, BalloonEvent, ConnectDomainEventCallbackRegisterAny, DeviceEvent, LifecycleEvent, Message,
    MetadataEvent, RebootEvent, Subject, TunableEvent, subject,
};
use crate::rpc::frame::Frame;
use crate::rpc::xdr::Xdr;
use driver_api::types::param::Param;
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
#[derive(Clone, PartialEq, Debug)]
pub enum EventKind {
    /// `virDomainEventType` and its detail.
    Lifecycle(i32, i32),
    /// The guest rebooted.
    Reboot,
    /// The guest's memory is now so many KiB.
    Balloon(u64),
    /// A device came, by its alias.
    DeviceAdded(String),
    /// A device went.
    DeviceRemoved(String),
    /// The guest did not let go of a device.
    DeviceRemovalFailed(String),
    /// Limits have other values now.
    Tuned(Vec<Param>),
    /// The agent's state and the reason for it.
    Agent(i32, i32),
    /// A note was changed: its kind, and an element's namespace.
    Metadata(i32, Option<String>),
}

impl Event {
    /// The event in a message; `None` for messages that no event of ours comes in.
    pub(super) fn from_frame(frame: &Frame) -> Result<Option<Self>> {
        let number = frame.header.procedure.cast_unsigned();
        let Some(subject) = subject::ALL.into_iter().find(|subject| subject.numbered == number) else {
            return Ok(None);
        };
        let (dom, kind) = match subject {
            subject::LIFECYCLE => {
                let LifecycleEvent { dom, event, detail } = event(frame)?;
                (dom, EventKind::Lifecycle(event, detail))
            }
            subject::REBOOT => (event::<RebootEvent>(frame)?.dom, EventKind::Reboot),
            subject::BALLOON_CHANGE => {
                let BalloonEvent { dom, actual } = event(frame)?;
                (dom, EventKind::Balloon(actual))
            }
            subject::DEVICE_ADDED => device(frame, EventKind::DeviceAdded)?,
            subject::DEVICE_REMOVED => device(frame, EventKind::DeviceRemoved)?,
            subject::DEVICE_REMOVAL_FAILED => device(frame, EventKind::DeviceRemovalFailed)?,
            subject::TUNABLE => {
                let TunableEvent { dom, params } = event(frame)?;
                (dom, EventKind::Tuned(params.0))
            }
            subject::AGENT_LIFECYCLE => {
                let AgentEvent { dom, state, reason } = event(frame)?;
                (dom, EventKind::Agent(state, reason))
            }
            subject::METADATA_CHANGE => {
                let MetadataEvent { dom, kind, uri } = event(frame)?;
                (dom, EventKind::Metadata(kind, uri))
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { dom, kind }))
    }
}

fn event<T: Xdr>(frame: &Frame) -> Result<T> {
    decode::<Message<T>>(&frame.payload).map(|message| message.event)
}

fn device(frame: &Frame, kind: fn(String) -> EventKind) -> Result<(DomainRef, EventKind)> {
    let DeviceEvent { dom, alias } = event(frame)?;
    Ok((dom, kind(alias)))
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
    /// Asks for one kind of events, of one domain or of all.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn watch(&mut self, subject: Subject, dom: Option<&DomainRef>) -> Result<()> {
        let (event, dom) = (subject.id, dom.cloned());
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
