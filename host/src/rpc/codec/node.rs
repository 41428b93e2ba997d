//! Facts about the machine.

use super::procedures;
use crate::rpc::xdr::{Chars, List, Opaque, xdr_struct};

xdr_struct! {
    /// The result of [`NodeGetInfo`]; memory in KiB.
    NodeInfo {
        model: Chars<32>,
        memory: u64,
        cpus: i32,
        mhz: i32,
        nodes: i32,
        sockets: i32,
        cores: i32,
        threads: i32,
    }

    /// The result of [`NodeGetCpuMap`]: bit `n` of the map says whether processor `n` is online.
    CpuMap {
        cpumap: Opaque<2048>,
        online: u32,
        ret: i32,
    }
}

procedures! {
    6 NodeGetInfo {} -> NodeInfo;
    101 NodeGetCellsFreeMemory { start_cell: i32, max_cells: i32 } -> List<u64, 1024>;
    102 NodeGetFreeMemory {} -> u64;
    293 NodeGetCpuMap { need_map: i32, need_online: i32, flags: u32 } -> CpuMap;
}
