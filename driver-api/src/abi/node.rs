//! The frozen record of the machine's facts.

use super::value::text;
use crate::error::{Error, Result};
use crate::types::node::NodeInfo;
use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// `NodeInfo` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `NodeInfo`")]
pub struct NodeRecord {
    pub model: RString,
    pub memory_kib: u64,
    pub cpus: u32,
    pub mhz: u32,
    pub nodes: u32,
    pub sockets: u32,
    pub cores: u32,
    pub threads: u32,
}

impl From<NodeInfo> for NodeRecord {
    fn from(info: NodeInfo) -> Self {
        Self {
            model: info.model.into(),
            memory_kib: info.memory_kib,
            cpus: info.cpus,
            mhz: info.mhz,
            nodes: info.nodes,
            sockets: info.sockets,
            cores: info.cores,
            threads: info.threads,
        }
    }
}

impl TryFrom<NodeRecord> for NodeInfo {
    type Error = Error;

    fn try_from(record: NodeRecord) -> Result<Self> {
        Ok(Self {
            model: text(record.model)?,
            memory_kib: record.memory_kib,
            cpus: record.cpus,
            mhz: record.mhz,
            nodes: record.nodes,
            sockets: record.sockets,
            cores: record.cores,
            threads: record.threads,
        })
    }
}
