//! What a client may say when it changes devices and resources, and what is told of a guest's interfaces.

/// The sets of limits that can be read and set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum ParameterSet {
    /// Processor time (`virDomainGetSchedulerParameters`): `cpu_shares`, `vcpu_period`, `vcpu_quota`, `global_period`, ...
    Scheduler = 0,
    /// Memory (`virDomainGetMemoryParameters`): `hard_limit`, `soft_limit`, `swap_hard_limit`, in KiB.
    Memory = 1,
    /// Block devices of the host (`virDomainGetBlkioParameters`): `weight`, `device_weight`, `device_read_bytes_sec`, ...
    Blkio = 2,
    /// One interface (`virDomainGetInterfaceParameters`): `inbound.average`, `inbound.peak`, ... in KiB/s and KiB.
    Interface = 3,
    /// One disk (`virDomainGetBlockIoTune`): `total_bytes_sec`, ...
    BlockIo = 4,
}

impl ParameterSet {
    /// Every set, at its number.
    pub const ALL: [Self; 5] = [
        Self::Scheduler,
        Self::Memory,
        Self::Blkio,
        Self::Interface,
        Self::BlockIo,
    ];
}

/// Where a guest's addresses are asked for (`virDomainInterfaceAddressesSource`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum AddressSource {
    /// The leases of a DHCP server.
    Lease = 0,
    /// The agent in the guest.
    Agent = 1,
    /// The host's table of neighbours.
    Arp = 2,
}

impl AddressSource {
    /// Every source, at its number.
    pub const ALL: [Self; 3] = [Self::Lease, Self::Agent, Self::Arp];
}

/// The addresses of one of a guest's interfaces.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InterfaceAddresses {
    /// The host's device, or what the agent calls the interface.
    pub name: String,
    /// Its MAC address, if known.
    pub mac: Option<String>,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// One address of a guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// The address; its form tells its family.
    pub address: std::net::IpAddr,
    /// The length of its network's prefix; 0 when unknown.
    pub prefix: u32,
}

/// Whether a guest's kernel can be spoken to (`virDomainGetControlInfo`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Control {
    /// It answers.
    #[default]
    Ok,
    /// It has a question to answer since so many milliseconds.
    Occupied(u64),
    /// It has not answered since so many milliseconds.
    Silent(u64),
}

/// The groups of figures (`virDomainStatsTypes`).
#[allow(missing_docs, reason = "the names are libvirt's own")]
pub mod stats {
    pub const STATE: u32 = 1;
    pub const CPU_TOTAL: u32 = 2;
    pub const BALLOON: u32 = 4;
    pub const VCPU: u32 = 8;
    pub const INTERFACE: u32 = 16;
    pub const BLOCK: u32 = 32;
    pub const PERF: u32 = 64;
    pub const IOTHREAD: u32 = 128;
    pub const MEMORY: u32 = 256;
    pub const DIRTYRATE: u32 = 512;
    pub const VM: u32 = 1024;
}

/// Flags of changes of devices and resources, beside `domain::flags::AFFECT_*`.
#[allow(missing_docs, reason = "the names are libvirt's own")]
pub mod flags {
    /// A change of a device is made even if the guest does not go along (`VIR_DOMAIN_DEVICE_MODIFY_FORCE`).
    pub const DEVICE_FORCE: u32 = 4;
    pub const MEMORY_MAXIMUM: u32 = 4;
    pub const VCPU_MAXIMUM: u32 = 4;
    pub const VCPU_GUEST: u32 = 8;
    pub const VCPU_HOTPLUGGABLE: u32 = 16;
}
