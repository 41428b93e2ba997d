//! Event registrations, with callback ids and of the two older kinds.

use super::Dispatch;
use crate::rpc::codec::event::{
    ConnectDomainEventCallbackDeregisterAny, ConnectDomainEventCallbackRegisterAny, ConnectDomainEventDeregister,
    ConnectDomainEventDeregisterAny, ConnectDomainEventRegister, ConnectDomainEventRegisterAny, EVENT_IDS, subject,
};
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};

/// Clients register for everything that they know and lose all events if one is refused; so ids that never fire are
/// accepted too.
fn known(event: i32) -> Result<()> {
    if (0..EVENT_IDS).contains(&event) {
        return Ok(());
    }
    Err(Error::new(
        Code::INVALID_ARG,
        Origin::REMOTE,
        format!("there is no domain event with id {event}"),
    ))
}

pub(super) fn register(host: &Dispatch, call: &Call<'_>, args: ConnectDomainEventCallbackRegisterAny) -> Result<i32> {
    known(args.event)?;
    let uuid = args.dom.map(|dom| dom.uuid);
    let callback = host
        .sessions
        .with(call.client, |session| session.register(args.event, uuid, true))??;
    tracing::debug!(
        client = call.client.id(),
        event = args.event,
        callback,
        "event registered"
    );
    Ok(callback)
}

pub(super) fn deregister(
    host: &Dispatch,
    call: &Call<'_>,
    args: ConnectDomainEventCallbackDeregisterAny,
) -> Result<()> {
    host.sessions
        .with(call.client, |session| session.deregister(args.callback))?
}

pub(super) fn register_any(host: &Dispatch, call: &Call<'_>, args: ConnectDomainEventRegisterAny) -> Result<()> {
    known(args.event)?;
    host.sessions
        .with(call.client, |session| session.register(args.event, None, false))?
        .map(drop)
}

pub(super) fn deregister_any(host: &Dispatch, call: &Call<'_>, args: ConnectDomainEventDeregisterAny) -> Result<()> {
    host.sessions
        .with(call.client, |session| session.deregister_event(args.event))?
}

/// Answers the number of registrations, as the protocol wants it here.
pub(super) fn register_lifecycle(host: &Dispatch, call: &Call<'_>, _: ConnectDomainEventRegister) -> Result<i32> {
    host.sessions
        .with(call.client, |session| {
            session.register(subject::LIFECYCLE.id, None, false)
        })?
        .map(|_| 1)
}

pub(super) fn deregister_lifecycle(host: &Dispatch, call: &Call<'_>, _: ConnectDomainEventDeregister) -> Result<i32> {
    host.sessions
        .with(call.client, |session| session.deregister_event(subject::LIFECYCLE.id))?
        .map(|()| 0)
}
