//! Verbs about the machine: nodecpustats, nodecpumap, nodememstats, node-memory-tune, nodesuspend.

use super::Session;
use super::exit::{Context, Failure};
use super::output::Output;
use crate::client::Connection;
use crate::node::list;
use crate::rpc::codec::node::{NodeGetCpuMap, NodeSetMemoryParameters, NodeStat, NodeSuspendForDuration};
use crate::rpc::codec::typed_param::{TypedParam, Value};
use crate::rpc::xdr::List;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, json};
use std::time::Duration;

/// How long `nodecpustats --percent` looks.
const LOOK: Duration = Duration::from_secs(1);

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show what the machine's processors spend their time with, in nanoseconds
    Nodecpustats {
        /// This processor only
        #[arg(long, value_name = "NUMBER")]
        cpu: Option<u32>,
        /// The shares of the next second instead
        #[arg(long)]
        percent: bool,
    },
    /// Show which processors are online
    Nodecpumap {
        /// A list of numbers rather than a letter for each
        #[arg(long)]
        pretty: bool,
    },
    /// Show the machine's memory
    Nodememstats {
        /// This NUMA cell only
        #[arg(long, value_name = "NUMBER")]
        cell: Option<u32>,
    },
    /// Show or set how the kernel merges equal pages of guests (KSM)
    NodeMemoryTune(Tune),
    /// Put the machine to sleep, and have it wake after a time; not while guests run
    Nodesuspend {
        /// Where its state is kept meanwhile
        target: Target,
        /// Seconds until it wakes, at least 60
        #[arg(value_name = "SECONDS")]
        duration: u64,
    },
}

/// What `node-memory-tune` takes.
#[derive(Args, Clone, Copy, Debug)]
pub struct Tune {
    /// Pages that are looked at before each pause
    #[arg(long, value_name = "NUMBER")]
    shm_pages_to_scan: Option<u32>,
    /// The length of a pause in milliseconds
    #[arg(long, value_name = "NUMBER")]
    shm_sleep_millisecs: Option<u32>,
    /// Whether pages of different NUMA cells may be merged: 0 or 1
    #[arg(long, value_name = "NUMBER")]
    shm_merge_across_nodes: Option<u32>,
}

/// Where the machine's state is kept while it sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Target {
    /// In memory
    Mem,
    /// On the disk
    Disk,
    /// In both
    Hybrid,
}

/// What virsh calls the figures of a processor.
const TIMES: [(&str, &str); 4] = [
    ("user", "user"),
    ("system", "kernel"),
    ("idle", "idle"),
    ("iowait", "iowait"),
];

fn figure(stats: &[NodeStat], field: &str) -> u64 {
    let found = stats.iter().find(|stat| stat.field == field);
    found.map_or(0, |stat| stat.value)
}

/// A number for an argument of the protocol, where -1 means all.
pub(super) fn or_all(number: Option<u32>) -> Result<i32, Failure> {
    number.map_or(Ok(-1), |number| {
        i32::try_from(number).map_err(|_| Failure::Usage(format!("{number} is beyond {}", i32::MAX)))
    })
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let out = session.out;
        match self {
            Self::Nodecpustats { cpu, percent } => {
                let cpu = or_all(*cpu)?;
                let mut connection = session.connect()?;
                let before = connection.cpu_stats(cpu)?;
                if !percent {
                    return times(out, &before);
                }
                std::thread::sleep(LOOK);
                let after = connection.cpu_stats(cpu)?;
                shares(out, &before, &after)
            }
            Self::Nodecpumap { pretty } => cpu_map(out, &mut session.connect()?, *pretty),
            Self::Nodememstats { cell } => {
                let stats = session.connect()?.memory_stats(or_all(*cell)?)?;
                if out.is_json() {
                    let pairs = stats
                        .iter()
                        .map(|stat| (format!("{}_kib", stat.field), stat.value.into()));
                    return out.json(&pairs.collect::<Map<_, _>>().into());
                }
                let line = |stat: &NodeStat| format!("{:<7}: {:>20} KiB\n", stat.field, stat.value);
                out.line(stats.iter().map(line).collect::<String>())
            }
            Self::NodeMemoryTune(tune) => tune.perform(session),
            Self::Nodesuspend { target, duration } => {
                let (target, duration) = (*target as u32, *duration);
                let call = NodeSuspendForDuration {
                    target,
                    duration,
                    flags: 0,
                };
                session
                    .connect()?
                    .call(&call)
                    .context(|| "the machine stays awake".to_owned())?;
                out.done(
                    format_args!("The machine is going to sleep for {duration} seconds"),
                    &json!({ "done": "suspended", "seconds": duration }),
                )
            }
        }
    }
}

fn times(out: Output, stats: &[NodeStat]) -> Result<(), Failure> {
    if out.is_json() {
        let pairs = TIMES
            .iter()
            .map(|(word, field)| (format!("{word}_ns"), figure(stats, field).into()));
        return out.json(&pairs.collect::<Map<_, _>>().into());
    }
    let line = |(word, field): &(&str, &str)| format!("{:<15} {:>20}\n", format!("{word}:"), figure(stats, field));
    out.line(TIMES.iter().map(line).collect::<String>())
}

