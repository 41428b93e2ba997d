//! Verbs that look at guests' disks: domblklist, domblkstat, domblkinfo.

use super::Session;
use super::args::Domain;
use super::device::{devices, of_child};
use super::exit::Failure;
use super::output::{Cell, harmless};
use super::words;
use crate::client::Connection;
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::stats::{BlockInfo, DISK_FIGURES_MAX, DomainBlockStatsFlags, DomainGetBlockInfo};
use clap::{Args, Subcommand};
use driver_api::kit::xml::Element;
use driver_api::types::domain::flags::XML_INACTIVE;
use driver_api::types::param::find;
use serde_json::{Map, Value, json};

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// List a guest's disks
    Domblklist {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Those that the next start takes
        #[arg(long)]
        inactive: bool,
        /// Show what they are too
        #[arg(long)]
        details: bool,
    },
    /// Show how much a running guest reads and writes
    Domblkstat(Stat),
    /// Show how large a guest's disks are, in bytes
    Domblkinfo(Info),
}

/// What `domblkstat` takes.
#[derive(Args, Debug)]
pub struct Stat {
    #[command(flatten)]
    domain: Domain,
    /// The disk: its target or its source; all together without
    #[arg(value_name = "DISK")]
    device: Option<String>,
    #[arg(long = "device", value_name = "DISK", hide = true, conflicts_with = "device")]
    device_option: Option<String>,
    /// In words
    #[arg(long)]
    human: bool,
}

/// What `domblkinfo` takes.
#[derive(Args, Debug)]
pub struct Info {
    #[command(flatten)]
    domain: Domain,
    /// The disk: its target or its source
    #[arg(value_name = "DISK", required_unless_present_any = ["all", "device_option"])]
    device: Option<String>,
    #[arg(long = "device", value_name = "DISK", hide = true, conflicts_with = "device")]
    device_option: Option<String>,
    /// With units
    #[arg(long)]
    human: bool,
    /// Every disk
    #[arg(long, conflicts_with_all = ["device", "device_option"])]
    all: bool,
}

/// The figures in their order: their names in the protocol, in virsh's plain output, and in words.
const FIGURES: [(&str, &str, &str); 9] = [
    ("rd_operations", "rd_req", "number of read operations"),
    ("rd_bytes", "rd_bytes", "number of bytes read"),
    ("wr_operations", "wr_req", "number of write operations"),
    ("wr_bytes", "wr_bytes", "number of bytes written"),
    ("errs", "errs", "error count"),
    ("flush_operations", "flush_operations", "number of flush operations"),
    ("rd_total_times", "rd_total_times", "total duration of reads (ns)"),
    ("wr_total_times", "wr_total_times", "total duration of writes (ns)"),
    (
        "flush_total_times",
        "flush_total_times",
        "total duration of flushes (ns)",
    ),
];

/// What is behind a disk.
fn source(disk: &Element) -> Option<&str> {
    ["file", "dev", "dir", "name"]
        .into_iter()
        .find_map(|name| of_child(disk, "source", name))
}

fn target(disk: &Element) -> Option<&str> {
    of_child(disk, "target", "dev")
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Domblklist {
                domain,
                inactive,
                details,
            } => {
                let (mut connection, dom) = session.find(domain)?;
                let flags = if *inactive { XML_INACTIVE } else { 0 };
                let disks = devices(&mut connection, &dom, "disk", flags)?;
                list(session, &disks, *details)
            }
            Self::Domblkstat(stat) => stat.perform(session),
            Self::Domblkinfo(info) => info.perform(session),
        }
    }
}

