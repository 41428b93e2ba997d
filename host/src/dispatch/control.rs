//! What else can be done with a domain: starting it anew, another name, bytes of its disks.

use super::Dispatch;
use super::domain::{find, no_flags};
use crate::rpc::codec::control::{DomainBlockPeek, DomainRename, DomainReset, DomainSetAutostartOnce, PEEK_MAX};
use crate::rpc::xdr::Opaque;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};

pub(super) fn reset(host: &Dispatch, call: &Call<'_>, args: DomainReset) -> Result<()> {
    no_flags("a reset", args.flags)?;
    let uuid = find(host, call, &args.dom)?.uuid;
    host.change_control(call, "reset", "resets", |control, cx| control.reset(cx, uuid))
}

/// Answers 0, as the protocol wants it here.
pub(super) fn rename(host: &Dispatch, call: &Call<'_>, args: DomainRename) -> Result<i32> {
    no_flags("renaming a domain", args.flags)?;
    let domain = find(host, call, &args.dom)?;
    let name = args.name.ok_or_else(|| {
        let text = format!("domain '{}' can not be left without a name", domain.name);
        Error::new(Code::INVALID_ARG, Origin::DOMAIN, text)
    })?;
    host.change_control(call, "rename", "new names", |control, cx| {
        control.rename(cx, domain.uuid, &name)
    })?;
    Ok(0)
}

pub(super) fn block_peek(host: &Dispatch, call: &Call<'_>, args: DomainBlockPeek) -> Result<Opaque<PEEK_MAX>> {
    no_flags("a look at a disk", args.flags)?;
    let domain = find(host, call, &args.dom)?;
    if usize::try_from(args.size).is_ok_and(|size| size > PEEK_MAX) {
        let text = format!(
            "{} bytes of a disk are more than the {PEEK_MAX} of one answer",
            args.size
        );
        return Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, text));
    }
    let bytes = host.control(call, "block_peek", |control| {
        control.block_peek(domain.uuid, &args.path, args.offset, args.size)
    })?;
    bytes.map(Opaque).ok_or_else(|| host.lacks(call, "looks at disks"))
}

pub(super) fn set_autostart_once(host: &Dispatch, call: &Call<'_>, args: DomainSetAutostartOnce) -> Result<()> {
    let uuid = find(host, call, &args.dom)?.uuid;
    host.change_control(call, "set_autostart_once", "an autostart for once", |control, cx| {
        control.set_autostart_once(cx, uuid, args.autostart != 0)
    })
}
