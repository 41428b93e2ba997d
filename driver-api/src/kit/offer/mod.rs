//! The host's end of its service tables: C functions made from safe traits, one shield around each.
//!
//! The host implements the traits for one object per driver, so that each call says whose it is; [`host_ref`] makes of
//! that object what the driver's root takes.

mod descriptors;
mod event;
mod launch;
mod lock;
mod log;
mod notice;
mod ports;
mod spawn;

pub use descriptors::DescriptorService;
pub use event::EventService;
pub use launch::LaunchService;
pub use lock::LockService;
pub use log::{LogService, LogSite, LogValue};
pub use notice::NoticeService;
pub use ports::PortService;
pub use spawn::SpawnService;

use super::panic;
use crate::abi::interface::{Interface, Table};
use crate::abi::lock::HostObj;
use crate::abi::root::HostRef;
use crate::abi::value::{Fault, unsound};
use crate::error::Result;
use abi_stable::std_types::{RNone, ROption, RResult, RSome, RStr};

/// Everything that a host offers to one driver.
pub trait HostServices:
    LockService + LogService + EventService + NoticeService + SpawnService + DescriptorService + LaunchService + PortService
{
    /// Whether this host has the service with this id; one that it has not is not found by the driver.
    fn offers(&self, id: &str) -> bool;
}

/// The host as a driver's root takes it.
#[must_use]
pub fn host_ref<S: HostServices>(services: &'static S) -> HostRef {
    HostRef {
        obj: HostObj(std::ptr::from_ref(services).cast()),
        query: query::<S>,
    }
}

extern "C" fn query<S: HostServices>(obj: HostObj, id: RStr<'_>) -> ROption<Interface> {
    panic::muffle(|| {
        let id = words(&id).ok()?;
        let known = [
            found(lock::table::<S>()),
            found(log::table::<S>()),
            found(event::table::<S>()),
            found(notice::table::<S>()),
            found(spawn::table::<S>()),
            found(descriptors::table::<S>()),
            found(launch::table::<S>()),
            found(ports::table::<S>()),
        ];
        let (_, interface) = known.into_iter().find(|(known, _)| *known == id)?;
        services::<S>(obj).offers(id).then_some(interface)
    })
    .map_or(RNone, RSome)
}

fn found<T: Table>(table: &'static T) -> (&'static str, Interface) {
    (T::ID, Interface::of(table))
}

fn services<S: HostServices>(obj: HostObj) -> &'static S {
    // SAFETY: the driver gives back what `host_ref::<S>` gave to it: a reference to an `S` that lives for ever.
    unsafe { &*obj.0.cast::<S>() }
}

/// A driver's text, once it is sure that it is text.
fn words<'a>(raw: &'a RStr<'_>) -> Result<&'a str> {
    std::str::from_utf8(raw.as_bytes()).map_err(|error| unsound("a text that is not UTF-8").because(error))
}

fn enter<S: HostServices, R>(
    obj: HostObj,
    method: &str,
    work: impl FnOnce(&'static S) -> Result<R>,
) -> RResult<R, Fault> {
    panic::shield("the host", method, || work(services::<S>(obj)))
}

/// Makes the functions of a table: `host` is the host's object for the driver that calls.
macro_rules! offer {
    ($(fn $name:ident($host:ident $(; $($arg:ident: $ty:ty),+)?) -> $ret:ty $body:block)+) => {$(
        extern "C" fn $name<S: HostServices>(obj: HostObj $($(, $arg: $ty)+)?) -> RResult<$ret, Fault> {
            enter::<S, $ret>(obj, stringify!($name), move |$host| $body)
        }
    )+};
}
use offer;
