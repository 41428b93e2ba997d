//! Figures of the machine, asked for in the two steps that the protocol wants, and its cells.

use super::connection::Connection;
use super::error::{Error, Result};
use crate::rpc::codec::connect::ConnectGetCapabilities;
use crate::rpc::codec::node::NodeGetMemoryParameters;
use crate::rpc::codec::node::{NodeGetCpuStats, NodeGetMemoryStats, NodeStat};
use crate::rpc::codec::typed_param::TypedParam;
use driver_api::error::Origin;
use driver_api::kit::xml::{Element, Limits, parse};

/// A NUMA cell as the capabilities document tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// Its number.
    pub id: u32,
    /// The sizes of its pages in KiB.
    pub page_sizes: Vec<u32>,
}

impl Connection {
    /// What a processor spent its time with, or all of them (-1); nanoseconds.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn cpu_stats(&mut self, cpu: i32) -> Result<Vec<NodeStat>> {
        let ask = |nparams| NodeGetCpuStats { cpu, nparams, flags: 0 };
        let nparams = self.call(&ask(0))?.nparams;
        Ok(self.call(&ask(nparams))?.params.0)
    }

    /// Memory of a cell, or of all (-1); KiB.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn memory_stats(&mut self, cell: i32) -> Result<Vec<NodeStat>> {
        let ask = |nparams| NodeGetMemoryStats {
            cell,
            nparams,
            flags: 0,
        };
        let nparams = self.call(&ask(0))?.nparams;
        Ok(self.call(&ask(nparams))?.params.0)
    }

    /// The parameters of the kernel's merging of pages.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn memory_parameters(&mut self) -> Result<Vec<TypedParam>> {
        let ask = |nparams| NodeGetMemoryParameters { nparams, flags: 0 };
        let nparams = self.call(&ask(0))?.nparams;
        Ok(self.call(&ask(nparams))?.params.0)
    }

    /// The cells of the machine.
    ///
    /// # Errors
    /// What the host says, a broken connection, or a document that tells none.
    pub fn cells(&mut self) -> Result<Vec<Cell>> {
        let text = self.call(&ConnectGetCapabilities {})?;
        let document = parse(text.as_bytes(), Origin::NONE, &Limits::default());
        let document = document.map_err(|error| Error::Protocol(format!("capabilities that are no XML: {error}")))?;
        let cells = cells(&document);
        if cells.is_empty() {
            return Err(Error::Protocol("the capabilities tell no NUMA cell".to_owned()));
        }
        Ok(cells)
    }
}

fn cells(document: &Element) -> Vec<Cell> {
    let path = ["host", "topology", "cells"];
    let list = path.iter().try_fold(document, |element, name| element.child(name));
    let cell = |element: &Element| {
        let size = |pages: &Element| pages.attr("size")?.parse().ok();
        Some(Cell {
            id: element.attr("id")?.parse().ok()?,
            page_sizes: element.children_named("pages").filter_map(size).collect(),
        })
    };
    list.into_iter()
        .flat_map(|list| list.children_named("cell"))
        .filter_map(cell)
        .collect()
}
