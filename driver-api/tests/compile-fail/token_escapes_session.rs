//! A token kept after its session has ended.

use driver_api::error::Result;
use driver_api::host::Host;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn keep(host: &Host) -> Result<()> {
    let mut kept: Option<&mut Cx<'_, Unlocked>> = None;
    host.session("keeper", |cx| {
        kept = Some(cx);
        Ok(())
    })
}

fn main() {}
