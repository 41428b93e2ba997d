//! `Telling`: what happened to a domain as the messages that tell clients of it.

use crate::event::Happening;
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::event::{
    AgentEvent, BalloonEvent, DeviceEvent, LifecycleEvent, MetadataEvent, RebootEvent, Subject, TunableEvent, subject,
};
use crate::rpc::xdr::{self, List, Xdr, XdrError};
use driver_api::types::domain::DomainEventKind;
use driver_api::types::notice::Notice;
use driver_api::types::uuid::Uuid;

/// `virConnectDomainEventAgentLifecycleState`: the agent is there.
const AGENT_CONNECTED: i32 = 1;
/// It is not.
const AGENT_DISCONNECTED: i32 = 2;

/// One happening, encoded once for all who want to hear of it.
#[derive(Debug)]
pub(super) struct Telling {
    /// What registrations are for.
    pub(super) subject: Subject,
    /// The domain it happened to.
    pub(super) uuid: Uuid,
    body: Vec<u8>,
}

impl Telling {
    /// The happening on the wire; `None`, with a warning, when it does not fit there.
    pub(super) fn of(happening: &Happening) -> Option<Self> {
        let (uuid, encoded) = match happening {
            Happening::Event(event) => {
                let dom = DomainRef::new(&event.name, event.uuid, event.id);
                (event.uuid, of_event(dom, event.kind))
            }
            Happening::Notice(told) => {
                let dom = DomainRef::new(&told.name, told.uuid, told.id);
                (told.uuid, of_notice(dom, &told.notice))
            }
        };
        match encoded {
            Ok((subject, body)) => Some(Self { subject, uuid, body }),
            Err(error) => {
                tracing::warn!(%uuid, %error, "an event can not be put on the wire");
                None
            }
        }
    }

    /// The message for a registration: procedure number and body. Registrations without a callback id are of a time
    /// before some events, which are not sent to them.
    pub(super) fn message(&self, callback: Option<i32>) -> Option<(u32, Vec<u8>)> {
        let Some(callback) = callback else {
            return Some((self.subject.plain?, self.body.clone()));
        };
        let mut body = callback.to_be_bytes().to_vec();
        body.extend_from_slice(&self.body);
        Some((self.subject.numbered, body))
    }
}

type Encoded = Result<(Subject, Vec<u8>), XdrError>;

fn encoded(subject: Subject, event: &impl Xdr) -> Encoded {
    Ok((subject, xdr::encode(event)?))
}

fn of_event(dom: DomainRef, kind: DomainEventKind) -> Encoded {
    match kind {
        DomainEventKind::Lifecycle(event, detail) => {
            let (event, detail) = ((event as u32).cast_signed(), detail.cast_signed());
            encoded(subject::LIFECYCLE, &LifecycleEvent { dom, event, detail })
        }
        DomainEventKind::Reboot => encoded(subject::REBOOT, &RebootEvent { dom }),
    }
}

