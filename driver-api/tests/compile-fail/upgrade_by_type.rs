//! A shared hold where an exclusive one is needed: the poison mark is the writer's to clear.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn check(cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let mut update = cx.update_read()?;
    update.clear_poison()
}

fn main() {}
