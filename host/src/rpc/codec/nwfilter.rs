//! Network filters: look-ups, lists and definitions.

use super::{Listing, Names, procedures};
use crate::rpc::xdr::xdr_struct;
use driver_api::types::filter::FilterBrief;
use driver_api::types::uuid::Uuid;

xdr_struct! {
    /// A filter on the wire; in calls only the UUID counts.
    #[derive(Eq)]
    NwfilterRef {
        name: String,
        uuid: Uuid,
    }
}

impl From<&FilterBrief> for NwfilterRef {
    fn from(brief: &FilterBrief) -> Self {
        Self {
            name: brief.name.clone(),
            uuid: brief.uuid,
        }
    }
}

procedures! {
    175 NwfilterLookupByName { name: String } -> NwfilterRef;
    176 NwfilterLookupByUuid { uuid: Uuid } -> NwfilterRef;
    177 NwfilterGetXmlDesc { filter: NwfilterRef, flags: u32 } -> String;
    178 ConnectNumOfNwfilters {} -> i32;
    179 ConnectListNwfilters { max: i32 } -> Names;
    180 NwfilterDefineXml { xml: String } -> NwfilterRef;
    181 NwfilterUndefine { filter: NwfilterRef } -> ();
    286 ConnectListAllNwfilters { need_results: i32, flags: u32 } -> Listing<NwfilterRef>;
    431 NwfilterDefineXmlFlags { xml: String, flags: u32 } -> NwfilterRef;
}