fn of_notice(dom: DomainRef, notice: &Notice) -> Encoded {
    let device = |subject, dom, alias: &String| {
        let alias = alias.clone();
        encoded(subject, &DeviceEvent { dom, alias })
    };
    match notice {
        Notice::DeviceAdded { alias } => device(subject::DEVICE_ADDED, dom, alias),
        Notice::DeviceRemoved { alias } => device(subject::DEVICE_REMOVED, dom, alias),
        Notice::DeviceRemovalFailed { alias } => device(subject::DEVICE_REMOVAL_FAILED, dom, alias),
        Notice::MetadataChanged { kind, uri } => {
            let (kind, uri) = (kind.cast_signed(), uri.clone());
            encoded(subject::METADATA_CHANGE, &MetadataEvent { dom, kind, uri })
        }
        Notice::BalloonChanged { actual_kib } => {
            let actual = *actual_kib;
            encoded(subject::BALLOON_CHANGE, &BalloonEvent { dom, actual })
        }
        Notice::Tuned { params } => {
            let params = List(params.clone());
            encoded(subject::TUNABLE, &TunableEvent { dom, params })
        }
        Notice::Agent { connected, reason } => {
            let state = if *connected {
                AGENT_CONNECTED
            } else {
                AGENT_DISCONNECTED
            };
            let reason = reason.cast_signed();
            encoded(subject::AGENT_LIFECYCLE, &AgentEvent { dom, state, reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::codec::event::Message;
    use driver_api::types::domain::{DomainEvent, Lifecycle};
    use driver_api::types::notice::DomainNotice;
    use driver_api::types::param::Param;

    fn dom() -> DomainRef {
        DomainRef::new("vm", Uuid::from_bytes([3; 16]), Some(4))
    }

    fn told(notice: Notice) -> Telling {
        let DomainRef { name, uuid, id } = dom();
        let id = Some(id);
        Telling::of(&DomainNotice { uuid, name, id, notice }.into()).unwrap()
    }

    /// The message for callback 7 is in this procedure and says this.
    fn assert_says<T: Xdr + PartialEq + std::fmt::Debug>(telling: &Telling, number: u32, event: T) {
        let (procedure, body) = telling.message(Some(7)).unwrap();
        assert_eq!(procedure, number);
        assert_eq!(
            xdr::decode::<Message<T>>(&body).unwrap(),
            Message { callback: 7, event }
        );
    }

    #[test]
    fn every_notice_is_the_event_that_clients_know() {
        let alias = || "ubd1".to_owned();
        let device = |notice, number| {
            let event = DeviceEvent {
                dom: dom(),
                alias: alias(),
            };
            assert_says(&told(notice), number, event);
        };
        device(Notice::DeviceAdded { alias: alias() }, 354);
        device(Notice::DeviceRemoved { alias: alias() }, 333);
        device(Notice::DeviceRemovalFailed { alias: alias() }, 367);
        let uri = Some("urn:x".to_owned());
        let notice = Notice::MetadataChanged {
            kind: 2,
            uri: uri.clone(),
        };
        assert_says(
            &told(notice),
            379,
            MetadataEvent {
                dom: dom(),
                kind: 2,
                uri,
            },
        );
        let notice = Notice::BalloonChanged { actual_kib: 65_536 };
        assert_says(
            &told(notice),
            331,
            BalloonEvent {
                dom: dom(),
                actual: 65_536,
            },
        );
        let params = vec![Param::new("cputune.cpu_shares", 9_u64)];
        let notice = Notice::Tuned { params: params.clone() };
        assert_says(
            &told(notice),
            346,
            TunableEvent {
                dom: dom(),
                params: List(params),
            },
        );
        for (connected, state) in [(true, 1), (false, 2)] {
            let notice = Notice::Agent { connected, reason: 2 };
            assert_says(
                &told(notice),
                348,
                AgentEvent {
                    dom: dom(),
                    state,
                    reason: 2,
                },
            );
        }
    }

    #[test]
    fn registrations_without_a_callback_id_hear_what_is_as_old_as_they_are() {
        let alias = || "net0".to_owned();
        let (number, body) = told(Notice::DeviceRemoved { alias: alias() }).message(None).unwrap();
        assert_eq!(number, 311);
        assert_eq!(xdr::decode::<DeviceEvent>(&body).unwrap().alias, "net0");
        assert_eq!(told(Notice::DeviceAdded { alias: alias() }).message(None), None);
    }

    #[test]
    fn an_event_of_an_inactive_domain_has_no_id() {
        let event = DomainEvent {
            uuid: Uuid::default(),
            name: "vm".to_owned(),
            id: None,
            kind: DomainEventKind::Lifecycle(Lifecycle::Stopped, 1),
        };
        let telling = Telling::of(&event.into()).unwrap();
        let dom = DomainRef::new("vm", Uuid::default(), None);
        assert_eq!(dom.id, -1);
        assert_says(
            &telling,
            318,
            LifecycleEvent {
                dom,
                event: 5,
                detail: 1,
            },
        );
    }

    #[test]
    fn what_does_not_fit_the_wire_is_left_out() {
        let params = vec![Param::new("x", 1_u64); 2049];
        let notice = DomainNotice {
            uuid: Uuid::default(),
            name: "vm".to_owned(),
            id: None,
            notice: Notice::Tuned { params },
        };
        assert!(Telling::of(&notice.into()).is_none());
    }
}
