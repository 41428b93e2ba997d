//! The addresses of guests' interfaces.

use super::super::Dispatch;
use super::super::domain::{find, no_flags};
use crate::rpc::codec::stats::{ADDRESSES_MAX, DomainInterfaceAddresses, Interface, IpAddress};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::device::{Address, AddressSource, InterfaceAddresses};
use std::net::IpAddr;

pub(in super::super) fn addresses(
    host: &Dispatch,
    call: &Call<'_>,
    args: DomainInterfaceAddresses,
) -> Result<List<Interface, ADDRESSES_MAX>> {
    no_flags("a guest's addresses", args.flags)?;
    let index = usize::try_from(args.source).unwrap_or(usize::MAX);
    let source = AddressSource::ALL.get(index).copied().ok_or_else(|| {
        let text = format!("there is no source {} of a guest's addresses", args.source);
        Error::new(Code::INVALID_ARG, Origin::DOMAIN, text)
    })?;
    if source == AddressSource::Agent && call.client.read_only() {
        let text =
            "a read-only connection may not have a guest's agent asked: take another source or connect read-write";
        return Err(Error::new(Code::OPERATION_DENIED, Origin::DOMAIN, text));
    }
    let uuid = find(host, call, &args.dom)?.uuid;
    let told = host.stats(call, "addresses", |stats| stats.addresses(uuid, source))?;
    let interfaces = told.ok_or_else(|| host.lacks(call, "addresses of guests"))?;
    Ok(List(interfaces.into_iter().map(interface).collect()))
}

fn interface(told: InterfaceAddresses) -> Interface {
    let address = |Address { address, prefix }| IpAddress {
        kind: match address {
            IpAddr::V4(_) => 0,
            IpAddr::V6(_) => 1,
        },
        address: address.to_string(),
        prefix,
    };
    Interface {
        name: told.name,
        mac: told.mac,
        addresses: List(told.addresses.into_iter().map(address).collect()),
    }
}
