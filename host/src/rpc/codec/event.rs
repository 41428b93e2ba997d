//! Events: registrations with and without callback ids, and the messages that servers send.

use super::domain::DomainRef;
use super::procedures;
use crate::rpc::xdr::xdr_struct;

/// The number of event ids that clients may register; ids from this on are unknown.
pub const EVENT_IDS: i32 = 27;
/// The event id of [`LifecycleMessage`]s.
pub const LIFECYCLE: i32 = 0;
/// The event id of [`RebootMessage`]s.
pub const REBOOT: i32 = 1;

/// Procedure numbers of the messages that are sent.
pub mod message {
    /// A [`super::LifecycleEvent`], for a registration without callback id.
    pub const LIFECYCLE: u32 = 107;
    /// A [`super::RebootEvent`], for a registration without callback id.
    pub const REBOOT: u32 = 169;
    /// A [`super::LifecycleMessage`].
    pub const CALLBACK_LIFECYCLE: u32 = 318;
    /// A [`super::RebootMessage`].
    pub const CALLBACK_REBOOT: u32 = 319;
}

xdr_struct! {
    /// A lifecycle event (`virDomainEventType` and its detail).
    LifecycleEvent {
        dom: DomainRef,
        event: i32,
        detail: i32,
    }

    /// A lifecycle event for one registration.
    LifecycleMessage {
        callback: i32,
        event: LifecycleEvent,
    }

    /// The guest rebooted.
    RebootEvent {
        dom: DomainRef,
    }

    /// A reboot for one registration.
    RebootMessage {
        callback: i32,
        event: RebootEvent,
    }
}

procedures! {
    105 ConnectDomainEventRegister {} -> i32;
    106 ConnectDomainEventDeregister {} -> i32;
    167 ConnectDomainEventRegisterAny { event: i32 } -> ();
    168 ConnectDomainEventDeregisterAny { event: i32 } -> ();
    316 ConnectDomainEventCallbackRegisterAny { event: i32, dom: Option<DomainRef> } -> i32;
    317 ConnectDomainEventCallbackDeregisterAny { callback: i32 } -> ();
}
