//! Update while a guest is held: libvirt's deadlock of 2014.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;

fn start(cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
    let mut domain = cx.domain_write(uuid)?;
    let _update = domain.update_read()?;
    Ok(())
}

fn main() {}
