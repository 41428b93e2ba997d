//! The verb `domstats`: figures of many guests at once.

use super::Session;
use super::exit::Failure;
use super::output::harmless;
use super::words;
use crate::rpc::codec::stats::{ConnectGetAllDomainStats, StatsRecord};
use crate::rpc::xdr::List;
use clap::{Args, Subcommand};
use driver_api::types::device::stats;
use serde_json::{Map, Value, json};

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show figures of guests, of all of them unless told otherwise
    Domstats(Box<Options>),
}

/// What `domstats` takes.
#[derive(Args, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own on the command line"
)]
pub struct Options {
    /// The guests: their names, ids or UUIDs
    #[arg(value_name = "GUEST")]
    domains: Vec<String>,
    /// States
    #[arg(long)]
    state: bool,
    /// Time of the machine's processors
    #[arg(long)]
    cpu_total: bool,
    /// Memory
    #[arg(long)]
    balloon: bool,
    /// Processors
    #[arg(long)]
    vcpu: bool,
    /// Network interfaces
    #[arg(long)]
    interface: bool,
    /// Disks
    #[arg(long)]
    block: bool,
    /// Performance counters
    #[arg(long)]
    perf: bool,
    /// Threads for I/O
    #[arg(long)]
    iothread: bool,
    /// Memory bandwidth
    #[arg(long)]
    memory: bool,
    /// How fast memory changes
    #[arg(long)]
    dirtyrate: bool,
    /// What only the driver knows
    #[arg(long)]
    vm: bool,
    /// Guests that are active
    #[arg(long)]
    list_active: bool,
    /// Guests that are not active
    #[arg(long)]
    list_inactive: bool,
    /// Guests with a definition that is kept
    #[arg(long)]
    list_persistent: bool,
    /// Guests without a definition that is kept
    #[arg(long)]
    list_transient: bool,
    /// Guests that run
    #[arg(long)]
    list_running: bool,
    /// Guests that are paused
    #[arg(long)]
    list_paused: bool,
    /// Guests that are shut off
    #[arg(long)]
    list_shutoff: bool,
    /// Guests in other states
    #[arg(long)]
    list_other: bool,
    /// Values as they are; they are never changed
    #[arg(long)]
    raw: bool,
    /// Fail rather than leave out what there are no figures of
    #[arg(long)]
    enforce: bool,
    /// The images behind disks too
    #[arg(long)]
    backing: bool,
    /// Only what can be told at once, as always
    #[arg(long)]
    nowait: bool,
}

impl Options {
    fn stats(&self) -> u32 {
        sum(&[
            (self.state, stats::STATE),
            (self.cpu_total, stats::CPU_TOTAL),
            (self.balloon, stats::BALLOON),
            (self.vcpu, stats::VCPU),
            (self.interface, stats::INTERFACE),
            (self.block, stats::BLOCK),
            (self.perf, stats::PERF),
            (self.iothread, stats::IOTHREAD),
            (self.memory, stats::MEMORY),
            (self.dirtyrate, stats::DIRTYRATE),
            (self.vm, stats::VM),
        ])
    }

    /// `virConnectGetAllDomainStatsFlags`.
    fn flags(&self) -> u32 {
        sum(&[
            (self.list_active, 1),
            (self.list_inactive, 2),
            (self.list_persistent, 4),
            (self.list_transient, 8),
            (self.list_running, 16),
            (self.list_paused, 32),
            (self.list_shutoff, 64),
            (self.list_other, 128),
            (self.nowait, 1 << 29),
            (self.backing, 1 << 30),
            (self.enforce, 1 << 31),
        ])
    }
}

fn sum(wanted: &[(bool, u32)]) -> u32 {
    wanted.iter().filter(|(on, _)| *on).fold(0, |all, (_, bit)| all | bit)
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let Self::Domstats(options) = self;
        let mut connection = session.connect()?;
        let mut doms = Vec::new();
        for word in &options.domains {
            doms.push(connection.find_domain(word)?);
        }
        let records = connection.call(&ConnectGetAllDomainStats {
            doms: List(doms),
            stats: options.stats(),
            flags: options.flags(),
        })?;
        if session.out.is_json() {
            return session.out.json(&records.0.iter().map(document).collect());
        }
        session.out.raw(&records.0.iter().map(text).collect::<String>())
    }
}

fn document(record: &StatsRecord) -> Value {
    let figures: Map<String, Value> = record
        .params
        .0
        .iter()
        .map(|param| (param.name.clone(), words::json(&param.value)))
        .collect();
    json!({ "name": record.dom.name, "uuid": record.dom.uuid.to_string(), "stats": figures })
}

fn text(record: &StatsRecord) -> String {
    let figures = record.params.0.iter();
    let figures = figures.map(|param| {
        format!(
            "  {}={}\n",
            harmless(&param.name),
            harmless(&words::value(&param.value))
        )
    });
    format!(
        "Domain: '{}'\n{}\n",
        harmless(&record.dom.name),
        figures.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Verb as Any};
    use clap::Parser;

    #[test]
    fn options_are_libvirts_flags() {
        let bits = |line: &str| match Cli::try_parse_from(line.split(' ')).unwrap().verb {
            Any::Stats(Verb::Domstats(options)) => (options.stats(), options.flags()),
            other => panic!("{other:?}"),
        };
        assert_eq!(bits("lockstep domstats"), (0, 0));
        assert_eq!(bits("lockstep domstats vm --state --block --vm"), (1 | 32 | 1024, 0));
        assert_eq!(
            bits("lockstep domstats --list-paused --enforce --nowait"),
            (0, 32 | 1 << 31 | 1 << 29)
        );
    }
}
