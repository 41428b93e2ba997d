//! A guard on its way to another thread.

use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;

fn start(cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let update = cx.update_read()?;
    std::thread::scope(|s| {
        s.spawn(move || drop(update));
    });
    Ok(())
}

fn main() {}
