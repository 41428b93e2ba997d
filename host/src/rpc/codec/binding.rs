//! Filter bindings: which filter is on which port.

use super::{Listing, procedures};
use crate::rpc::xdr::xdr_struct;
use driver_api::types::filter::BindingBrief;

xdr_struct! {
    /// A binding on the wire; in calls only the port counts.
    #[derive(Eq)]
    BindingRef {
        port: String,
        filter: String,
    }
}

impl From<&BindingBrief> for BindingRef {
    fn from(brief: &BindingBrief) -> Self {
        Self {
            port: brief.port.clone(),
            filter: brief.filter.clone(),
        }
    }
}

procedures! {
    397 NwfilterBindingLookupByPortDev { name: String } -> BindingRef;
    398 NwfilterBindingGetXmlDesc { binding: BindingRef, flags: u32 } -> String;
    399 NwfilterBindingCreateXml { xml: String, flags: u32 } -> BindingRef;
    400 NwfilterBindingDelete { binding: BindingRef } -> ();
    401 ConnectListAllNwfilterBindings { need_results: i32, flags: u32 } -> Listing<BindingRef>;
}
