//! Devices that come, go and change. The procedures that have no flags are those of before there was a choice: what
//! runs is meant.

use super::Dispatch;
use super::domain::find;
use crate::rpc::codec::device::{
    DomainAttachDevice, DomainAttachDeviceFlags, DomainDetachDevice, DomainDetachDeviceAlias, DomainDetachDeviceFlags,
    DomainUpdateDeviceFlags,
};
use crate::server::Call;
use driver_api::error::Result;
use driver_api::types::domain::flags::AFFECT_LIVE;

/// Declares changes of a domain's devices.
macro_rules! changes {
    ($($name:ident($args:ident: $procedure:ident) => $method:ident($argument:expr, $flags:expr);)+) => {$(
        pub(super) fn $name(host: &Dispatch, call: &Call<'_>, $args: $procedure) -> Result<()> {
            let uuid = find(host, call, &$args.dom)?.uuid;
            host.devices(call, stringify!($method), |devices, cx| {
                devices.$method(cx, uuid, $argument, $flags)
            })
        }
    )+};
}

changes! {
    attach(args: DomainAttachDevice) => attach_device(&args.xml, AFFECT_LIVE);
    attach_flags(args: DomainAttachDeviceFlags) => attach_device(&args.xml, args.flags);
    detach(args: DomainDetachDevice) => detach_device(&args.xml, AFFECT_LIVE);
    detach_flags(args: DomainDetachDeviceFlags) => detach_device(&args.xml, args.flags);
    detach_alias(args: DomainDetachDeviceAlias) => detach_alias(&args.alias, args.flags);
    update_flags(args: DomainUpdateDeviceFlags) => update_device(&args.xml, args.flags);
}
