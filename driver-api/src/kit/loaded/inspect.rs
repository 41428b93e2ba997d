//! `Inspect`: the host's end of `nwfilter.inspect/1`.

use super::Loaded;
use crate::abi::inspect::InspectV1;
use crate::abi::lock::Call;
use crate::abi::value::{each, pairs};
use crate::error::Result;
use crate::types::inspect::{PortCounters, PortView, TestOutcome, TestRequest, TraceBatch};

/// What a filter driver tells of filters in force; each method is that of [`crate::driver::Inspect`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Inspect<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static InspectV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked or answered nonsense"
)]
impl Inspect<'_> {
    pub fn facts(&self) -> Result<Vec<(String, String)>> {
        pairs(self.driver.answer((self.table.facts)(self.driver.obj))?)
    }

    pub fn show_port(&self, port: &str) -> Result<PortView> {
        let view = (self.table.show_port)(self.driver.obj, port.into());
        self.driver.answer(view)?.try_into()
    }

    pub fn counters(&self, port: &str) -> Result<PortCounters> {
        let counters = (self.table.counters)(self.driver.obj, port.into());
        self.driver.answer(counters)?.try_into()
    }

    pub fn test(&self, request: TestRequest) -> Result<Vec<TestOutcome>> {
        let outcomes = (self.table.test)(self.driver.obj, request.into());
        each(self.driver.answer(outcomes)?, TestOutcome::try_from)
    }

    pub fn start_trace(&self, port: &str) -> Result<u64> {
        self.driver
            .answer((self.table.start_trace)(self.driver.obj, port.into()))
    }

    pub fn next_trace(&self, trace: u64) -> Result<TraceBatch> {
        let batch = (self.table.next_trace)(self.driver.obj, trace);
        self.driver.answer(batch)?.try_into()
    }

    pub fn stop_trace(&self, trace: u64) -> Result<()> {
        self.driver.answer((self.table.stop_trace)(self.driver.obj, trace))
    }

    pub fn reload(&self, call: Call) -> Result<()> {
        self.driver.answer((self.table.reload)(self.driver.obj, call))
    }
}
