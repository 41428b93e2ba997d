//! A guard kept after its session has ended.

use driver_api::error::Result;
use driver_api::host::Host;

fn keep(host: &Host) -> Result<()> {
    let update = host.session("keeper", |cx| cx.update_read())?;
    drop(update);
    Ok(())
}

fn main() {}
