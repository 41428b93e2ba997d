//! A job on something that is no guest.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn define(cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let mut update = cx.update_write()?;
    let _job = update.begin_job("define")?;
    Ok(())
}

fn main() {}
