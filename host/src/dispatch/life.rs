//! Changing domains: definitions and the verbs of a guest's life.

use super::domain::find;
use super::{Dispatch, autodestroy};
use crate::rpc::codec::domain::{
    DomainCreate, DomainCreateWithFlags, DomainCreateXml, DomainDefineXml, DomainDefineXmlFlags, DomainDestroy,
    DomainDestroyFlags, DomainReboot, DomainRef, DomainResume, DomainSetAutostart, DomainShutdown, DomainShutdownFlags,
    DomainSuspend, DomainUndefine, DomainUndefineFlags,
};
use crate::server::Call;
use driver_api::error::Result;

pub(super) fn define(host: &Dispatch, call: &Call<'_>, args: DomainDefineXml) -> Result<DomainRef> {
    define_with(host, call, &args.xml, 0)
}

pub(super) fn define_flags(host: &Dispatch, call: &Call<'_>, args: DomainDefineXmlFlags) -> Result<DomainRef> {
    define_with(host, call, &args.xml, args.flags)
}

fn define_with(host: &Dispatch, call: &Call<'_>, xml: &str, flags: u32) -> Result<DomainRef> {
    let domain = host.change(call, "define", |virt, cx| virt.define(cx, xml, flags))?;
    Ok(DomainRef::from(&domain))
}

pub(super) fn create_xml(host: &Dispatch, call: &Call<'_>, args: DomainCreateXml) -> Result<DomainRef> {
    let domain = host.change(call, "create", |virt, cx| virt.create(cx, &args.xml, args.flags))?;
    autodestroy::bind(host, call, &domain, args.flags)?;
    Ok(DomainRef::from(&domain))
}

pub(super) fn create(host: &Dispatch, call: &Call<'_>, args: DomainCreate) -> Result<()> {
    start(host, call, &args.dom, 0).map(drop)
}

pub(super) fn create_flags(host: &Dispatch, call: &Call<'_>, args: DomainCreateWithFlags) -> Result<DomainRef> {
    start(host, call, &args.dom, args.flags)
}

fn start(host: &Dispatch, call: &Call<'_>, dom: &DomainRef, flags: u32) -> Result<DomainRef> {
    let uuid = find(host, call, dom)?.uuid;
    let domain = host.change(call, "start", |virt, cx| virt.start(cx, uuid, flags))?;
    autodestroy::bind(host, call, &domain, flags)?;
    Ok(DomainRef::from(&domain))
}

/// Declares verbs that take a domain and answer nothing.
macro_rules! verbs {
    ($($name:ident($args:ident: $procedure:ident) $verb:literal => $method:ident($($argument:expr),*);)+) => {$(
        pub(super) fn $name(host: &Dispatch, call: &Call<'_>, $args: $procedure) -> Result<()> {
            let uuid = find(host, call, &$args.dom)?.uuid;
            host.change(call, $verb, |virt, cx| virt.$method(cx, uuid $(, $argument)*))
        }
    )+};
}

verbs! {
    undefine(args: DomainUndefine) "undefine" => undefine(0);
    undefine_flags(args: DomainUndefineFlags) "undefine" => undefine(args.flags);
    shutdown(args: DomainShutdown) "shutdown" => shutdown(0);
    shutdown_flags(args: DomainShutdownFlags) "shutdown" => shutdown(args.flags);
    reboot(args: DomainReboot) "reboot" => reboot(args.flags);
    destroy(args: DomainDestroy) "destroy" => destroy(0);
    destroy_flags(args: DomainDestroyFlags) "destroy" => destroy(args.flags);
    suspend(args: DomainSuspend) "suspend" => suspend();
    resume(args: DomainResume) "resume" => resume();
    set_autostart(args: DomainSetAutostart) "autostart" => set_autostart(args.autostart != 0);
}
