//! Verbs about guests' processors: setvcpus, vcpucount, vcpuinfo, cpu-stats.

use super::Session;
use super::args::{Affect, Domain, VcpuCount};
use super::define::done;
use super::exit::{Context, Failure};
use crate::client::Connection;
use crate::node::list;
use crate::rpc::codec::domain::{DomainIsPersistent, DomainRef, NO_ID};
use crate::rpc::codec::node::NodeGetCpuMap;
use crate::rpc::codec::resource::{DomainGetVcpusFlags, DomainSetVcpusFlags};
use crate::rpc::codec::stats::{DomainGetCpuStats, DomainGetVcpus, VcpuInfo};
use clap::{Args, Subcommand};
use driver_api::types::device::flags::{VCPU_GUEST, VCPU_HOTPLUGGABLE, VCPU_MAXIMUM};
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::param::Param;
use serde_json::{Map, Value, json};

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Give a guest more processors or fewer
    Setvcpus(Set),
    /// Show how many processors a guest has
    Vcpucount(Count),
    /// Show what a running guest's processors do, and where they may run
    Vcpuinfo {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Where they may run as a list of numbers
        #[arg(long)]
        pretty: bool,
    },
    /// Show how much time of the machine's processors a running guest used
    CpuStats {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Of all processors together, as without: single ones are not told apart
        #[arg(long)]
        total: bool,
    },
}

/// What `setvcpus` takes.
#[derive(Args, Debug)]
pub struct Set {
    #[command(flatten)]
    domain: Domain,
    #[command(flatten)]
    count: VcpuCount,
    /// The most that it can ever have
    #[arg(long)]
    maximum: bool,
    #[command(flatten)]
    affect: Affect,
    /// By switching them on and off in the guest
    #[arg(long)]
    guest: bool,
    /// So that they can be taken out again
    #[arg(long)]
    hotpluggable: bool,
}

/// What `vcpucount` takes.
#[derive(Args, Debug)]
pub struct Count {
    #[command(flatten)]
    domain: Domain,
    /// The most that it can ever have
    #[arg(long, conflicts_with = "active")]
    maximum: bool,
    /// Those that it has now
    #[arg(long)]
    active: bool,
    #[command(flatten)]
    affect: Affect,
    /// As the guest sees it
    #[arg(long)]
    guest: bool,
}

/// Sums bits that are wanted.
fn bits(wanted: &[(bool, u32)]) -> u32 {
    wanted.iter().filter(|(on, _)| *on).fold(0, |all, (_, bit)| all | bit)
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Setvcpus(set) => {
                let (mut connection, dom) = session.find(&set.domain)?;
                let more = bits(&[
                    (set.maximum, VCPU_MAXIMUM),
                    (set.guest, VCPU_GUEST),
                    (set.hotpluggable, VCPU_HOTPLUGGABLE),
                ]);
                let call = DomainSetVcpusFlags {
                    dom: dom.clone(),
                    count: set.count.get(),
                    flags: set.affect.flags() | more,
                };
                connection
                    .call(&call)
                    .context(|| format!("cannot change the processors of '{}'", dom.name))?;
                session.out.silent(&done("set", &dom))
            }
            Self::Vcpucount(count) => count.perform(session),
            Self::Vcpuinfo { domain, pretty } => info(session, domain, *pretty),
            Self::CpuStats { domain, total: _ } => stats(session, domain),
        }
    }
}

impl Count {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let (mut connection, dom) = session.find(&self.domain)?;
        let which = self.affect.flags() | bits(&[(self.maximum, VCPU_MAXIMUM), (self.guest, VCPU_GUEST)]);
        if which != 0 || self.active {
            let count = connection.call(&DomainGetVcpusFlags { dom, flags: which })?;
            return session.out.value("vcpus", count);
        }
        self.table(session, connection, &dom)
    }

    /// All numbers that there are: of the definition if there is one, and of the guest if it runs.
    fn table(&self, session: &Session, mut connection: Connection, dom: &DomainRef) -> Result<(), Failure> {
        let persistent = connection.call(&DomainIsPersistent { dom: dom.clone() })? != 0;
        let mut rows = Vec::new();
        for (what, most) in [("maximum", VCPU_MAXIMUM), ("current", 0)] {
            for (place, bit, is_there) in [
                ("config", AFFECT_CONFIG, persistent),
                ("live", AFFECT_LIVE, dom.id != NO_ID),
            ] {
                if is_there {
                    let (dom, flags) = (dom.clone(), most | bit);
                    rows.push((what, place, connection.call(&DomainGetVcpusFlags { dom, flags })?));
                }
            }
        }
        if session.out.is_json() {
            let document = |(what, place, count): &(&str, &str, i32)| (format!("{what}_{place}"), json!(count));
            return session.out.json(&Value::Object(rows.iter().map(document).collect()));
        }
        let line = |(what, place, count): &(&str, &str, i32)| format!("{what:<12} {place:<12} {count:3}\n");
        session.out.line(rows.iter().map(line).collect::<String>())
    }
}

