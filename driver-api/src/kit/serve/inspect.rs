//! The driver's end of `nwfilter.inspect/1`.

use super::instance::Instance;
use super::serve;
use crate::abi::inspect::{BatchRecord, CountersRecord, InspectV1, OutcomeRecord, TestRecord, ViewRecord};
use crate::abi::lock::Call;
use crate::abi::root::Obj;
use crate::abi::value::{Fault, Pair, from_pairs};
use crate::driver::Inspect;
use crate::lock::level::Unlocked;
use abi_stable::std_types::{RResult, RStr, RVec};

/// The table for a driver.
#[doc(hidden)]
#[must_use]
pub fn table<T: Inspect>() -> &'static InspectV1 {
    const {
        &InspectV1 {
            facts: facts::<T>,
            show_port: show_port::<T>,
            counters: counters::<T>,
            test: test::<T>,
            start_trace: start_trace::<T>,
            next_trace: next_trace::<T>,
            stop_trace: stop_trace::<T>,
            reload: reload::<T>,
        }
    }
}

serve! { Inspect;
    fn facts(driver) -> RVec<Pair> { driver.facts().map(|facts| from_pairs(&facts)) }
    fn show_port(driver; port: RStr<'_>) -> ViewRecord { driver.show_port(port.as_str()).map(Into::into) }
    fn counters(driver; port: RStr<'_>) -> CountersRecord { driver.counters(port.as_str()).map(Into::into) }
    fn test(driver; request: TestRecord) -> RVec<OutcomeRecord> {
        let outcomes = driver.test(&request.try_into()?)?;
        Ok(outcomes.into_iter().map(Into::into).collect())
    }
    fn start_trace(driver; port: RStr<'_>) -> u64 { driver.start_trace(port.as_str()) }
    fn next_trace(driver; trace: u64) -> BatchRecord { driver.next_trace(trace).map(Into::into) }
    fn stop_trace(driver; trace: u64) -> () { driver.stop_trace(trace) }
    fn reload(driver, cx: Cx<Unlocked>) -> () { driver.reload(cx) }
}
