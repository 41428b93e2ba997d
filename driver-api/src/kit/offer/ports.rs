//! The host's end of `ports/1`.

use super::{HostServices, enter, offer, words};
use crate::abi::filter::PortRecord;
use crate::abi::lock::{Call, HostObj};
use crate::abi::ports::PortsV1;
use crate::abi::value::{Fault, texts};
use crate::error::Result;
use crate::types::filter::PortRequest;
use abi_stable::std_types::{RResult, RStr, RString, RVec};

/// What the host does for `ports/1`; the caller's thread holds Update.
pub trait PortService: Send + Sync + 'static {
    /// Has the filter driver filter a port.
    ///
    /// # Errors
    /// 3 when no driver filters ports, 55 when Update is not held, else what the filter driver says.
    fn attach_port(&self, call: Call, request: &PortRequest) -> Result<()>;

    /// Has the filter driver leave a port.
    ///
    /// # Errors
    /// As [`PortService::attach_port`].
    fn detach_port(&self, call: Call, port: &str) -> Result<()>;

    /// Asks every virt driver for its ports with one of these filters.
    ///
    /// # Errors
    /// 55 when Update is not held, else what the first driver that can not tell says.
    fn filtered_ports(&self, call: Call, filters: &[String]) -> Result<Vec<PortRequest>>;
}

pub(super) fn table<S: HostServices>() -> &'static PortsV1 {
    const {
        &PortsV1 {
            attach: attach::<S>,
            detach: detach::<S>,
            filtered: filtered::<S>,
        }
    }
}

offer! {
    fn attach(host; call: Call, request: PortRecord) -> () { host.attach_port(call, &request.try_into()?) }
    fn detach(host; call: Call, port: RStr<'_>) -> () { host.detach_port(call, words(&port)?) }
    fn filtered(host; call: Call, filters: RVec<RString>) -> RVec<PortRecord> {
        let ports = host.filtered_ports(call, &texts(filters)?)?;
        Ok(ports.iter().map(Into::into).collect())
    }
}