/// Shares in tenths of a percent; `usage` is what programs and the kernel have together.
fn tenths(before: &[NodeStat], after: &[NodeStat]) -> Vec<(&'static str, u64)> {
    let spent = |field: &str| figure(after, field).saturating_sub(figure(before, field));
    let all: u64 = TIMES.iter().map(|(_, field)| spent(field)).sum();
    // Two looks within one tick of the kernel's clock see nothing pass.
    let share = |time: u64| (u128::from(time) * 1000).checked_div(u128::from(all)).unwrap_or(0);
    let share = |time: u64| u64::try_from(share(time)).unwrap_or(0);
    let mut shares = vec![("usage", share(spent("user") + spent("kernel")))];
    shares.extend(TIMES.iter().map(|(word, field)| (*word, share(spent(field)))));
    shares
}

fn shares(out: Output, before: &[NodeStat], after: &[NodeStat]) -> Result<(), Failure> {
    let shares = tenths(before, after);
    let number = |tenths: u64| format!("{}.{}", tenths / 10, tenths % 10);
    if out.is_json() {
        let pairs = shares.iter().map(|(word, tenths)| {
            let number: serde_json::Value = number(*tenths).parse::<f64>().map_or(0.into(), Into::into);
            (format!("{word}_percent"), number)
        });
        return out.json(&pairs.collect::<Map<_, _>>().into());
    }
    let line = |(word, tenths): &(&str, u64)| format!("{:<15} {:>5}%\n", format!("{word}:"), number(*tenths));
    out.line(shares.iter().map(line).collect::<String>())
}

fn cpu_map(out: Output, connection: &mut Connection, pretty: bool) -> Result<(), Failure> {
    let map = connection.call(&NodeGetCpuMap {
        need_map: 1,
        need_online: 1,
        flags: 0,
    })?;
    let present = u32::try_from(map.ret).unwrap_or(0);
    let bit = |cpu: u32| {
        let byte = usize::try_from(cpu / 8).ok().and_then(|place| map.cpumap.0.get(place));
        byte.is_some_and(|byte| byte >> (cpu % 8) & 1 != 0)
    };
    let online: Vec<u32> = (0..present).filter(|cpu| bit(*cpu)).collect();
    if out.is_json() {
        return out.json(&json!({ "present": present, "online": online }));
    }
    let shown = match pretty {
        true => list::format(&online),
        false => (0..present).map(|cpu| if bit(cpu) { 'y' } else { '-' }).collect(),
    };
    out.line(format_args!("{:<15} {present}", "CPUs present:"))?;
    out.line(format_args!("{:<15} {}", "CPUs online:", map.online))?;
    out.line(format_args!("{:<15} {shown}\n", "CPU map:"))
}

impl Tune {
    fn changes(self) -> Vec<TypedParam> {
        let named = [
            ("shm_pages_to_scan", self.shm_pages_to_scan),
            ("shm_sleep_millisecs", self.shm_sleep_millisecs),
            ("shm_merge_across_nodes", self.shm_merge_across_nodes),
        ];
        let param = |(name, value): (&str, Option<u32>)| value.map(|value| TypedParam::new(name, value));
        named.into_iter().filter_map(param).collect()
    }

    fn perform(self, session: &Session) -> Result<(), Failure> {
        let (mut connection, out, changes) = (session.connect()?, session.out, self.changes());
        if !changes.is_empty() {
            let params = List(changes);
            connection
                .call(&NodeSetMemoryParameters { params, flags: 0 })
                .context(|| "the memory parameters stay as they were".to_owned())?;
            return out.done("The memory parameters are set", &json!({ "done": "set" }));
        }
        let params = connection.memory_parameters()?;
        let number = |value: &Value| match value {
            Value::Uint(number) => u64::from(*number),
            Value::Ulong(number) => *number,
            _ => 0,
        };
        if out.is_json() {
            let pairs = params
                .iter()
                .map(|param| (param.name.clone(), number(&param.value).into()));
            return out.json(&pairs.collect::<Map<_, _>>().into());
        }
        let line = |param: &TypedParam| format!("\t{:<15} {}\n", param.name, number(&param.value));
        let lines: String = params.iter().map(line).collect();
        out.line(format_args!("Shared memory:\n{lines}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_time_between_two_looks() {
        let look = |user, kernel, idle| {
            [("user", user), ("kernel", kernel), ("idle", idle), ("iowait", 0)]
                .map(|(field, value)| NodeStat {
                    field: field.to_owned(),
                    value,
                })
                .to_vec()
        };
        let shares = tenths(&look(10, 10, 10), &look(11, 12, 15));
        let expected = [
            ("usage", 375),
            ("user", 125),
            ("system", 250),
            ("idle", 625),
            ("iowait", 0),
        ];
        assert_eq!(shares, expected);
        assert_eq!(tenths(&look(1, 1, 1), &look(1, 1, 1))[0], ("usage", 0));
    }
}