fn info(session: &Session, domain: &Domain, pretty: bool) -> Result<(), Failure> {
    let (mut connection, dom) = session.find(domain)?;
    let (need_map, need_online) = (0, 0);
    let map = NodeGetCpuMap {
        need_map,
        need_online,
        flags: 0,
    };
    let cpus = u32::try_from(connection.call(&map)?.ret).unwrap_or(0);
    let max_info = 1024;
    let map_length = cpus.div_ceil(8).cast_signed();
    let vcpus = connection.call(&DomainGetVcpus {
        dom,
        max_info,
        map_length,
    })?;
    let length = usize::try_from(map_length).unwrap_or(0).max(1);
    let affinities = vcpus.cpumaps.0.chunks(length).chain(std::iter::repeat(&[][..]));
    let vcpus: Vec<(&VcpuInfo, Vec<u32>)> = vcpus.info.0.iter().zip(affinities.map(|map| set(map, cpus))).collect();
    if session.out.is_json() {
        let document = |(info, cpus): &(&VcpuInfo, Vec<u32>)| {
            json!({
                "vcpu": info.number, "state": state(info.state), "cpu_time_ns": info.cpu_time,
                "cpu": u32::try_from(info.cpu).ok(), "affinity": cpus,
            })
        };
        return session.out.json(&vcpus.iter().map(document).collect());
    }
    let mut text = String::new();
    for (info, affinity) in &vcpus {
        let mut line = |name: &str, value: String| text.push_str(&format!("{:<15} {value}\n", format!("{name}:")));
        line("VCPU", info.number.to_string());
        line(
            "CPU",
            u32::try_from(info.cpu).map_or_else(|_| "N/A".to_owned(), |cpu| cpu.to_string()),
        );
        line("State", state(info.state).to_owned());
        if info.cpu_time != 0 {
            line("CPU time", format!("{:.1}s", seconds(info.cpu_time)));
        }
        let letters = || {
            (0..cpus)
                .map(|cpu| if affinity.contains(&cpu) { 'y' } else { '-' })
                .collect()
        };
        let affinity = match pretty {
            true => format!("{} (out of {cpus})", list::format(affinity)),
            false => letters(),
        };
        line("CPU Affinity", affinity);
        text.push('\n');
    }
    session.out.raw(&text)
}

/// The processors in a map.
fn set(map: &[u8], cpus: u32) -> Vec<u32> {
    let is_in = |cpu: &u32| {
        let byte = usize::try_from(cpu / 8).ok().and_then(|byte| map.get(byte));
        byte.is_some_and(|byte| byte & 1 << (cpu % 8) != 0)
    };
    (0..cpus).filter(is_in).collect()
}

fn state(state: i32) -> &'static str {
    match state {
        0 => "offline",
        1 => "running",
        2 => "blocked",
        _ => "no state",
    }
}

#[allow(clippy::cast_precision_loss, reason = "a figure for people")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn stats(session: &Session, domain: &Domain) -> Result<(), Failure> {
    let (mut connection, dom) = session.find(domain)?;
    let (nparams, start_cpu, ncpus) = (16, -1, 1);
    let call = DomainGetCpuStats {
        dom,
        nparams,
        start_cpu,
        ncpus,
        flags: 0,
    };
    let figures = connection.call(&call)?.params.0;
    let figure = |param: &Param| Some((param.name.clone(), param.value.as_u64()?));
    let figures = figures.iter().filter_map(figure);
    if session.out.is_json() {
        let facts: Map<String, Value> = figures.map(|(name, ns)| (format!("{name}_ns"), json!(ns))).collect();
        return session.out.json(&Value::Object(facts));
    }
    let line = |(name, ns): (String, u64)| {
        format!(
            "\t{name:<12} {:>10}.{:09} seconds\n",
            ns / 1_000_000_000,
            ns % 1_000_000_000
        )
    };
    session
        .out
        .line(format_args!("Total:\n{}", figures.map(line).collect::<String>()))
}
