//! The table of domains while a guest is held.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;

fn rename(cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
    let mut domain = cx.domain_write(uuid)?;
    let _virt = domain.virt_write()?;
    Ok(())
}

fn main() {}
