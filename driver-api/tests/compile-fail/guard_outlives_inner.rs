//! A guard given back while one that descends from it lives.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn define(cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let mut update = cx.update_write()?;
    let virt = update.virt_read()?;
    drop(update);
    drop(virt);
    Ok(())
}

fn main() {}
