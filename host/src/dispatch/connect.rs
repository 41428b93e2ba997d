//! Opening a connection and what it says of the host.

use super::{Dispatch, capabilities};
use crate::node::format;
use crate::plugin::Plugin;
use crate::rpc::codec::connect::{
    ConnectGetCapabilities, ConnectGetHostname, ConnectGetLibVersion, ConnectGetMaxVcpus, ConnectGetSysinfo,
    ConnectGetType, ConnectGetUri, ConnectGetVersion, ConnectIsSecure, ConnectOpen, ConnectRegisterCloseCallback,
    ConnectSupportsFeature, ConnectUnregisterCloseCallback, feature,
};
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use std::sync::Arc;

/// The libvirt release whose protocol is spoken: major * 1,000,000 + minor * 1,000 + micro.
const PROTOCOL_VERSION: u64 = 9_000_000;

/// The scheme of connections that want the filters alone.
const FILTERS: &str = "nwfilter";

pub(super) fn open(host: &Dispatch, call: &Call<'_>, args: ConnectOpen) -> Result<()> {
    let (virt, uri) = match args.name.as_deref().filter(|name| !name.is_empty()) {
        Some(uri) => (find(host, uri)?, uri.to_owned()),
        None => probe(host)?,
    };
    tracing::debug!(
        client = call.client.id(),
        uri,
        read_only = call.client.read_only(),
        "opened"
    );
    host.sessions.open(call.client, virt, uri);
    Ok(())
}

/// The driver that a URI asks for.
fn find(host: &Dispatch, uri: &str) -> Result<Option<Arc<Plugin>>> {
    let refused = |text: String| Error::new(Code::NO_CONNECT, Origin::REMOTE, text);
    let (scheme, rest) = uri
        .split_once(':')
        .ok_or_else(|| refused(format!("'{uri}' is not a connection URI: SCHEME:///system is wanted")))?;
    let path = rest
        .strip_prefix("//")
        .map_or(rest, |rest| rest.find('/').map_or("", |slash| &rest[slash..]));
    let path = path.split(['?', '#']).next().unwrap_or_default();
    // A system host serves both names, as the peer does; a user's own host is no system.
    if path != "/session" && !(host.privileged && path == "/system") {
        let own = if host.privileged { "system" } else { "session" };
        return Err(refused(format!(
            "'{uri}' names the path '{path}': this host serves '{scheme}:///{own}'"
        )));
    }
    if scheme == FILTERS {
        return Ok(None);
    }
    host.plugins.virt(scheme).map(Some)
}

/// What a client gets that leaves the choice to the host: the first driver with domains.
fn probe(host: &Dispatch) -> Result<(Option<Arc<Plugin>>, String)> {
    let path = if host.privileged { "system" } else { "session" };
    Ok(match host.plugins.virts().into_iter().next() {
        Some(plugin) => {
            let uri = format!("{}:///{path}", plugin.name());
            (Some(plugin), uri)
        }
        None => (None, format!("{FILTERS}:///{path}")),
    })
}

/// What the server does not answer by itself: for clients that can do more than the host, each number that it does not
/// know is something that it can not.
pub(super) fn supports_feature(_: &Dispatch, _: &Call<'_>, args: ConnectSupportsFeature) -> Result<i32> {
    Ok((args.feature == feature::TYPED_PARAM_STRING).into())
}

pub(super) fn get_type(host: &Dispatch, call: &Call<'_>, _: ConnectGetType) -> Result<String> {
    Ok(host.plugin(call)?.title().to_owned())
}

pub(super) fn get_version(host: &Dispatch, call: &Call<'_>, _: ConnectGetVersion) -> Result<u64> {
    host.read(call, "version", |virt| virt.version())
}

pub(super) fn get_lib_version(_: &Dispatch, _: &Call<'_>, _: ConnectGetLibVersion) -> Result<u64> {
    Ok(PROTOCOL_VERSION)
}

/// User-Mode Linux and most small hypervisors have one; a driver that can do more says so in its capabilities.
pub(super) fn get_max_vcpus(host: &Dispatch, call: &Call<'_>, args: ConnectGetMaxVcpus) -> Result<i32> {
    let plugin = host.plugin(call)?;
    match args.virt_type.as_deref() {
        None | Some("") => Ok(1),
        Some(name) if name == &**plugin.name() => Ok(1),
        Some(other) => {
            let text = format!(
                "this connection runs domains of type '{}', not '{other}'",
                plugin.name()
            );
            Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, text))
        }
    }
}

pub(super) fn get_capabilities(host: &Dispatch, call: &Call<'_>, _: ConnectGetCapabilities) -> Result<String> {
    let (node, guests) = host.read(call, "capabilities", |virt| {
        Ok((virt.node_info()?, virt.capabilities()?))
    })?;
    capabilities::document(host.host_uuid, &node, &host.machine, &guests)
}

pub(super) fn get_sysinfo(host: &Dispatch, _: &Call<'_>, args: ConnectGetSysinfo) -> Result<String> {
    if args.flags != 0 {
        let text = format!("what the firmware says does not know the flags {:#x}", args.flags);
        return Err(Error::new(Code::INVALID_ARG, Origin::NONE, text));
    }
    Ok(format::sysinfo(&host.machine.smbios()?).to_string())
}

pub(super) fn get_hostname(_: &Dispatch, _: &Call<'_>, _: ConnectGetHostname) -> Result<String> {
    Ok(rustix::system::uname().nodename().to_string_lossy().into_owned())
}

pub(super) fn get_uri(host: &Dispatch, call: &Call<'_>, _: ConnectGetUri) -> Result<String> {
    host.sessions.with(call.client, |session| session.uri.clone())
}

/// A unix socket does not leave the machine.
pub(super) fn is_secure(_: &Dispatch, _: &Call<'_>, _: ConnectIsSecure) -> Result<i32> {
    Ok(1)
}

/// There is nothing to tell later: a host that stops closes its sockets, which a client sees by itself.
pub(super) fn register_close(_: &Dispatch, _: &Call<'_>, _: ConnectRegisterCloseCallback) -> Result<()> {
    Ok(())
}

pub(super) fn unregister_close(_: &Dispatch, _: &Call<'_>, _: ConnectUnregisterCloseCallback) -> Result<()> {
    Ok(())
}
