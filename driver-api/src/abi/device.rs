//! `virt.devices/1`, `virt.resources/1`, `virt.stats/1` and `virt.control/1`: changing and measuring what runs; since
//! version 1.5.

use super::domain::DomainRecord;
use super::interface::Table;
use super::lock::Call;
use super::param::ParamRecord;
use super::record::{all, each_of, record, word};
use super::root::Obj;
use super::value::{Fault, text, unsound};
use crate::error::{Error, Result};
use crate::types::device::{Address, AddressSource, Control, InterfaceAddresses, ParameterSet};
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};

fn maybe_word(text: Option<String>) -> ROption<RString> {
    text.map(RString::from).into()
}

fn maybe_text(raw: ROption<RString>) -> Result<Option<String>> {
    raw.into_option().map(text).transpose()
}

fn shown(address: std::net::IpAddr) -> RString {
    address.to_string().into()
}

fn read(raw: RString) -> Result<std::net::IpAddr> {
    text(raw)?
        .parse()
        .map_err(|error: std::net::AddrParseError| unsound("an address that is none").because(error))
}

record! {
    AddressRecord of Address {
        address: RString = shown, read;
        prefix: u32 = u32::from, Ok::<u32, Error>;
    }
    InterfaceAddressesRecord of InterfaceAddresses {
        name: RString = word, text;
        mac: ROption<RString> = maybe_word, maybe_text;
        addresses: RVec<AddressRecord> = all, each_of;
    }
}

/// `Control` as it crosses.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct ControlRecord {
    /// 0 it answers, 1 it is occupied, 2 it is silent.
    pub kind: u32,
    /// Since when, in milliseconds.
    pub since_ms: u64,
}

impl From<Control> for ControlRecord {
    fn from(control: Control) -> Self {
        let (kind, since_ms) = match control {
            Control::Ok => (0, 0),
            Control::Occupied(since) => (1, since),
            Control::Silent(since) => (2, since),
        };
        Self { kind, since_ms }
    }
}

impl TryFrom<ControlRecord> for Control {
    type Error = Error;

    fn try_from(record: ControlRecord) -> Result<Self> {
        Ok(match record.kind {
            0 => Self::Ok,
            1 => Self::Occupied(record.since_ms),
            2 => Self::Silent(record.since_ms),
            other => return Err(unsound(&format!("a control state {other}, which does not exist"))),
        })
    }
}

/// The set with this number.
pub(crate) fn set_of(number: u32) -> Result<ParameterSet> {
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    let set = ParameterSet::ALL.get(index).copied();
    set.ok_or_else(|| unsound(&format!("a set of parameters {number}, which does not exist")))
}

/// The source with this number.
pub(crate) fn source_of(number: u32) -> Result<AddressSource> {
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    let source = AddressSource::ALL.get(index).copied();
    source.ok_or_else(|| unsound(&format!("a source of addresses {number}, which does not exist")))
}

/// The table behind `virt.devices/1`; each function is the method of [`crate::driver::Devices`] of the same name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct DevicesV1 {
    pub attach_device: extern "C" fn(Obj, Call, Uuid, RStr<'_>, u32) -> RResult<(), Fault>,
    pub detach_device: extern "C" fn(Obj, Call, Uuid, RStr<'_>, u32) -> RResult<(), Fault>,
    pub detach_alias: extern "C" fn(Obj, Call, Uuid, RStr<'_>, u32) -> RResult<(), Fault>,
    pub update_device: extern "C" fn(Obj, Call, Uuid, RStr<'_>, u32) -> RResult<(), Fault>,
}

impl Table for DevicesV1 {
    const ID: &'static str = "virt.devices/1";
}

/// The table behind `virt.resources/1`; each function is the method of [`crate::driver::Resources`] of the same name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct ResourcesV1 {
    pub set_memory: extern "C" fn(Obj, Call, Uuid, u64, u32) -> RResult<(), Fault>,
    pub set_vcpus: extern "C" fn(Obj, Call, Uuid, u32, u32) -> RResult<(), Fault>,
    pub vcpus: extern "C" fn(Obj, Uuid, u32) -> RResult<u32, Fault>,
    pub parameters: extern "C" fn(Obj, Uuid, u32, RStr<'_>, u32) -> RResult<RVec<ParamRecord>, Fault>,
    pub set_parameters: extern "C" fn(Obj, Call, Uuid, u32, RStr<'_>, RVec<ParamRecord>, u32) -> RResult<(), Fault>,
}

impl Table for ResourcesV1 {
    const ID: &'static str = "virt.resources/1";
}

/// The table behind `virt.stats/1`; each function is the method of [`crate::driver::Stats`] of the same name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct StatsV1 {
    pub stats: extern "C" fn(Obj, Uuid, u32) -> RResult<RVec<ParamRecord>, Fault>,
    pub addresses: extern "C" fn(Obj, Uuid, u32) -> RResult<RVec<InterfaceAddressesRecord>, Fault>,
}

impl Table for StatsV1 {
    const ID: &'static str = "virt.stats/1";
}

/// The table behind `virt.control/1`; each function is the method of [`crate::driver::Control`] of the same name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct ControlV1 {
    pub control: extern "C" fn(Obj, Uuid) -> RResult<ControlRecord, Fault>,
    pub reset: extern "C" fn(Obj, Call, Uuid) -> RResult<(), Fault>,
    pub rename: extern "C" fn(Obj, Call, Uuid, RStr<'_>) -> RResult<DomainRecord, Fault>,
    pub block_peek: extern "C" fn(Obj, Uuid, RStr<'_>, u64, u32) -> RResult<RVec<u8>, Fault>,
    pub set_autostart_once: extern "C" fn(Obj, Call, Uuid, u32) -> RResult<(), Fault>,
    pub messages: extern "C" fn(Obj, Uuid) -> RResult<RVec<RString>, Fault>,
}

impl Table for ControlV1 {
    const ID: &'static str = "virt.control/1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_control_states_cross_whole() {
        let addresses = InterfaceAddresses {
            name: "vnet0".to_owned(),
            mac: Some("52:54:00:00:00:01".to_owned()),
            addresses: vec![
                Address {
                    address: "10.0.0.2".parse().unwrap(),
                    prefix: 24,
                },
                Address {
                    address: "fe80::1".parse().unwrap(),
                    prefix: 0,
                },
            ],
        };
        let record = InterfaceAddressesRecord::from(addresses.clone());
        assert_eq!(InterfaceAddresses::try_from(record).unwrap(), addresses);
        for control in [Control::Ok, Control::Occupied(1), Control::Silent(u64::MAX)] {
            assert_eq!(Control::try_from(ControlRecord::from(control)).unwrap(), control);
        }
    }

    #[test]
    fn numbers_of_sets_and_sources_are_those_of_their_places() {
        for set in ParameterSet::ALL {
            assert_eq!(set_of(set as u32).unwrap(), set);
        }
        for source in AddressSource::ALL {
            assert_eq!(source_of(source as u32).unwrap(), source);
        }
        assert!(set_of(5).is_err() && source_of(3).is_err());
    }
}
