//! Facts about the machine that the host runs on.

/// What `nodeinfo` shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeInfo {
    /// Processor model, at most 31 bytes as the wire wants it.
    pub model: String,
    /// Memory in KiB.
    pub memory_kib: u64,
    /// Active processors.
    pub cpus: u32,
    /// Clock in MHz, 0 when unknown.
    pub mhz: u32,
    /// NUMA cells.
    pub nodes: u32,
    /// Sockets per cell.
    pub sockets: u32,
    /// Cores per socket.
    pub cores: u32,
    /// Threads per core.
    pub threads: u32,
}
