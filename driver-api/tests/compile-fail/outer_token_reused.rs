//! The outer token while a guard that descends from it lives.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn define(cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let update = cx.update_write()?;
    cx.set_timeout(None);
    drop(update);
    Ok(())
}

fn main() {}
