//! Filters: look-ups, lists and definitions.

use super::Dispatch;
use crate::rpc::codec::nwfilter::{
    ConnectListAllNwfilters, ConnectListNwfilters, ConnectNumOfNwfilters, NwfilterDefineXml, NwfilterDefineXmlFlags,
    NwfilterGetXmlDesc, NwfilterLookupByName, NwfilterLookupByUuid, NwfilterRef, NwfilterUndefine,
};
use crate::rpc::codec::{Listing, Names};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::filter::FilterBrief;

fn no_filter(what: &str) -> Error {
    Error::new(Code::NO_NWFILTER, Origin::NWFILTER, format!("no filter with {what}"))
}

fn find(host: &Dispatch, which: impl Fn(&FilterBrief) -> bool, what: &str) -> Result<NwfilterRef> {
    let filters = host.filters("filters", |filters| filters.filters())?;
    filters
        .iter()
        .find(|filter| which(filter))
        .map(NwfilterRef::from)
        .ok_or_else(|| no_filter(what))
}

pub(super) fn by_name(host: &Dispatch, _: &Call<'_>, args: NwfilterLookupByName) -> Result<NwfilterRef> {
    find(
        host,
        |filter| filter.name == args.name,
        &format!("name '{}'", args.name),
    )
}

pub(super) fn by_uuid(host: &Dispatch, _: &Call<'_>, args: NwfilterLookupByUuid) -> Result<NwfilterRef> {
    find(
        host,
        |filter| filter.uuid == args.uuid,
        &format!("uuid '{}'", args.uuid),
    )
}

pub(super) fn list_all(host: &Dispatch, _: &Call<'_>, args: ConnectListAllNwfilters) -> Result<Listing<NwfilterRef>> {
    if args.flags != 0 {
        let text = format!("a list of filters does not know the flags {:#x}", args.flags);
        return Err(Error::new(Code::INVALID_ARG, Origin::NWFILTER, text));
    }
    let filters = host.filters("filters", |filters| filters.filters())?;
    Ok(Listing::new(
        filters.iter().map(NwfilterRef::from).collect(),
        args.need_results,
    ))
}

pub(super) fn list(host: &Dispatch, _: &Call<'_>, args: ConnectListNwfilters) -> Result<Names> {
    let filters = host.filters("filters", |filters| filters.filters())?;
    Ok(List(
        filters
            .into_iter()
            .take(usize::try_from(args.max).unwrap_or(0))
            .map(|filter| filter.name)
            .collect(),
    ))
}

pub(super) fn num(host: &Dispatch, _: &Call<'_>, _: ConnectNumOfNwfilters) -> Result<i32> {
    Ok(i32::try_from(host.filters("filters", |filters| filters.filters())?.len()).unwrap_or(i32::MAX))
}

pub(super) fn xml(host: &Dispatch, _: &Call<'_>, args: NwfilterGetXmlDesc) -> Result<String> {
    host.filters("filter_xml", |filters| filters.filter_xml(args.filter.uuid, args.flags))
}

pub(super) fn define(host: &Dispatch, call: &Call<'_>, args: NwfilterDefineXml) -> Result<NwfilterRef> {
    define_with(host, call, &args.xml, 0)
}

pub(super) fn define_flags(host: &Dispatch, call: &Call<'_>, args: NwfilterDefineXmlFlags) -> Result<NwfilterRef> {
    define_with(host, call, &args.xml, args.flags)
}

fn define_with(host: &Dispatch, call: &Call<'_>, xml: &str, flags: u32) -> Result<NwfilterRef> {
    let filter = host.change_filters(call, "define_filter", |filters, cx| {
        filters.define_filter(cx, xml, flags)
    })?;
    Ok(NwfilterRef::from(&filter))
}

pub(super) fn undefine(host: &Dispatch, call: &Call<'_>, args: NwfilterUndefine) -> Result<()> {
    let uuid = args.filter.uuid;
    host.change_filters(call, "undefine_filter", |filters, cx| filters.undefine_filter(cx, uuid))
}
