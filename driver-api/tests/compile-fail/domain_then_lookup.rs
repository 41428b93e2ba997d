//! A look-up, which takes the table, while a guest is held.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;

fn peer(cx: &mut Cx<'_, Unlocked>, uuid: Uuid, other: Uuid) -> Result<()> {
    let mut domain = cx.domain_write(uuid)?;
    let _other = domain.lookup(other)?;
    Ok(())
}

fn main() {}
