//! Verbs about guests' memory: setmem, setmaxmem, dommemstat.

use super::Session;
use super::args::{Affect, Domain, Memory};
use super::define::done;
use super::exit::{Context, Failure};
use crate::rpc::codec::resource::DomainSetMemoryFlags;
use crate::rpc::codec::stats::{DomainMemoryStats, MemoryStat};
use clap::{Args, Subcommand};
use driver_api::types::device::flags::MEMORY_MAXIMUM;
use serde_json::{Map, Value, json};

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Give a guest more memory or less
    Setmem(Size),
    /// Set how much memory a guest can ever have
    Setmaxmem(Size),
    /// Show how a running guest uses its memory
    Dommemstat(Domain),
}

/// A size of memory for a guest.
#[derive(Args, Debug)]
pub struct Size {
    #[command(flatten)]
    domain: Domain,
    #[command(flatten)]
    size: Memory,
    #[command(flatten)]
    affect: Affect,
}

/// What the figures are called, each at its number (`virDomainMemoryStatTags`).
const FIGURES: [&str; 13] = [
    "swap_in",
    "swap_out",
    "major_fault",
    "minor_fault",
    "unused",
    "available",
    "actual",
    "rss",
    "usable",
    "last_update",
    "disk_caches",
    "hugetlb_pgalloc",
    "hugetlb_pgfail",
];

fn name(stat: &MemoryStat) -> Option<&'static str> {
    FIGURES.get(usize::try_from(stat.tag).ok()?).copied()
}

impl Size {
    fn set(&self, session: &Session, more: u32) -> Result<(), Failure> {
        let (mut connection, dom) = session.find(&self.domain)?;
        let call = DomainSetMemoryFlags {
            dom: dom.clone(),
            memory: self.size.get(),
            flags: self.affect.flags() | more,
        };
        connection
            .call(&call)
            .context(|| format!("cannot change the memory of '{}'", dom.name))?;
        session.out.silent(&done("set", &dom))
    }
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Setmem(size) => size.set(session, 0),
            Self::Setmaxmem(size) => size.set(session, MEMORY_MAXIMUM),
            Self::Dommemstat(domain) => {
                let (mut connection, dom) = session.find(domain)?;
                let max = u32::try_from(FIGURES.len()).unwrap_or(0);
                let stats = connection.call(&DomainMemoryStats { dom, max, flags: 0 })?.0;
                let named = stats.iter().filter_map(|stat| Some((name(stat)?, stat.value)));
                if session.out.is_json() {
                    let facts: Map<String, Value> =
                        named.map(|(name, value)| (name.to_owned(), json!(value))).collect();
                    return session.out.json(&Value::Object(facts));
                }
                let lines = named.map(|(name, value)| format!("{name} {value}\n"));
                session.out.line(lines.collect::<String>())
            }
        }
    }
}
