//! A second guest through the token from before the first.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;

fn migrate(cx: &mut Cx<'_, Unlocked>, from: Uuid, to: Uuid) -> Result<()> {
    let one = cx.domain_write(from)?;
    let _two = cx.domain_write(to)?;
    drop(one);
    Ok(())
}

fn main() {}
