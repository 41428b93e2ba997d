//! Verbs about limits of guests: schedinfo, memtune, blkiotune.

use super::Session;
use super::args::{Affect, Domain, kib};
use super::exit::{Context, Failure};
use super::output::harmless;
use super::words;
use crate::client::{Connection, Result as Answer};
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::limit::{
    DomainGetBlkioParameters, DomainGetMemoryParameters, DomainGetSchedulerParametersFlags, DomainGetSchedulerType,
    DomainSetBlkioParameters, DomainSetMemoryParameters, DomainSetSchedulerParametersFlags, LIMITS_MAX,
};
use crate::rpc::codec::typed_param::TEXTS;
use crate::rpc::xdr::List;
use clap::{Args, Subcommand};
use driver_api::types::param::{Param, Value, find};
use serde_json::{Map, json};

/// What stands for no limit of memory, in KiB (`VIR_DOMAIN_MEMORY_PARAM_UNLIMITED`).
const UNLIMITED: u64 = 9_007_199_254_740_991;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show or set a guest's share of the machine's processors
    Schedinfo(Scheduler),
    /// Show or set limits of a guest's memory
    Memtune(Memory),
    /// Show or set a guest's share of block devices
    Blkiotune(Blkio),
}

/// What `schedinfo` takes.
#[derive(Args, Debug)]
pub struct Scheduler {
    #[command(flatten)]
    domain: Domain,
    /// New values, such as `cpu_shares=512`
    #[arg(value_name = "NAME=VALUE")]
    values: Vec<String>,
    #[arg(long, value_name = "NAME=VALUE", hide = true)]
    set: Vec<String>,
    #[command(flatten)]
    affect: Affect,
}

/// A limit of memory: a size in KiB, or `-1` for none.
fn limit(text: &str) -> Result<u64, String> {
    if text == "-1" { Ok(UNLIMITED) } else { kib(text) }
}

/// What `memtune` takes.
#[derive(Args, Debug)]
pub struct Memory {
    #[command(flatten)]
    domain: Domain,
    /// The most memory: in KiB or with a unit, -1 for no limit
    #[arg(long, value_name = "SIZE", value_parser = limit, allow_negative_numbers = true)]
    hard_limit: Option<u64>,
    /// The most while others need it
    #[arg(long, value_name = "SIZE", value_parser = limit, allow_negative_numbers = true)]
    soft_limit: Option<u64>,
    /// The most memory and swap together
    #[arg(long, value_name = "SIZE", value_parser = limit, allow_negative_numbers = true)]
    swap_hard_limit: Option<u64>,
    #[command(flatten)]
    affect: Affect,
}

/// What `blkiotune` takes.
#[derive(Args, Debug)]
pub struct Blkio {
    #[command(flatten)]
    domain: Domain,
    /// The share of all devices, 10 to 1000
    #[arg(long, value_name = "NUMBER")]
    weight: Option<u32>,
    /// The shares of single ones: DEVICE,WEIGHT,...
    #[arg(long, value_name = "LIST")]
    device_weights: Option<String>,
    /// The most reads a second: DEVICE,NUMBER,...
    #[arg(long, value_name = "LIST")]
    device_read_iops_sec: Option<String>,
    /// The most writes a second
    #[arg(long, value_name = "LIST")]
    device_write_iops_sec: Option<String>,
    /// The most bytes read a second
    #[arg(long, value_name = "LIST")]
    device_read_bytes_sec: Option<String>,
    /// The most bytes written a second
    #[arg(long, value_name = "LIST")]
    device_write_bytes_sec: Option<String>,
    #[command(flatten)]
    affect: Affect,
}

/// The room for a set of limits.
pub(super) fn room(most: usize) -> i32 {
    i32::try_from(most).unwrap_or(0)
}

/// Sets what there is to be set, or shows what there is.
pub(super) fn tune(
    session: &Session,
    domain: &Domain,
    changes: Vec<Param>,
    set: impl FnOnce(&mut Connection, DomainRef, Vec<Param>) -> Answer<()>,
    get: impl FnOnce(&mut Connection, DomainRef) -> Answer<Vec<Param>>,
) -> Result<(), Failure> {
    let (mut connection, dom) = session.find(domain)?;
    if changes.is_empty() {
        return show(session, &get(&mut connection, dom)?);
    }
    let (name, values) = (dom.name.clone(), document(&changes));
    set(&mut connection, dom, changes).context(|| format!("cannot change limits of '{name}'"))?;
    session
        .out
        .silent(&json!({ "done": "set", "name": name, "values": values }))
}

fn document(params: &[Param]) -> serde_json::Value {
    let facts: Map<String, serde_json::Value> = params
        .iter()
        .map(|param| (param.name.clone(), words::json(&param.value)))
        .collect();
    facts.into()
}

fn lines(params: &[Param]) -> String {
    let value = |value: &Value| match value {
        Value::Ulong(UNLIMITED) => "unlimited".to_owned(),
        other => harmless(&words::value(other)),
    };
    let line = |param: &Param| format!("{:<15}: {}\n", harmless(&param.name), value(&param.value));
    params.iter().map(line).collect()
}

