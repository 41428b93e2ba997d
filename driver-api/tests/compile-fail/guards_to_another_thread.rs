//! Several guards on their way to another thread.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;

fn migrate(cx: &mut Cx<'_, Unlocked>, from: Uuid, to: Uuid) -> Result<()> {
    let both = cx.domains([from, to])?;
    std::thread::scope(|s| {
        s.spawn(move || drop(both));
    });
    Ok(())
}

fn main() {}
