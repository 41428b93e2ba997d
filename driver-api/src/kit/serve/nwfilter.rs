//! The driver's end of `nwfilter.define/1` and `nwfilter.binding/1`.

use super::instance::Instance;
use super::serve;
use crate::abi::filter::{BindingRecord, FilterRecord, PortRecord};
use crate::abi::lock::Call;
use crate::abi::nwfilter::{BindingV1, FilterV1};
use crate::abi::root::Obj;
use crate::abi::value::Fault;
use crate::driver::{BindingDriver, FilterDriver};
use crate::lock::level::{Unlocked, Update};
use crate::types::uuid::Uuid;
use abi_stable::std_types::{RResult, RStr, RString, RVec};

/// The table of definitions for a driver.
#[doc(hidden)]
#[must_use]
pub fn filters_table<T: FilterDriver>() -> &'static FilterV1 {
    const {
        &FilterV1 {
            filters: filters::<T>,
            filter_xml: filter_xml::<T>,
            define_filter: define_filter::<T>,
            undefine_filter: undefine_filter::<T>,
        }
    }
}

/// The table of bindings for a driver.
#[doc(hidden)]
#[must_use]
pub fn bindings_table<T: BindingDriver>() -> &'static BindingV1 {
    const {
        &BindingV1 {
            bindings: bindings::<T>,
            binding_xml: binding_xml::<T>,
            create_binding: create_binding::<T>,
            delete_binding: delete_binding::<T>,
            attach_port: attach_port::<T>,
            detach_port: detach_port::<T>,
        }
    }
}

serve! { FilterDriver;
    fn filters(driver) -> RVec<FilterRecord> { Ok(driver.filters().into_iter().map(Into::into).collect()) }
    fn filter_xml(driver; uuid: Uuid, flags: u32) -> RString { driver.filter_xml(uuid, flags).map(Into::into) }
    fn define_filter(driver, cx: Cx<Unlocked>; xml: RStr<'_>, flags: u32) -> FilterRecord {
        driver.define_filter(cx, xml.as_str(), flags).map(Into::into)
    }
    fn undefine_filter(driver, cx: Cx<Unlocked>; uuid: Uuid) -> () { driver.undefine_filter(cx, uuid) }
}

serve! { BindingDriver;
    fn bindings(driver) -> RVec<BindingRecord> { Ok(driver.bindings().into_iter().map(Into::into).collect()) }
    fn binding_xml(driver; port: RStr<'_>, flags: u32) -> RString {
        driver.binding_xml(port.as_str(), flags).map(Into::into)
    }
    fn create_binding(driver, cx: Cx<Unlocked>; xml: RStr<'_>, flags: u32) -> BindingRecord {
        driver.create_binding(cx, xml.as_str(), flags).map(Into::into)
    }
    fn delete_binding(driver, cx: Cx<Unlocked>; port: RStr<'_>) -> () { driver.delete_binding(cx, port.as_str()) }
    fn attach_port(driver, cx: Cx<Update>; request: PortRecord) -> () { driver.attach_port(cx, &request.try_into()?) }
    fn detach_port(driver, cx: Cx<Update>; port: RStr<'_>) -> () { driver.detach_port(cx, port.as_str()) }
}