fn list(session: &Session, disks: &[Element], details: bool) -> Result<(), Failure> {
    if session.out.is_json() {
        let document = |disk: &Element| {
            json!({
                "type": disk.attr("type"), "device": disk.attr("device").unwrap_or("disk"), "target": target(disk),
                "source": source(disk),
            })
        };
        return session.out.json(&disks.iter().map(document).collect());
    }
    let or_none = |word: Option<&str>| Cell::from(word.unwrap_or("-"));
    let row = |disk: &Element| {
        let mut cells = Vec::new();
        if details {
            cells.extend([
                or_none(disk.attr("type")),
                Cell::from(disk.attr("device").unwrap_or("disk")),
            ]);
        }
        cells.extend([or_none(target(disk)), or_none(source(disk))]);
        cells
    };
    let rows: Vec<Vec<Cell>> = disks.iter().map(row).collect();
    let heads = ["Type", "Device", "Target", "Source"];
    session.out.table(if details { &heads } else { &heads[2..] }, &rows)
}

impl Stat {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let (mut connection, dom) = session.find(&self.domain)?;
        let path = self
            .device
            .as_ref()
            .or(self.device_option.as_ref())
            .map_or("", String::as_str);
        let human = self.human;
        let stats = connection.call(&DomainBlockStatsFlags {
            dom,
            path: path.to_owned(),
            nparams: i32::try_from(DISK_FIGURES_MAX).unwrap_or(0),
            flags: 0,
        })?;
        let figures = FIGURES.iter().filter_map(|(name, plain, words)| {
            let number = find(&stats.params.0, name)?.as_i64()?;
            Some((*plain, *words, number))
        });
        if session.out.is_json() {
            let facts: Map<String, Value> = figures
                .map(|(plain, _, number)| (plain.to_owned(), json!(number)))
                .collect();
            return session.out.json(&Value::Object(facts));
        }
        let disk = harmless(path);
        let mut text = if human {
            format!("Device: {disk}\n")
        } else {
            String::new()
        };
        for (plain, words, number) in figures {
            if human {
                text.push_str(&format!(" {:<31} {number}\n", format!("{words}:")));
            } else {
                text.push_str(&format!("{disk} {plain} {number}\n"));
            }
        }
        session.out.line(text)
    }
}

impl Info {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let (mut connection, dom) = session.find(&self.domain)?;
        if let Some(disk) = self.device.as_ref().or(self.device_option.as_ref()) {
            return self.show(session, &info(&mut connection, &dom, disk)?);
        }
        let disks = devices(&mut connection, &dom, "disk", 0)?;
        let mut rows = Vec::new();
        for target in disks.iter().filter_map(target) {
            rows.push((target.to_owned(), info(&mut connection, &dom, target)?));
        }
        if session.out.is_json() {
            let all = rows.iter().map(|(target, info)| (target.clone(), document(info)));
            return session.out.json(&Value::Object(all.collect()));
        }
        let cells = |(target, info): &(String, BlockInfo)| {
            let sizes = [info.capacity, info.allocation, info.physical].map(|size| Cell::from(self.size(size)));
            [Cell::from(target)].into_iter().chain(sizes).collect()
        };
        let rows: Vec<Vec<Cell>> = rows.iter().map(cells).collect();
        session
            .out
            .table(&["Target", "Capacity", "Allocation", "Physical"], &rows)
    }

    fn size(&self, bytes: u64) -> String {
        if self.human {
            words::size(bytes)
        } else {
            bytes.to_string()
        }
    }

    fn show(&self, session: &Session, info: &BlockInfo) -> Result<(), Failure> {
        if session.out.is_json() {
            return session.out.json(&document(info));
        }
        let line = |name: &str, size| format!("{:<15} {}\n", format!("{name}:"), self.size(size));
        let lines = [
            line("Capacity", info.capacity),
            line("Allocation", info.allocation),
            line("Physical", info.physical),
        ];
        session.out.line(lines.concat())
    }
}

fn info(connection: &mut Connection, dom: &DomainRef, path: &str) -> Result<BlockInfo, Failure> {
    let (dom, path, flags) = (dom.clone(), path.to_owned(), 0);
    Ok(connection.call(&DomainGetBlockInfo { dom, path, flags })?)
}

fn document(info: &BlockInfo) -> Value {
    json!({ "capacity": info.capacity, "allocation": info.allocation, "physical": info.physical })
}
