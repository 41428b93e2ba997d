//! The figures of many domains at once.

use super::super::Dispatch;
use super::super::domain::{NARROWING, unknown_flags, wanted};
use super::Figures;
use crate::rpc::codec::LIST_MAX;
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::stats::{ConnectGetAllDomainStats, StatsRecord};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::device::stats;
use driver_api::types::domain::DomainBrief;

/// `virConnectGetAllDomainStatsFlags` beside those that narrow a list. Nothing here waits, whatever NOWAIT says.
mod flags {
    pub(super) const NOWAIT: u32 = 1 << 29;
    pub(super) const BACKING: u32 = 1 << 30;
    pub(super) const ENFORCE: u32 = 1 << 31;
}

/// The groups, and how the names of their figures begin.
const GROUPS: [(u32, &str); 11] = [
    (stats::STATE, "state."),
    (stats::CPU_TOTAL, "cpu."),
    (stats::BALLOON, "balloon."),
    (stats::VCPU, "vcpu."),
    (stats::INTERFACE, "net."),
    (stats::BLOCK, "block."),
    (stats::PERF, "perf."),
    (stats::IOTHREAD, "iothread."),
    (stats::MEMORY, "memory."),
    (stats::DIRTYRATE, "dirtyrate."),
    (stats::VM, "vm."),
];

pub(in super::super) fn all(
    host: &Dispatch,
    call: &Call<'_>,
    args: ConnectGetAllDomainStats,
) -> Result<List<StatsRecord, LIST_MAX>> {
    let unknown = args.flags & !(NARROWING | flags::NOWAIT | flags::BACKING | flags::ENFORCE);
    if unknown != 0 {
        return Err(unknown_flags("the figures of domains", unknown));
    }
    let known: u32 = GROUPS.iter().map(|(group, _)| group).sum();
    let groups = if args.stats == 0 { known } else { args.stats & known };
    let mut all = Vec::new();
    for domain in chosen(host, call, &args)? {
        let name = domain.name.clone();
        match Figures::of(host, call, domain, groups) {
            Ok(figures) => all.push(figures),
            // It went away since it was listed.
            Err(error) if error.code() == Code::NO_DOMAIN => {}
            Err(error) => return Err(error.within(format!("the figures of domain '{name}' can not be told"))),
        }
    }
    if args.flags & flags::ENFORCE != 0 {
        enforce(args.stats, &all)?;
    }
    let record = |figures: Figures| StatsRecord {
        dom: DomainRef::from(&figures.domain),
        params: List(figures.params),
    };
    Ok(List(all.into_iter().map(record).collect()))
}

/// The domains that are asked for, without those that are not there any more.
fn chosen(host: &Dispatch, call: &Call<'_>, args: &ConnectGetAllDomainStats) -> Result<Vec<DomainBrief>> {
    let mut domains = host.read(call, "list", |virt| virt.list())?;
    domains.retain(|domain| wanted(domain, args.flags & NARROWING));
    if args.doms.0.is_empty() {
        return Ok(domains);
    }
    let asked = args.doms.0.iter();
    Ok(asked
        .filter_map(|dom| domains.iter().find(|domain| domain.uuid == dom.uuid).cloned())
        .collect())
}

/// A client that insists on its groups is refused rather than left without some. Which ones a driver has shows in the
/// figures of what runs; domains that are off have few of any.
fn enforce(groups: u32, all: &[Figures]) -> Result<()> {
    let missing = |group: u32| {
        let Some((_, prefix)) = GROUPS.iter().find(|(known, _)| *known == group) else {
            return true;
        };
        let mut running = all.iter().filter(|figures| figures.domain.id.is_some()).peekable();
        running.peek().is_some()
            && running.all(|figures| figures.params.iter().all(|param| !param.name.starts_with(prefix)))
    };
    let bits = (0..u32::BITS).map(|bit| 1 << bit).filter(|bit| groups & bit != 0);
    let missing = bits.filter(|group| missing(*group)).fold(0, |all, group| all | group);
    if missing == 0 {
        return Ok(());
    }
    let text = format!("there are no figures of the groups {missing:#x}: ask without enforcing them");
    Err(Error::new(Code::ARGUMENT_UNSUPPORTED, Origin::DOMAIN, text))
}

#[cfg(test)]
mod tests {
    use super::super::testing::figures;
    use super::*;
    use driver_api::types::param::Param;

    #[test]
    fn groups_that_nobody_has_figures_of_are_refused_where_they_are_insisted_on() {
        let told = || {
            vec![figures(vec![
                Param::new("state.state", 1_i32),
                Param::new("block.count", 0_u32),
            ])]
        };
        enforce(0, &told()).unwrap();
        enforce(stats::STATE | stats::BLOCK, &told()).unwrap();
        for (groups, missing) in [
            (stats::STATE | stats::PERF, "groups 0x40"),
            (1 << 11, "groups 0x800"),
            (u32::MAX, "groups 0xffffffde"),
        ] {
            let error = enforce(groups, &told()).unwrap_err();
            assert_eq!(error.code(), Code::ARGUMENT_UNSUPPORTED);
            assert!(error.to_string().contains(missing), "{error}");
        }
    }

    #[test]
    fn where_nothing_runs_only_groups_that_do_not_exist_are_missing() {
        let mut off = figures(vec![Param::new("state.state", 5_i32)]);
        off.domain.id = None;
        enforce(stats::CPU_TOTAL | stats::BLOCK, &[off]).unwrap();
        enforce(1 << 20, &[]).unwrap_err();
    }
}