fn show(session: &Session, params: &[Param]) -> Result<(), Failure> {
    if session.out.is_json() {
        return session.out.json(&document(params));
    }
    session.out.line(lines(params))
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Schedinfo(scheduler) => scheduler.perform(session),
            Self::Memtune(memory) => memory.perform(session),
            Self::Blkiotune(blkio) => blkio.perform(session),
        }
    }
}

impl Scheduler {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let (mut connection, dom) = session.find(&self.domain)?;
        let kind = connection.call(&DomainGetSchedulerType { dom: dom.clone() })?.name;
        let (flags, shown) = (self.affect.flags(), self.affect.shown());
        let mut params = scheduled(&mut connection, &dom, shown)?;
        let changes = self.changes(&params)?;
        if !changes.is_empty() {
            let call = DomainSetSchedulerParametersFlags {
                dom: dom.clone(),
                params: List(changes),
                flags,
            };
            connection
                .call(&call)
                .context(|| format!("cannot change limits of '{}'", dom.name))?;
            params = scheduled(&mut connection, &dom, shown)?;
        }
        if session.out.is_json() {
            return session
                .out
                .json(&json!({ "scheduler": kind, "values": document(&params) }));
        }
        session
            .out
            .line(format_args!("{:<15}: {kind}\n{}", "Scheduler", lines(&params)))
    }

    /// The new values, each of the type of the old one.
    fn changes(&self, known: &[Param]) -> Result<Vec<Param>, Failure> {
        let change = |word: &String| {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| Failure::Usage(format!("'{word}' is not NAME=VALUE")))?;
            let names = || {
                known
                    .iter()
                    .map(|param| param.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let old = find(known, name)
                .ok_or_else(|| Failure::Usage(format!("there is no limit '{name}' here, but {}", names())))?;
            let value = like(old, value);
            let value =
                value.ok_or_else(|| Failure::Usage(format!("'{word}' gives no value that '{name}' can have")))?;
            Ok(Param::new(name, value))
        };
        self.values.iter().chain(&self.set).map(change).collect()
    }
}

/// A text as a value of the same type as another.
fn like(other: &Value, text: &str) -> Option<Value> {
    Some(match other {
        Value::Int(_) => Value::Int(text.parse().ok()?),
        Value::Uint(_) => Value::Uint(text.parse().ok()?),
        Value::Long(_) => Value::Long(text.parse().ok()?),
        Value::Ulong(_) => Value::Ulong(text.parse().ok()?),
        Value::Double(_) => Value::Double(text.parse().ok()?),
        Value::Bool(_) => Value::Bool(text.parse::<u8>().ok()? != 0),
        Value::Text(_) => Value::Text(text.to_owned()),
    })
}

fn scheduled(connection: &mut Connection, dom: &DomainRef, flags: u32) -> Answer<Vec<Param>> {
    let (dom, nparams, flags) = (dom.clone(), room(LIMITS_MAX), flags | TEXTS);
    let call = DomainGetSchedulerParametersFlags { dom, nparams, flags };
    connection.call(&call).map(|params| params.0)
}

impl Memory {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let limits = [
            ("hard_limit", self.hard_limit),
            ("soft_limit", self.soft_limit),
            ("swap_hard_limit", self.swap_hard_limit),
        ];
        let changes = limits
            .into_iter()
            .filter_map(|(name, limit)| Some(Param::new(name, limit?)));
        let (nparams, flags) = (room(LIMITS_MAX), self.affect.flags());
        tune(
            session,
            &self.domain,
            changes.collect(),
            |connection, dom, params| {
                let params = List(params);
                connection.call(&DomainSetMemoryParameters { dom, params, flags })
            },
            |connection, dom| {
                let flags = flags | TEXTS;
                let call = DomainGetMemoryParameters { dom, nparams, flags };
                connection.call(&call).map(|answer| answer.params.0)
            },
        )
    }
}

impl Blkio {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let lists = [
            ("device_weight", &self.device_weights),
            ("device_read_iops_sec", &self.device_read_iops_sec),
            ("device_write_iops_sec", &self.device_write_iops_sec),
            ("device_read_bytes_sec", &self.device_read_bytes_sec),
            ("device_write_bytes_sec", &self.device_write_bytes_sec),
        ];
        let lists = lists
            .into_iter()
            .filter_map(|(name, list)| Some(Param::new(name, list.as_deref()?)));
        let weight = self.weight.map(|weight| Param::new("weight", weight));
        let (nparams, flags) = (room(LIMITS_MAX), self.affect.flags());
        tune(
            session,
            &self.domain,
            weight.into_iter().chain(lists).collect(),
            |connection, dom, params| {
                let params = List(params);
                connection.call(&DomainSetBlkioParameters { dom, params, flags })
            },
            |connection, dom| {
                let flags = flags | TEXTS;
                let call = DomainGetBlkioParameters { dom, nparams, flags };
                connection.call(&call).map(|answer| answer.params.0)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_values_of_the_type_that_is_wanted() {
        assert_eq!(like(&Value::Ulong(0), "7"), Some(Value::Ulong(7)));
        assert_eq!(like(&Value::Long(0), "-1"), Some(Value::Long(-1)));
        assert_eq!(like(&Value::Ulong(0), "-1"), None);
        assert_eq!(like(&Value::Text(String::new()), "0-1"), Some("0-1".into()));
        assert_eq!((limit("-1"), limit("1M")), (Ok(UNLIMITED), Ok(1024)));
    }
}
