//! The driver's end of `driver.core/1`.

use super::instance::Instance;
use super::serve;
use crate::abi::core::CoreV1;
use crate::abi::lock::Call;
use crate::abi::root::Obj;
use crate::abi::value::Fault;
use crate::driver::Driver;
use crate::lock::level::Unlocked;
use abi_stable::std_types::RResult;
use std::time::Duration;

/// The table for a driver.
#[doc(hidden)]
#[must_use]
pub fn table<T: Driver>() -> &'static CoreV1 {
    const {
        &CoreV1 {
            bring_up: bring_up::<T>,
            autostart: autostart::<T>,
            close: close::<T>,
            rebuild_log_filters: rebuild_log_filters::<T>,
        }
    }
}

serve! { Driver;
    fn bring_up(driver, cx: Cx<Unlocked>) -> () { driver.bring_up(cx) }
    fn autostart(driver, cx: Cx<Unlocked>) -> () { driver.autostart(cx) }
    fn close(driver; within_ms: u64) -> () { driver.close(Duration::from_millis(within_ms)) }
    fn rebuild_log_filters(_driver) -> () {
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }
}
