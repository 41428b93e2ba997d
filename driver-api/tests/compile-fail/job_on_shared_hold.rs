//! A job on a guest that is only held shared.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;

fn start(cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
    let mut domain = cx.domain_read(uuid)?;
    let _job = domain.begin_job("start")?;
    Ok(())
}

fn main() {}
