//! A level of one's own, put before all others.

use driver_api::lock::level::{After, Domain, Level, Update};

enum Mine {}

impl Level for Mine {
    const RANK: u32 = 1;
    const NAME: &'static str = "Mine";
}

impl After<Domain> for Update {}

fn main() {}
