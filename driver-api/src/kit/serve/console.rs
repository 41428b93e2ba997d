//! The driver's end of `virt.console/1`.

use super::instance::Instance;
use super::serve;
use crate::abi::console::ConsoleV1;
use crate::abi::guest::ConsoleRefRecord;
use crate::abi::root::Obj;
use crate::abi::value::Fault;
use crate::driver::Console;
use crate::types::uuid::Uuid;
use abi_stable::std_types::{ROption, RResult, RStr};

/// The table for a driver.
#[doc(hidden)]
#[must_use]
pub fn table<T: Console>() -> &'static ConsoleV1 {
    const { &ConsoleV1 { console: console::<T> } }
}

serve! { Console;
    fn console(driver; uuid: Uuid, alias: ROption<RStr<'_>>) -> ConsoleRefRecord {
        let alias = alias.into_option();
        driver.console(uuid, alias.as_ref().map(RStr::as_str)).map(Into::into)
    }
}
