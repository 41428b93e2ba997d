//! A port's filter asked for with a token of level Domain: only Update keeps definitions from changing.

use driver_api::error::Result;
use driver_api::host::Host;
use driver_api::lock::level::Domain;
use driver_api::lock::token::Cx;
use driver_api::types::filter::PortRequest;

fn attach(host: &Host, cx: &mut Cx<'_, Domain>, request: &PortRequest) -> Result<()> {
    host.attach_port(cx, request)
}

fn main() {}
