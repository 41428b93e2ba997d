//! Facts about the machine.

use super::procedures;
use super::typed_param::TypedParam;
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

    /// One figure of the machine's.
    NodeStat {
        field: String,
        value: u64,
    }

    /// The result of [`NodeGetCpuStats`] (nanoseconds) and [`NodeGetMemoryStats`] (KiB): the figures, if as many as there
    /// are were asked for, and how many there are if none was.
    NodeStats {
        params: List<NodeStat, 16>,
        nparams: i32,
    }

    /// The result of [`NodeGetMemoryParameters`].
    MemoryParameters {
        params: List<TypedParam, 64>,
        nparams: i32,
    }
}

procedures! {
    6 NodeGetInfo {} -> NodeInfo;
    101 NodeGetCellsFreeMemory { start_cell: i32, max_cells: i32 } -> List<u64, 1024>;
    102 NodeGetFreeMemory {} -> u64;
    227 NodeGetCpuStats { cpu: i32, nparams: i32, flags: u32 } -> NodeStats;
    228 NodeGetMemoryStats { nparams: i32, cell: i32, flags: u32 } -> NodeStats;
    250 NodeSuspendForDuration { target: u32, duration: u64, flags: u32 } -> ();
    288 NodeSetMemoryParameters { params: List<TypedParam, 64>, flags: u32 } -> ();
    289 NodeGetMemoryParameters { nparams: i32, flags: u32 } -> MemoryParameters;
    293 NodeGetCpuMap { need_map: i32, need_online: i32, flags: u32 } -> CpuMap;
    340 NodeGetFreePages {
        pages: List<u32, 1024>, start_cell: i32, cell_count: u32, flags: u32
    } -> List<u64, 1024>;
    347 NodeAllocPages {
        sizes: List<u32, 1024>, counts: List<u64, 1024>, start_cell: i32, cell_count: u32, flags: u32
    } -> i32;
}
