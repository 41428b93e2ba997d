//! Filter bindings: look-ups, lists, and making and ending those that no domain owns.

use super::Dispatch;
use crate::rpc::codec::Listing;
use crate::rpc::codec::binding::{
    BindingRef, ConnectListAllNwfilterBindings, NwfilterBindingCreateXml, NwfilterBindingDelete,
    NwfilterBindingGetXmlDesc, NwfilterBindingLookupByPortDev,
};
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};

pub(super) fn by_port(host: &Dispatch, _: &Call<'_>, args: NwfilterBindingLookupByPortDev) -> Result<BindingRef> {
    let bindings = host.bindings("bindings", |bindings| bindings.bindings())?;
    bindings
        .iter()
        .find(|binding| binding.port == args.name)
        .map(BindingRef::from)
        .ok_or_else(|| {
            let text = format!("no filter is bound to port '{}'", args.name);
            Error::new(Code::NO_NWFILTER_BINDING, Origin::NWFILTER, text)
        })
}

pub(super) fn xml(host: &Dispatch, _: &Call<'_>, args: NwfilterBindingGetXmlDesc) -> Result<String> {
    host.bindings("binding_xml", |bindings| {
        bindings.binding_xml(&args.binding.port, args.flags)
    })
}

pub(super) fn create(host: &Dispatch, call: &Call<'_>, args: NwfilterBindingCreateXml) -> Result<BindingRef> {
    let binding = host.change_bindings(call, "create_binding", |bindings, cx| {
        bindings.create_binding(cx, &args.xml, args.flags)
    })?;
    Ok(BindingRef::from(&binding))
}

pub(super) fn delete(host: &Dispatch, call: &Call<'_>, args: NwfilterBindingDelete) -> Result<()> {
    host.change_bindings(call, "delete_binding", |bindings, cx| {
        bindings.delete_binding(cx, &args.binding.port)
    })
}

pub(super) fn list_all(
    host: &Dispatch,
    _: &Call<'_>,
    args: ConnectListAllNwfilterBindings,
) -> Result<Listing<BindingRef>> {
    let bindings = host.bindings("bindings", |bindings| bindings.bindings())?;
    Ok(Listing::new(
        bindings.iter().map(BindingRef::from).collect(),
        args.need_results,
    ))
}
