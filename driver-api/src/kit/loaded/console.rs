//! `Consoles`: the host's end of `virt.console/1`.

use super::Loaded;
use crate::abi::console::ConsoleV1;
use crate::error::Result;
use crate::types::guest::ConsoleRef;
use crate::types::uuid::Uuid;
use abi_stable::std_types::RStr;

/// A driver's consoles; each method is that of [`crate::driver::Console`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Consoles<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static ConsoleV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked"
)]
impl Consoles<'_> {
    pub fn console(&self, uuid: Uuid, alias: Option<&str>) -> Result<ConsoleRef> {
        let console = (self.table.console)(self.driver.obj, uuid, alias.map(RStr::from).into());
        self.driver.answer(console).map(Into::into)
    }
}
