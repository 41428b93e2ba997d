//! The exclusive guard after it was turned into a shared one.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn define(cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let mut update = cx.update_write()?;
    let _shared = update.downgrade()?;
    update.clear_poison()
}

fn main() {}
