//! Verbs about NUMA cells and their pages: freecell, freepages, allocpages.

use super::Session;
use super::exit::{Context, Failure};
use super::machine::or_all;
use crate::client::Connection;
use crate::rpc::codec::node::{NodeAllocPages, NodeGetCellsFreeMemory, NodeGetFreeMemory, NodeGetFreePages};
use crate::rpc::xdr::List;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show free memory of the machine, of a NUMA cell, or of each
    Freecell {
        /// Which cell.
        #[command(flatten)]
        cell: Which,
    },
    /// Show free pages of a NUMA cell, or of each
    Freepages(Freepages),
    /// Set the size of a pool of huge pages, or add to it
    Allocpages {
        /// The size of a page in KiB, such as 2048
        #[arg(value_name = "SIZE")]
        size: u32,
        /// How many pages
        #[arg(value_name = "COUNT")]
        count: u64,
        /// In this NUMA cell
        #[arg(long, value_name = "CELL", conflicts_with = "all")]
        cellno: Option<u32>,
        /// So many more, rather than so many
        #[arg(long)]
        add: bool,
        /// In each NUMA cell
        #[arg(long)]
        all: bool,
    },
}

/// Which cells are meant.
#[derive(Args, Clone, Copy, Debug)]
pub struct Which {
    /// The NUMA cell: its number
    #[arg(value_name = "CELL", conflicts_with_all = ["cell_option", "all"])]
    cell: Option<u32>,
    #[arg(long = "cellno", value_name = "CELL", hide = true, conflicts_with = "all")]
    cell_option: Option<u32>,
    /// Each NUMA cell
    #[arg(long)]
    all: bool,
}

/// What `freepages` takes.
#[derive(Args, Clone, Copy, Debug)]
pub struct Freepages {
    #[command(flatten)]
    cell: Which,
    /// Pages of this size only, in KiB
    #[arg(value_name = "SIZE", conflicts_with = "size_option")]
    size: Option<u32>,
    #[arg(long = "pagesize", value_name = "SIZE", hide = true)]
    size_option: Option<u32>,
}

impl Which {
    fn cell(self) -> Option<u32> {
        self.cell.or(self.cell_option)
    }
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Freecell { cell } => free_cell(session, *cell),
            Self::Freepages(wanted) => free_pages(session, *wanted),
            Self::Allocpages {
                size,
                count,
                cellno,
                add,
                all,
            } => {
                let flags = u32::from(!add);
                let first = or_all(*cellno)?;
                let mut connection = session.connect()?;
                let places = match all {
                    true => ids(&mut connection)?,
                    false => vec![first],
                };
                for start_cell in places {
                    let call = NodeAllocPages {
                        sizes: List(vec![*size]),
                        counts: List(vec![*count]),
                        start_cell,
                        cell_count: 1,
                        flags,
                    };
                    connection
                        .call(&call)
                        .context(|| format!("the pool of pages of {size} KiB is not what was asked for"))?;
                }
                session
                    .out
                    .done("The pool of pages is as asked for", &json!({ "done": "changed" }))
            }
        }
    }
}

/// The numbers of all cells as the protocol takes them.
fn ids(connection: &mut Connection) -> Result<Vec<i32>, Failure> {
    let cells = connection.cells()?;
    cells.iter().map(|cell| or_all(Some(cell.id))).collect()
}

/// Free memory of a cell in KiB.
fn free_of(connection: &mut Connection, cell: i32) -> Result<u64, Failure> {
    let call = NodeGetCellsFreeMemory {
        start_cell: cell,
        max_cells: 1,
    };
    let cells = connection.call(&call)?.0;
    Ok(cells.first().map_or(0, |bytes| bytes / 1024))
}

fn free_cell(session: &Session, which: Which) -> Result<(), Failure> {
    let (mut connection, out) = (session.connect()?, session.out);
    if let Some(cell) = which.cell() {
        let free = free_of(&mut connection, or_all(Some(cell))?)?;
        return match out.is_json() {
            true => out.json(&json!({ "cell": cell, "free_kib": free })),
            false => out.line(format_args!("{cell}: {free} KiB\n")),
        };
    }
    if !which.all {
        let free = connection.call(&NodeGetFreeMemory {})? / 1024;
        return match out.is_json() {
            true => out.json(&json!({ "free_kib": free })),
            false => out.line(format_args!("Total: {free} KiB\n")),
        };
    }
    let mut cells: Vec<(i32, u64)> = Vec::new();
    for cell in ids(&mut connection)? {
        cells.push((cell, free_of(&mut connection, cell)?));
    }
    let total: u64 = cells.iter().map(|(_, free)| free).sum();
    if out.is_json() {
        let cells: Vec<Value> = cells
            .iter()
            .map(|(cell, free)| json!({ "cell": cell, "free_kib": free }))
            .collect();
        return out.json(&json!({ "cells": cells, "free_kib": total }));
    }
    for (cell, free) in cells {
        out.line(format_args!("{cell:>5}: {free:>10} KiB"))?;
    }
    out.line("--------------------")?;
    out.line(format_args!("{:>5}: {total:>10} KiB\n", "Total"))
}

fn free_pages(session: &Session, wanted: Freepages) -> Result<(), Failure> {
    let which = wanted.cell;
    if which.cell().is_none() && !which.all {
        return Err(Failure::Usage("which NUMA cell: a number, or --all?".to_owned()));
    }
    let mut connection = session.connect()?;
    let mut cells = connection.cells()?;
    if let Some(cell) = which.cell() {
        cells.retain(|known| known.id == cell);
        if cells.is_empty() {
            return Err(Failure::Other(format!(
                "there is no NUMA cell {cell} ('lockstep capabilities' lists them)"
            )));
        }
    }
    let size = wanted.size.or(wanted.size_option);
    let mut documents = Vec::new();
    let mut text = String::new();
    for cell in cells {
        let sizes = size.map_or(cell.page_sizes, |size| vec![size]);
        let counts = connection.call(&NodeGetFreePages {
            pages: List(sizes.clone()),
            start_cell: or_all(Some(cell.id))?,
            cell_count: 1,
            flags: 0,
        })?;
        if which.all {
            text.push_str(&format!("Node {}:\n", cell.id));
        }
        let pairs = || sizes.iter().zip(&counts.0);
        text.extend(pairs().map(|(size, count)| format!("{size}KiB: {count}\n")));
        if which.all {
            text.push('\n');
        }
        let pages = pairs().map(|(size, count)| json!({ "size_kib": size, "free": count }));
        documents.push(json!({ "cell": cell.id, "pages": pages.collect::<Vec<_>>() }));
    }
    match session.out.is_json() {
        true => session.out.json(&documents.into()),
        false => session.out.line(text),
    }
}
