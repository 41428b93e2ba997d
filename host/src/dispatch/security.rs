//! Security labels: there are none, and clients want to hear that rather than that nobody knows.

use super::Dispatch;
use super::domain::find;
use crate::rpc::codec::security::{
    DomainGetSecurityLabel, DomainGetSecurityLabelList, NodeGetSecurityModel, SecurityLabel, SecurityLabels,
    SecurityModel,
};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::Result;

/// An empty text as readers in C want it.
fn none<const MAX: usize>() -> List<u8, MAX> {
    List(vec![0])
}

pub(super) fn model(_: &Dispatch, _: &Call<'_>, _: NodeGetSecurityModel) -> Result<SecurityModel> {
    Ok(SecurityModel {
        model: none(),
        doi: none(),
    })
}

pub(super) fn label(host: &Dispatch, call: &Call<'_>, args: DomainGetSecurityLabel) -> Result<SecurityLabel> {
    find(host, call, &args.dom)?;
    Ok(SecurityLabel {
        label: none(),
        enforcing: 0,
    })
}

pub(super) fn labels(host: &Dispatch, call: &Call<'_>, args: DomainGetSecurityLabelList) -> Result<SecurityLabels> {
    find(host, call, &args.dom)?;
    Ok(SecurityLabels {
        labels: List(Vec::new()),
        count: 0,
    })
}
