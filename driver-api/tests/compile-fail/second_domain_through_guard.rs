//! A second guest while one is held: several are taken by one request.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;

fn migrate(cx: &mut Cx<'_, Unlocked>, from: Uuid, to: Uuid) -> Result<()> {
    let mut one = cx.domain_write(from)?;
    let _two = one.domain_write(to)?;
    Ok(())
}

fn main() {}
