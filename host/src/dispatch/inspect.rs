//! Looks at filters in force: the filter driver's answers, passed on as they are.

use super::Dispatch;
use crate::rpc::codec::inspect::{
    NwfilterGetCounters, NwfilterGetPort, NwfilterGetStatus, NwfilterNextTrace, NwfilterReload, NwfilterStartTrace,
    NwfilterStopTrace, NwfilterTest, Outcomes, Pairs,
};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::Result;
use driver_api::types::inspect::{PortCounters, PortView, TraceBatch};

pub(super) fn status(host: &Dispatch, _: &Call<'_>, _: NwfilterGetStatus) -> Result<Pairs> {
    host.inspect("facts", |inspect| inspect.facts()).map(List)
}

pub(super) fn port(host: &Dispatch, _: &Call<'_>, args: NwfilterGetPort) -> Result<PortView> {
    host.inspect("show_port", |inspect| inspect.show_port(&args.port))
}

pub(super) fn counters(host: &Dispatch, _: &Call<'_>, args: NwfilterGetCounters) -> Result<PortCounters> {
    host.inspect("counters", |inspect| inspect.counters(&args.port))
}

pub(super) fn test(host: &Dispatch, _: &Call<'_>, args: NwfilterTest) -> Result<Outcomes> {
    host.inspect("test", |inspect| inspect.test(args.request)).map(List)
}

pub(super) fn start_trace(host: &Dispatch, _: &Call<'_>, args: NwfilterStartTrace) -> Result<u64> {
    host.inspect("start_trace", |inspect| inspect.start_trace(&args.port))
}

pub(super) fn next_trace(host: &Dispatch, _: &Call<'_>, args: NwfilterNextTrace) -> Result<TraceBatch> {
    host.inspect("next_trace", |inspect| inspect.next_trace(args.trace))
}

pub(super) fn stop_trace(host: &Dispatch, _: &Call<'_>, args: NwfilterStopTrace) -> Result<()> {
    host.inspect("stop_trace", |inspect| inspect.stop_trace(args.trace))
}

pub(super) fn reload(host: &Dispatch, call: &Call<'_>, _: NwfilterReload) -> Result<()> {
    host.reload_filters(call)
}
