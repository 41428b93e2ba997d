//! `Scope`: where a change is wanted: in what runs, in the definition, or in both.

use super::record::Record;
use super::table::Entry;
use crate::core::refused;
use driver_api::error::Result;
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};

/// Where a change is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scope {
    /// In what runs.
    pub(crate) live: bool,
    /// In the definition.
    pub(crate) config: bool,
}

impl Scope {
    /// The flags that say the same whatever becomes of the domain meanwhile.
    pub(crate) const fn flags(self) -> u32 {
        (if self.live { AFFECT_LIVE } else { 0 }) | (if self.config { AFFECT_CONFIG } else { 0 })
    }

    /// What the flags say; 0 means what runs if it runs, else the definition. Other bits are the caller's.
    ///
    /// # Errors
    /// 55 for a live change of what does not run, and for a definition that is not there. `what` is what would be changed
    /// ("devices").
    pub(crate) fn of(entry: &Entry, record: &Record, flags: u32, what: &str) -> Result<Self> {
        let active = record.phase.is_active();
        let flags = match (flags & (AFFECT_LIVE | AFFECT_CONFIG), active) {
            (0, true) => AFFECT_LIVE,
            (0, false) => AFFECT_CONFIG,
            (given, _) => given,
        };
        let scope = Self {
            live: flags & AFFECT_LIVE != 0,
            config: flags & AFFECT_CONFIG != 0,
        };
        if scope.live && !active {
            return Err(refused(
                entry,
                &format!("is not running and has no live {what} to change"),
            ));
        }
        if scope.config && record.next.is_none() {
            return Err(refused(
                entry,
                &format!("is transient and has no definition whose {what} could be changed"),
            ));
        }
        Ok(scope)
    }
}
