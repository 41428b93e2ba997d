//! `Interface`: one frozen table as `query` hands it out, and the check that makes a typed reference of it.

use abi_stable::StableAbi;
use abi_stable::abi_stability::check_layout_compatibility;
use abi_stable::type_layout::TypeLayout;

/// A table and the report of its layout.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct Interface {
    /// How the maker of the table compiled it.
    pub layout: &'static TypeLayout,
    /// The table; never freed.
    pub table: TablePtr,
}

/// Where a table lies.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct TablePtr(pub *const ());

// SAFETY: a table is immutable and lives for the life of the process.
unsafe impl Send for TablePtr {}
// SAFETY: as above.
unsafe impl Sync for TablePtr {}

/// A frozen table of functions: its name and number, and where to find both in the docs.
pub trait Table: StableAbi + Copy + Send + Sync + 'static {
    /// `name/number`.
    const ID: &'static str;
}

impl Interface {
    /// What the maker of `table` answers to a query for it.
    #[must_use]
    pub fn of<T: Table>(table: &'static T) -> Self {
        Self {
            layout: T::LAYOUT,
            table: TablePtr(std::ptr::from_ref(table).cast()),
        }
    }

    /// The table, if its maker compiled it as we did.
    ///
    /// # Errors
    /// The full report of the layout check: thousands of characters, to be condensed before anyone reads it.
    pub fn check<T: Table>(&self) -> Result<&'static T, String> {
        check_layout_compatibility(T::LAYOUT, self.layout)
            .into_result()
            .map_err(|error| error.to_string())?;
        if self.table.0.is_null() {
            return Err(String::from("Error: the table is missing"));
        }
        // SAFETY: the maker of the interface says that the pointer is a table of `layout`, which was just compared with
        // ours, and that it is never freed.
        Ok(unsafe { &*self.table.0.cast::<T>() })
    }
}
