//! What only a writer may do, after giving that up.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn define(cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let mut update = cx.update_write()?.downgrade()?;
    update.clear_poison()
}

fn main() {}
