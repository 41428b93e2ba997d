//! A loan of an exclusive hold.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn define(cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let update = cx.update_write()?;
    let _loan = update.lend()?;
    Ok(())
}

fn main() {}
