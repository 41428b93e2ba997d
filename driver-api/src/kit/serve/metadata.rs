//! The driver's end of `virt.metadata/1`.

use super::instance::Instance;
use super::serve;
use crate::abi::lock::Call;
use crate::abi::metadata::{MetadataRecord, MetadataV1};
use crate::abi::root::Obj;
use crate::abi::value::Fault;
use crate::driver::Metadata;
use crate::lock::level::Unlocked;
use crate::types::metadata::MetadataChange;
use crate::types::uuid::Uuid;
use abi_stable::std_types::{ROption, RResult, RStr};

/// The table for a driver.
#[doc(hidden)]
#[must_use]
pub fn table<T: Metadata>() -> &'static MetadataV1 {
    const {
        &MetadataV1 {
            set_metadata: set_metadata::<T>,
        }
    }
}

fn text<'a>(raw: &'a ROption<RStr<'_>>) -> Option<&'a str> {
    raw.as_ref().map(RStr::as_str).into_option()
}

serve! { Metadata;
    fn set_metadata(driver, cx: Cx<Unlocked>; uuid: Uuid, change: MetadataRecord<'_>, flags: u32) -> () {
        let change = MetadataChange::new(change.kind, text(&change.value), text(&change.key), text(&change.uri))?;
        driver.set_metadata(cx, uuid, &change, flags)
    }
}
