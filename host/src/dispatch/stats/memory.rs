//! Figures of guests' memory.

use super::super::Dispatch;
use super::super::domain::no_flags;
use super::Figures;
use crate::rpc::codec::stats::{DomainMemoryStats, MEMORY_STATS_MAX, MemoryStat};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::device::stats::BALLOON;

/// What the figures are called, each at its number (`virDomainMemoryStatTags`).
const NAMES: [&str; 13] = [
    "swap_in",
    "swap_out",
    "major_fault",
    "minor_fault",
    "unused",
    "available",
    "current",
    "rss",
    "usable",
    "last-update",
    "disk_caches",
    "hugetlb_pgalloc",
    "hugetlb_pgfail",
];

pub(in super::super) fn stats(
    host: &Dispatch,
    call: &Call<'_>,
    args: DomainMemoryStats,
) -> Result<List<MemoryStat, MEMORY_STATS_MAX>> {
    no_flags("figures of a guest's memory", args.flags)?;
    let room = usize::try_from(args.max).unwrap_or(usize::MAX);
    if room > MEMORY_STATS_MAX {
        let text = format!("room for {room} figures of memory was offered: {MEMORY_STATS_MAX} are the most");
        return Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, text));
    }
    let figures = Figures::live(host, call, &args.dom, BALLOON)?;
    Ok(List(told(&figures).take(room).collect()))
}

fn told(figures: &Figures) -> impl Iterator<Item = MemoryStat> {
    (0..).zip(NAMES).filter_map(|(tag, name)| {
        let value = figures.number(&format!("balloon.{name}"))?;
        Some(MemoryStat { tag, value })
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::figures;
    use super::*;
    use driver_api::types::param::Param;

    #[test]
    fn figures_have_the_tags_that_clients_know() {
        let figures = figures(vec![
            Param::new("balloon.rss", 7_u64),
            Param::new("balloon.current", 6_u64),
            Param::new("balloon.maximum", 99_u64),
            Param::new("balloon.hugetlb_pgfail", 12_u64),
        ]);
        let tags: Vec<(i32, u64)> = told(&figures).map(|stat| (stat.tag, stat.value)).collect();
        assert_eq!(tags, [(6, 6), (7, 7), (12, 12)]);
    }
}
