//! Frozen records of filters, bindings and ports.

use super::value::{Pair, from_pairs, pairs, text};
use crate::error::{Error, Result};
use crate::types::filter::{BindingBrief, FilterBrief, PortRequest};
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{RString, RVec};

/// `FilterBrief` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `FilterBrief`")]
pub struct FilterRecord {
    pub uuid: Uuid,
    pub name: RString,
}

impl From<FilterBrief> for FilterRecord {
    fn from(brief: FilterBrief) -> Self {
        Self {
            uuid: brief.uuid,
            name: brief.name.into(),
        }
    }
}

impl TryFrom<FilterRecord> for FilterBrief {
    type Error = Error;

    fn try_from(record: FilterRecord) -> Result<Self> {
        Ok(Self {
            uuid: record.uuid,
            name: text(record.name)?,
        })
    }
}

/// `BindingBrief` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `BindingBrief`")]
pub struct BindingRecord {
    pub port: RString,
    pub filter: RString,
}

impl From<BindingBrief> for BindingRecord {
    fn from(brief: BindingBrief) -> Self {
        Self {
            port: brief.port.into(),
            filter: brief.filter.into(),
        }
    }
}

impl TryFrom<BindingRecord> for BindingBrief {
    type Error = Error;

    fn try_from(record: BindingRecord) -> Result<Self> {
        Ok(Self {
            port: text(record.port)?,
            filter: text(record.filter)?,
        })
    }
}

/// `PortRequest` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `PortRequest`")]
pub struct PortRecord {
    pub owner: Uuid,
    pub owner_name: RString,
    pub port: RString,
    pub mac: RString,
    pub filter: RString,
    pub parameters: RVec<Pair>,
}

impl From<&PortRequest> for PortRecord {
    fn from(request: &PortRequest) -> Self {
        Self {
            owner: request.owner,
            owner_name: request.owner_name.as_str().into(),
            port: request.port.as_str().into(),
            mac: request.mac.as_str().into(),
            filter: request.filter.as_str().into(),
            parameters: from_pairs(&request.parameters),
        }
    }
}

impl TryFrom<PortRecord> for PortRequest {
    type Error = Error;

    fn try_from(record: PortRecord) -> Result<Self> {
        Ok(Self {
            port: text(record.port)?,
            mac: text(record.mac)?,
            filter: text(record.filter)?,
            parameters: pairs(record.parameters)?,
            owner: record.owner,
            owner_name: text(record.owner_name)?,
        })
    }
}
