//! Figures of disks.

use super::super::Dispatch;
use super::super::domain::{find, no_flags, running, unknown_flags};
use super::super::limit::counted;
use super::Figures;
use crate::rpc::codec::stats::{
    BlockInfo, BlockStats, DISK_FIGURES_MAX, DiskErrors, DomainBlockStats, DomainBlockStatsFlags, DomainGetBlockInfo,
    DomainGetDiskErrors, UNKNOWN,
};
use crate::rpc::codec::typed_param::{Counted, TEXTS};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::device::stats::BLOCK;
use driver_api::types::param::Param;

/// The names of a disk's figures in `virDomainBlockStatsFlags` and among all figures.
const NAMES: [(&str, &str); 9] = [
    ("rd_bytes", "rd.bytes"),
    ("rd_operations", "rd.reqs"),
    ("rd_total_times", "rd.times"),
    ("wr_bytes", "wr.bytes"),
    ("wr_operations", "wr.reqs"),
    ("wr_total_times", "wr.times"),
    ("flush_operations", "fl.reqs"),
    ("flush_total_times", "fl.times"),
    ("errs", "errors"),
];

/// One disk, or all of them together.
struct Disk {
    figures: Figures,
    places: Vec<u64>,
}

impl Disk {
    /// The disk with this target or source.
    fn find(host: &Dispatch, call: &Call<'_>, figures: Figures, called: &str) -> Result<Self> {
        let count = known(host, call, &figures)?;
        if let Some(place) = figures.place("block", &["name", "path"], called) {
            let places = vec![place];
            return Ok(Self { figures, places });
        }
        let text = format!(
            "domain '{}' has no disk '{called}' among its {count}: 'domblklist' shows them",
            figures.domain.name
        );
        Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, text))
    }

    /// The same, where no name at all means all disks.
    fn find_any(host: &Dispatch, call: &Call<'_>, figures: Figures, called: &str) -> Result<Self> {
        if !called.is_empty() {
            return Self::find(host, call, figures, called);
        }
        let places = (0..known(host, call, &figures)?).collect();
        Ok(Self { figures, places })
    }

    fn sum(&self, field: &str) -> Option<u64> {
        let number = |place| self.figures.number(&format!("block.{place}.{field}"));
        let mut numbers = self.places.iter().filter_map(number).peekable();
        numbers.peek()?;
        Some(numbers.fold(0, u64::saturating_add))
    }

    fn signed(&self, field: &str) -> i64 {
        let number = self.sum(field);
        number.map_or(UNKNOWN, |number| i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// How many disks there are.
fn known(host: &Dispatch, call: &Call<'_>, figures: &Figures) -> Result<u64> {
    figures
        .count("block")
        .ok_or_else(|| host.lacks(call, "figures of disks"))
}

pub(in super::super) fn stats(host: &Dispatch, call: &Call<'_>, args: DomainBlockStats) -> Result<BlockStats> {
    let figures = Figures::live(host, call, &args.dom, BLOCK)?;
    let disk = Disk::find_any(host, call, figures, &args.path)?;
    Ok(BlockStats {
        rd_req: disk.signed("rd.reqs"),
        rd_bytes: disk.signed("rd.bytes"),
        wr_req: disk.signed("wr.reqs"),
        wr_bytes: disk.signed("wr.bytes"),
        errs: disk.signed("errors"),
    })
}

pub(in super::super) fn stats_flags(
    host: &Dispatch,
    call: &Call<'_>,
    args: DomainBlockStatsFlags,
) -> Result<Counted<DISK_FIGURES_MAX>> {
    if args.flags & !TEXTS != 0 {
        return Err(unknown_flags("a disk's figures", args.flags & !TEXTS));
    }
    let figures = Figures::live(host, call, &args.dom, BLOCK)?;
    let disk = Disk::find_any(host, call, figures, &args.path)?;
    let param = |(name, field): &(&str, &str)| disk.sum(field).map(|_| Param::new(*name, disk.signed(field)));
    counted(NAMES.iter().filter_map(param).collect(), args.nparams, args.flags)
}

/// A disk's size can be told of what does not run too.
pub(in super::super) fn info(host: &Dispatch, call: &Call<'_>, args: DomainGetBlockInfo) -> Result<BlockInfo> {
    no_flags("a disk's size", args.flags)?;
    let figures = Figures::of(host, call, find(host, call, &args.dom)?, BLOCK)?;
    let disk = Disk::find(host, call, figures, &args.path)?;
    let size = |field: &str| {
        disk.sum(field).ok_or_else(|| {
            let name = &disk.figures.domain.name;
            let text = format!("the {field} of disk '{}' of domain '{name}' is not known", args.path);
            Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, text)
        })
    };
    Ok(BlockInfo {
        allocation: size("allocation")?,
        capacity: size("capacity")?,
        physical: size("physical")?,
    })
}

/// A disk that fails is the guest's to deal with; what a host would note here are guests that it stopped for it.
pub(in super::super) fn errors(host: &Dispatch, call: &Call<'_>, args: DomainGetDiskErrors) -> Result<DiskErrors> {
    no_flags("errors of disks", args.flags)?;
    running(&find(host, call, &args.dom)?)?;
    Ok(DiskErrors {
        errors: List(Vec::new()),
        count: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::figures;
    use super::*;

    #[test]
    fn figures_of_all_disks_are_sums_of_those_that_are_known() {
        let figures = figures(vec![
            Param::new("block.count", 2_u32),
            Param::new("block.0.rd.bytes", 5_u64),
            Param::new("block.1.rd.bytes", 7_u64),
            Param::new("block.1.wr.bytes", u64::MAX),
        ]);
        let places = vec![0, 1];
        let disk = Disk { figures, places };
        assert_eq!(disk.sum("rd.bytes"), Some(12));
        assert_eq!(disk.signed("wr.bytes"), i64::MAX);
        assert_eq!(disk.signed("rd.reqs"), -1);
    }
}
