//! `Metadata`: the host's end of `virt.metadata/1`.

use super::Loaded;
use crate::abi::lock::Call;
use crate::abi::metadata::MetadataV1;
use crate::error::Result;
use crate::types::metadata::MetadataChange;
use crate::types::uuid::Uuid;

/// The notes about a driver's domains; each method is that of [`crate::driver::Metadata`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static MetadataV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked"
)]
impl Metadata<'_> {
    pub fn set_metadata(&self, call: Call, uuid: Uuid, change: &MetadataChange<'_>, flags: u32) -> Result<()> {
        let set = (self.table.set_metadata)(self.driver.obj, call, uuid, change.into(), flags);
        self.driver.answer(set)
    }
}
