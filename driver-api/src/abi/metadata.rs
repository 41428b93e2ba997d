//! `virt.metadata/1`: notes about domains; since version 1.2.

use super::interface::Table;
use super::lock::Call;
use super::root::Obj;
use super::value::Fault;
use crate::types::metadata::MetadataChange;
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RStr};

/// `MetadataChange` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct MetadataRecord<'a> {
    /// 0 description, 1 title, 2 element (`virDomainMetadataType`).
    pub kind: u32,
    /// The text or element; nothing removes it.
    pub value: ROption<RStr<'a>>,
    /// The prefix of an element's namespace.
    pub key: ROption<RStr<'a>>,
    /// An element's namespace.
    pub uri: ROption<RStr<'a>>,
}

impl<'a> From<&MetadataChange<'a>> for MetadataRecord<'a> {
    fn from(change: &MetadataChange<'a>) -> Self {
        let (kind, value, key, uri) = change.parts();
        Self {
            kind,
            value: value.map(RStr::from).into(),
            key: key.map(RStr::from).into(),
            uri: uri.map(RStr::from).into(),
        }
    }
}

/// The table behind `virt.metadata/1`; each function is the method of [`crate::driver::Metadata`] of the same name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct MetadataV1 {
    pub set_metadata: extern "C" fn(Obj, Call, Uuid, MetadataRecord<'_>, u32) -> RResult<(), Fault>,
}

impl Table for MetadataV1 {
    const ID: &'static str = "virt.metadata/1";
}
