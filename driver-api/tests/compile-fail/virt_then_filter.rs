//! Filter definitions while the table of domains is held.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn reload(cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let mut virt = cx.virt_read()?;
    let _filters = virt.filters()?;
    Ok(())
}

fn main() {}
