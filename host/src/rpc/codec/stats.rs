//! Figures of domains: all at once under names, and those of one kind as older procedures carry them.

use super::domain::DomainRef;
use super::typed_param::{Counted, TypedParam};
use super::{LIST_MAX, procedures};
use crate::rpc::xdr::{List, Opaque, xdr_struct};

/// The most figures of one disk.
pub const DISK_FIGURES_MAX: usize = 16;
/// The most figures of processors in one answer.
pub const CPU_FIGURES_MAX: usize = 2048;
/// The most processors of a guest in one answer.
pub const VCPUS_MAX: usize = 16_384;
/// The most bytes of processor maps in one answer.
pub const CPU_MAPS_MAX: usize = 8_388_608;
/// The most figures of a guest's memory.
pub const MEMORY_STATS_MAX: usize = 1024;
/// The most interfaces, and addresses of one.
pub const ADDRESSES_MAX: usize = 2048;
/// What stands for a figure that is not known, where the protocol has no other way to say so.
pub const UNKNOWN: i64 = -1;

/// Maps of the machine's processors, one after the other; bit `n` of a map stands for processor `n`.
pub type CpuMaps = Opaque<CPU_MAPS_MAX>;

xdr_struct! {
    /// One processor of a guest: its state (1 running, 2 blocked), nanoseconds used, and where it runs (-2 unknown).
    VcpuInfo {
        number: u32,
        state: i32,
        cpu_time: u64,
        cpu: i32,
    }

    /// The result of [`DomainGetVcpus`].
    Vcpus {
        info: List<VcpuInfo, VCPUS_MAX>,
        cpumaps: CpuMaps,
    }

    /// The result of [`DomainGetVcpuPinInfo`].
    VcpuPins {
        cpumaps: CpuMaps,
        num: i32,
    }

    /// The result of [`DomainGetEmulatorPinInfo`]; `ret` says whether there is a map.
    EmulatorPin {
        cpumaps: CpuMaps,
        ret: i32,
    }

    /// The result of [`DomainBlockStats`].
    BlockStats {
        rd_req: i64,
        rd_bytes: i64,
        wr_req: i64,
        wr_bytes: i64,
        errs: i64,
    }

    /// The result of [`DomainInterfaceStats`].
    InterfaceStats {
        rx_bytes: i64,
        rx_packets: i64,
        rx_errs: i64,
        rx_drop: i64,
        tx_bytes: i64,
        tx_packets: i64,
        tx_errs: i64,
        tx_drop: i64,
    }

    /// One figure of [`DomainMemoryStats`] (`virDomainMemoryStatTags`).
    MemoryStat {
        tag: i32,
        value: u64,
    }

    /// The result of [`DomainGetBlockInfo`] in bytes: what it takes of its storage, what the guest sees, how long it is.
    BlockInfo {
        allocation: u64,
        capacity: u64,
        physical: u64,
    }

    /// A disk that failed.
    DiskError {
        disk: String,
        error: i32,
    }

    /// The result of [`DomainGetDiskErrors`].
    DiskErrors {
        errors: List<DiskError, 256>,
        count: i32,
    }

    /// One address; the kind is 0 for IPv4 and 1 for IPv6.
    IpAddress {
        kind: i32,
        address: String,
        prefix: u32,
    }

    /// The addresses of one interface.
    Interface {
        name: String,
        mac: Option<String>,
        addresses: List<IpAddress, ADDRESSES_MAX>,
    }

    /// One domain's figures.
    StatsRecord {
        dom: DomainRef,
        params: List<TypedParam, 262_144>,
    }
}

procedures! {
    20 DomainGetVcpus { dom: DomainRef, max_info: i32, map_length: i32 } -> Vcpus;
    64 DomainBlockStats { dom: DomainRef, path: String } -> BlockStats;
    65 DomainInterfaceStats { dom: DomainRef, device: String } -> InterfaceStats;
    159 DomainMemoryStats { dom: DomainRef, max: u32, flags: u32 } -> List<MemoryStat, MEMORY_STATS_MAX>;
    194 DomainGetBlockInfo { dom: DomainRef, path: String, flags: u32 } -> BlockInfo;
    230 DomainGetVcpuPinInfo { dom: DomainRef, max_maps: i32, map_length: i32, flags: u32 } -> VcpuPins;
    243 DomainBlockStatsFlags {
        dom: DomainRef, path: String, nparams: i32, flags: u32
    } -> Counted<DISK_FIGURES_MAX>;
    262 DomainGetCpuStats {
        dom: DomainRef, nparams: u32, start_cpu: i32, ncpus: u32, flags: u32
    } -> Counted<CPU_FIGURES_MAX>;
    263 DomainGetDiskErrors { dom: DomainRef, max: u32, flags: u32 } -> DiskErrors;
    280 DomainGetEmulatorPinInfo { dom: DomainRef, map_length: i32, flags: u32 } -> EmulatorPin;
    344 ConnectGetAllDomainStats {
        doms: List<DomainRef, LIST_MAX>, stats: u32, flags: u32
    } -> List<StatsRecord, LIST_MAX>;
    353 DomainInterfaceAddresses { dom: DomainRef, source: u32, flags: u32 } -> List<Interface, ADDRESSES_MAX>;
}
