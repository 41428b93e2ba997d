//! A guest process started, which takes its time, while a lock is held.

use driver_api::error::Result;
use driver_api::host::Host;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::guest::GuestSpec;
use driver_api::types::uuid::Uuid;

fn start(host: &Host, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, spec: &GuestSpec) -> Result<()> {
    let mut domain = cx.domain_write(uuid)?;
    host.spawn(&mut domain, spec)?;
    Ok(())
}

fn main() {}
