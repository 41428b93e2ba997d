//! `PlainRoot`: the door of a driver that was built without `abi_stable`, such as one written in C.
//!
//! Such a driver can not make the layout reports that an [`Interface`](super::interface::Interface) carries. It says
//! [`NO_ABI_STABLE`](super::manifest::NO_ABI_STABLE) in its manifest, its root is a [`PlainRoot`], and each table comes
//! with a [`Stamp`]: the size that its own compiler gave the table, and the hash of the layout that its header was made
//! from. The header (`include/lockstep_driver.h`) holds the stamps, and has the compiler check every size and offset.

use super::interface::{Table, TablePtr};
use super::layout::stamp;
use super::root::{HostRef, Obj};
use super::value::{Fault, Pair};
use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr};

/// Which frozen layout a table was made from.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, StableAbi)]
pub struct Stamp {
    /// The table's size in bytes, as the driver's compiler reckons it.
    pub size: u64,
    /// The hash of the layout, as the header says it.
    pub hash: u64,
}

/// A table and its stamp.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct PlainInterface {
    /// The stamp; never freed.
    pub stamp: *const Stamp,
    /// The table; never freed.
    pub table: TablePtr,
}

/// What the manifest of a driver without `abi_stable` leads to; as [`Root`](super::root::Root), but for what a query
/// answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct PlainRoot {
    /// The interface with this id (`virt.lifecycle/1`), or nothing.
    pub query: extern "C" fn(RStr<'_>) -> ROption<PlainInterface>,
    /// As [`Root::create`](super::root::Root::create).
    pub create: extern "C" fn(HostRef, RSlice<'_, Pair>) -> RResult<Obj, Fault>,
}

impl PlainInterface {
    /// The table, if its maker's stamp is ours.
    ///
    /// # Errors
    /// What differs, in the form of the layout check's reports.
    ///
    /// # Safety
    /// Both pointers must be null or lead into an image that is never unmapped, the table's to as many bytes as its stamp
    /// says.
    pub unsafe fn check<T: Table>(&self) -> Result<&'static T, String> {
        // SAFETY: the caller vouches for the pointer.
        let theirs = unsafe { self.stamp.as_ref() }.ok_or_else(|| String::from("Error: the stamp is missing"))?;
        let ours = stamp::<T>();
        if *theirs != ours {
            let text = |stamp: &Stamp| format!("{} bytes, layout {:#018x}", stamp.size, stamp.hash);
            return Err(format!(
                "Error: made from another header\nExpected: {}\nFound: {}",
                text(&ours),
                text(theirs)
            ));
        }
        if self.table.0.is_null() {
            return Err(String::from("Error: the table is missing"));
        }
        // SAFETY: the caller vouches for the pointer; the stamp says that the table was compiled as ours is.
        Ok(unsafe { &*self.table.0.cast::<T>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::core::CoreV1;

    extern "C" fn with_call(_: Obj, _: crate::abi::lock::Call) -> RResult<(), Fault> {
        RResult::ROk(())
    }
    extern "C" fn close(_: Obj, _: u64) -> RResult<(), Fault> {
        RResult::ROk(())
    }
    extern "C" fn rebuild(_: Obj) -> RResult<(), Fault> {
        RResult::ROk(())
    }

    static CORE: CoreV1 = CoreV1 {
        bring_up: with_call,
        autostart: with_call,
        close,
        rebuild_log_filters: rebuild,
    };

    fn check(stamp: *const Stamp, table: *const ()) -> Result<&'static CoreV1, String> {
        let table = TablePtr(table);
        // SAFETY: the stamps and the table below live while the test does, or are null.
        unsafe { PlainInterface { stamp, table }.check() }
    }

    #[test]
    fn a_table_is_taken_by_its_stamp_alone() {
        let good = stamp::<CoreV1>();
        let table = std::ptr::from_ref(&CORE).cast();
        check(&raw const good, table).unwrap();
        assert_eq!(
            check(std::ptr::null(), table).unwrap_err(),
            "Error: the stamp is missing"
        );
        let missing = check(&raw const good, std::ptr::null());
        assert_eq!(missing.unwrap_err(), "Error: the table is missing");
        for wrong in [Stamp { size: 8, ..good }, Stamp { hash: 1, ..good }] {
            let report = check(&raw const wrong, table).unwrap_err();
            assert!(report.contains("another header"), "{report}");
        }
    }
}
