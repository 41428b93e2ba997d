//! `export_driver!`: what makes a dynamic library a driver.

use crate::abi::interface::{Interface, Table};
use abi_stable::std_types::{RNone, ROption, RSome, RStr};

/// Exports a driver's manifest, root and tables: `export_driver!(Uml: VirtDriver + Console);`.
///
/// Named are the traits beside [`crate::driver::Driver`] that the driver offers; one that is implemented but not named is
/// not offered. Once per library.
#[macro_export]
macro_rules! export_driver {
    ($driver:ty: $first:ident $(+ $more:ident)*) => {
        const _: () = {
            const INFO: $crate::driver::DriverInfo = <$driver as $crate::driver::Driver>::INFO;
            static NEEDS: [$crate::abi::manifest::Text; INFO.needs.len()] = $crate::abi::manifest::texts(INFO.needs);
            extern "C" fn query(id: $crate::kit::export::Id<'_>) -> $crate::kit::export::Found {
                $crate::kit::export::find(id, &[
                    $crate::kit::export::offer($crate::kit::serve::core::table::<$driver>()),
                    $crate::__driver_interface!($first, $driver),
                    $($crate::__driver_interface!($more, $driver)),*
                ])
            }
            static ROOT: $crate::abi::root::Root = $crate::abi::root::Root {
                query,
                create: $crate::kit::serve::instance::create::<$driver>,
            };
            /// What the host reads first.
            #[unsafe(no_mangle)]
            pub static LOCKSTEP_DRIVER: $crate::abi::manifest::Manifest = $crate::abi::manifest::Manifest::new(
                &INFO,
                env!("CARGO_PKG_LICENSE"),
                $crate::__driver_kind!($first) $(| $crate::__driver_kind!($more))*,
                &NEEDS,
                &ROOT,
            );
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __driver_interface {
    (VirtDriver, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::virt::table::<$driver>())
    };
    (Console, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::console::table::<$driver>())
    };
    (Metadata, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::metadata::table::<$driver>())
    };
    (Devices, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::device::devices_table::<$driver>())
    };
    (Resources, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::device::resources_table::<$driver>())
    };
    (Stats, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::device::stats_table::<$driver>())
    };
    (Control, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::device::control_table::<$driver>())
    };
    (FilterDriver, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::nwfilter::filters_table::<$driver>())
    };
    (BindingDriver, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::nwfilter::bindings_table::<$driver>())
    };
    (Inspect, $driver:ty) => {
        $crate::kit::export::offer($crate::kit::serve::inspect::table::<$driver>())
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __driver_kind {
    (VirtDriver) => {
        $crate::abi::manifest::KIND_VIRT
    };
    (FilterDriver) => {
        $crate::abi::manifest::KIND_NWFILTER
    };
    ($other:ident) => {
        0
    };
}

/// The argument of a query.
#[doc(hidden)]
pub type Id<'a> = RStr<'a>;
/// The answer to a query.
#[doc(hidden)]
pub type Found = ROption<Interface>;

#[doc(hidden)]
#[must_use]
pub fn offer<T: Table>(table: &'static T) -> (&'static str, Interface) {
    (T::ID, Interface::of(table))
}

#[doc(hidden)]
#[must_use]
pub fn find(id: Id<'_>, offers: &[(&'static str, Interface)]) -> Found {
    let offer = offers.iter().find(|(known, _)| *known == id.as_str());
    offer.map_or(RNone, |(_, interface)| RSome(*interface))
}
