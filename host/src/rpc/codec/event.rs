//! Events: registrations with and without callback ids, and the messages that servers send.

use super::domain::DomainRef;
use super::procedures;
use crate::rpc::xdr::{Input, List, Xdr, XdrError, xdr_struct};
use driver_api::types::param::Param;

/// The number of event ids that clients may register; ids from this on are unknown.
pub const EVENT_IDS: i32 = 27;
/// One kind of event: its id, and the procedures that its messages come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The id that clients register for (`virDomainEventID`).
    pub id: i32,
    /// The procedure of messages for registrations without callback id, for the events that were there before those.
    pub plain: Option<u32>,
    /// The procedure of messages that begin with a callback id.
    pub numbered: u32,
}

/// The events that are sent; their ids are libvirt's.
#[allow(missing_docs, reason = "the names are libvirt's own")]
pub mod subject {
    use super::Subject;

    const fn subject(id: i32, plain: Option<u32>, numbered: u32) -> Subject {
        Subject { id, plain, numbered }
    }

    /// Carries a [`super::LifecycleEvent`].
    pub const LIFECYCLE: Subject = subject(0, Some(107), 318);
    /// Carries a [`super::RebootEvent`].
    pub const REBOOT: Subject = subject(1, Some(169), 319);
    /// Carries a [`super::BalloonEvent`].
    pub const BALLOON_CHANGE: Subject = subject(13, Some(276), 331);
    /// These three carry a [`super::DeviceEvent`].
    pub const DEVICE_REMOVED: Subject = subject(15, Some(311), 333);
    pub const DEVICE_ADDED: Subject = subject(19, None, 354);
    pub const DEVICE_REMOVAL_FAILED: Subject = subject(22, None, 367);
    /// Carries a [`super::TunableEvent`].
    pub const TUNABLE: Subject = subject(17, None, 346);
    /// Carries an [`super::AgentEvent`].
    pub const AGENT_LIFECYCLE: Subject = subject(18, None, 348);
    /// Carries a [`super::MetadataEvent`].
    pub const METADATA_CHANGE: Subject = subject(23, None, 379);

    /// All of them, by id.
    pub const ALL: [Subject; 9] = [
        LIFECYCLE,
        REBOOT,
        BALLOON_CHANGE,
        DEVICE_REMOVED,
        TUNABLE,
        AGENT_LIFECYCLE,
        DEVICE_ADDED,
        DEVICE_REMOVAL_FAILED,
        METADATA_CHANGE,
    ];
}

xdr_struct! {
    /// A lifecycle event (`virDomainEventType` and its detail).
    LifecycleEvent {
        dom: DomainRef,
        event: i32,
        detail: i32,
    }

    /// The guest rebooted.
    RebootEvent {
        dom: DomainRef,
    }

    /// The guest's memory is now so many KiB.
    BalloonEvent {
        dom: DomainRef,
        actual: u64,
    }

    /// A device came, went, or did not go.
    DeviceEvent {
        dom: DomainRef,
        alias: String,
    }

    /// Limits have other values now.
    TunableEvent {
        dom: DomainRef,
        params: List<Param, 2048>,
    }

    /// The agent in the guest is there (state 1) or not (2).
    AgentEvent {
        dom: DomainRef,
        state: i32,
        reason: i32,
    }

    /// A note about a domain was changed (`virDomainMetadataType`).
    MetadataEvent {
        dom: DomainRef,
        kind: i32,
        uri: Option<String>,
    }
}

/// An event for one registration that has a callback id.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<T> {
    /// The registration.
    pub callback: i32,
    /// The event.
    pub event: T,
}

impl<T: Xdr> Xdr for Message<T> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        self.callback.encode(out)?;
        self.event.encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(Self {
            callback: Xdr::decode(input)?,
            event: Xdr::decode(input)?,
        })
    }
}

/// Decodes `bytes` as every message; for tests and fuzzing.
pub(super) fn decode_messages(bytes: &[u8]) {
    super::both_ways::<Message<LifecycleEvent>>(bytes);
    super::both_ways::<Message<RebootEvent>>(bytes);
    super::both_ways::<Message<BalloonEvent>>(bytes);
    super::both_ways::<Message<DeviceEvent>>(bytes);
    super::both_ways::<Message<TunableEvent>>(bytes);
    super::both_ways::<Message<AgentEvent>>(bytes);
    super::both_ways::<Message<MetadataEvent>>(bytes);
}

procedures! {
    105 ConnectDomainEventRegister {} -> i32;
    106 ConnectDomainEventDeregister {} -> i32;
    167 ConnectDomainEventRegisterAny { event: i32 } -> ();
    168 ConnectDomainEventDeregisterAny { event: i32 } -> ();
    316 ConnectDomainEventCallbackRegisterAny { event: i32, dom: Option<DomainRef> } -> i32;
    317 ConnectDomainEventCallbackDeregisterAny { callback: i32 } -> ();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::procs::{Class, Proc};

    #[test]
    fn messages_come_in_the_procedures_that_are_named_after_them() {
        let names = [
            "LIFECYCLE",
            "REBOOT",
            "BALLOON_CHANGE",
            "DEVICE_REMOVED",
            "TUNABLE",
            "AGENT_LIFECYCLE",
            "DEVICE_ADDED",
            "DEVICE_REMOVAL_FAILED",
            "METADATA_CHANGE",
        ];
        let row = |number: u32| Proc::all().find(|row| row.number == number).unwrap();
        for (subject, name) in subject::ALL.into_iter().zip(names) {
            let numbered = row(subject.numbered);
            assert_eq!(numbered.name, format!("DOMAIN_EVENT_CALLBACK_{name}"));
            assert_eq!(numbered.class, Class::Event);
            if let Some(plain) = subject.plain {
                assert_eq!(row(plain).name, format!("DOMAIN_EVENT_{name}"));
            }
        }
        assert!(subject::ALL.is_sorted_by_key(|subject| subject.id));
    }
}
