//! The host's own procedures: what `lockstep` shows and libvirt's protocol has no word for.

use super::Dispatch;
use crate::rpc::codec::lockstep::{DomainGetSecurity, HostGetLocks, HostGetPlugins, HostSetLogFilter};
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use serde::Serialize;

fn json(what: &str, value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(Code::INTERNAL, Origin::RPC, format!("{what} have no JSON form")).because(error))
}

pub(super) fn plugins(host: &Dispatch, _: &Call<'_>, _: HostGetPlugins) -> Result<String> {
    json("the plug-ins", &host.plugins.status())
}

pub(super) fn locks(host: &Dispatch, _: &Call<'_>, _: HostGetLocks) -> Result<String> {
    json("the locks", &host.locks.status())
}

pub(super) fn security(host: &Dispatch, _: &Call<'_>, args: DomainGetSecurity) -> Result<String> {
    json("the layers around a guest", &host.guests.security(&args.dom.uuid)?)
}

pub(super) fn set_log_filter(host: &Dispatch, _: &Call<'_>, args: HostSetLogFilter) -> Result<()> {
    let Some(logging) = &host.logging else {
        let text = "this host does not log by itself: the program around it decides what is logged";
        return Err(Error::new(Code::OPERATION_UNSUPPORTED, Origin::RPC, text));
    };
    let refused = |error| Error::new(Code::INVALID_ARG, Origin::RPC, "the log filter stays as it was").because(error);
    logging
        .set_filter(&args.filter)
        .map_err(|error| refused(Box::new(error)))?;
    host.plugins.rebuild_log_filters();
    Ok(())
}
