//! From a decoded call to a driver and back: the only room that knows both the wire's structs and the drivers' traits.
//!
//! Each procedure is one function in the file of its noun; [`answer`] is the list of those that are served.

mod autodestroy;
mod binding;
mod capabilities;
mod connect;
mod console;
mod control;
mod device;
mod domain;
mod driver;
mod empty;
mod event;
mod filter;
mod inspect;
mod job;
mod life;
mod limit;
mod metadata;
mod node;
mod own;
mod resource;
mod security;
mod session;
mod stats;
mod storage;
mod telling;
mod volume;

use crate::event::{Events, Subscription};
use crate::limited_event;
use crate::lock::Locks;
use crate::logging::Logging;
use crate::node::Machine;
use crate::node::suspend::{NOTICE, Suspender};
use crate::paths::Paths;
use crate::plugin::Plugins;
use crate::rpc::codec::{self, Procedure};
use crate::rpc::procs::Class;
use crate::server::{Answer, Call, Client, Peer, Service};
use crate::storage::Storage;
use crate::supervisor::Guests;
use autodestroy::Endings;
use driver_api::error::Result;
use driver_api::types::uuid::Uuid;
use session::Sessions;
use stats::{address, block, bulk, cpu, interface, memory, vcpu};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing::Level;

/// The rooms that answering a call may need.
#[derive(Debug)]
pub struct Rooms {
    /// The drivers.
    pub plugins: Arc<Plugins>,
    /// The guests' supervisors.
    pub guests: Arc<Guests>,
    /// The locks.
    pub locks: Arc<Locks>,
    /// The log, if it is the host's own.
    pub logging: Option<Logging>,
}

/// Answers calls from the host's rooms.
#[derive(Debug)]
pub struct Dispatch {
    rooms: Rooms,
    sessions: Arc<Sessions>,
    host_uuid: Uuid,
    privileged: bool,
    machine: Machine,
    suspender: Suspender,
    endings: Endings,
    storage: Storage,
    run: PathBuf,
    _events: Subscription,
}

impl Deref for Dispatch {
    type Target = Rooms;
    fn deref(&self) -> &Rooms {
        &self.rooms
    }
}

impl Dispatch {
    /// A dispatcher over the host's rooms; what happens to domains reaches the clients that registered as long as it lives.
    ///
    /// # Errors
    /// 38 when the host's identity can be neither read nor kept.
    pub fn new(rooms: Rooms, events: &Arc<Events>, paths: &Paths) -> Result<Self> {
        let sessions = Arc::new(Sessions::default());
        let listeners = Arc::clone(&sessions);
        let events = events.subscribe(Arc::new(move |plugin, happening| listeners.publish(plugin, happening)));
        let host_uuid = capabilities::host_uuid(&paths.state)?;
        let machine = Machine::new("/");
        Ok(Self {
            rooms,
            sessions,
            host_uuid,
            privileged: paths.privileged,
            suspender: Suspender::new(machine.clone(), NOTICE),
            machine,
            endings: Endings::default(),
            storage: Storage::open(paths),
            run: paths.run.clone(),
            _events: events,
        })
    }

    /// Waits for what goes on behind clients that are gone, so long at most.
    pub fn finish(&self, within: Duration) {
        self.endings.finish(within);
    }

    /// Whether a client is connected or a guest runs.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.sessions.count() > 0 || !self.plugins.running().is_empty()
    }
}

impl Service for Dispatch {
    fn call(&self, call: &Call<'_>) -> Result<Answer> {
        let answer = answer(self, call);
        if call.proc.class != Class::Read {
            let (client, serial, proc) = (call.client.id(), call.serial, call.proc.name);
            let Peer { pid, uid, gid } = call.client.peer();
            match &answer {
                Ok(_) => tracing::info!(client, serial, proc, pid, uid, gid, "changed"),
                // What changed nothing may be asked for as often as one likes.
                Err(error) => limited_event!(Level::INFO, client, serial, proc, pid, uid, gid, %error, "refused"),
            }
        }
        answer
    }

    fn closed(&self, client: &Arc<Client>) {
        if let Some(session) = self.sessions.close(client.id())
            && let (Some(plugin), false) = (session.virt, session.bonds.is_empty())
        {
            self.endings.begin(plugin, client.id(), session.bonds);
        }
    }
}

/// Declares which function answers which procedure of the remote program.
macro_rules! served {
    ($($codec:ident / $room:ident: $($procedure:ident => $handler:ident),+;)+) => {
        fn answer(host: &Dispatch, call: &Call<'_>) -> Result<Answer> {
            match call.proc.number {
                $($(codec::$codec::$procedure::NUMBER => {
                    let args = call.args::<codec::$codec::$procedure>()?;
                    Answer::new::<codec::$codec::$procedure>(&$room::$handler(host, call, args)?)
                })+)+
                codec::domain::DomainOpenConsole::NUMBER => console::open(host, call),
                _ => Err(call.proc.not_supported()),
            }
        }
    };
}

served! {
    binding / binding:
        NwfilterBindingLookupByPortDev => by_port, NwfilterBindingGetXmlDesc => xml,
        NwfilterBindingCreateXml => create, NwfilterBindingDelete => delete,
        ConnectListAllNwfilterBindings => list_all;
    connect / connect:
        ConnectOpen => open, ConnectGetType => get_type, ConnectGetVersion => get_version,
        ConnectGetLibVersion => get_lib_version, ConnectGetMaxVcpus => get_max_vcpus,
        ConnectGetCapabilities => get_capabilities, ConnectGetHostname => get_hostname, ConnectGetUri => get_uri,
        ConnectGetSysinfo => get_sysinfo, ConnectSupportsFeature => supports_feature,
        ConnectIsSecure => is_secure, ConnectRegisterCloseCallback => register_close,
        ConnectUnregisterCloseCallback => unregister_close;
    control / control:
        DomainReset => reset, DomainRename => rename, DomainBlockPeek => block_peek,
        DomainSetAutostartOnce => set_autostart_once;
    device / device:
        DomainAttachDevice => attach, DomainAttachDeviceFlags => attach_flags, DomainDetachDevice => detach,
        DomainDetachDeviceFlags => detach_flags, DomainDetachDeviceAlias => detach_alias,
        DomainUpdateDeviceFlags => update_flags;
    domain / domain:
        ConnectListAllDomains => list_all, ConnectListDomains => list_active, ConnectNumOfDomains => num_active,
        ConnectListDefinedDomains => list_defined, ConnectNumOfDefinedDomains => num_defined,
        DomainLookupById => by_id, DomainLookupByName => by_name, DomainLookupByUuid => by_uuid,
        DomainGetInfo => info, DomainGetState => state, DomainGetControlInfo => control_info, DomainGetXmlDesc => xml,
        DomainGetAutostart => autostart, DomainGetMaxMemory => max_memory,
        DomainGetOsType => os_type, DomainIsActive => is_active,
        DomainIsPersistent => is_persistent, DomainIsUpdated => is_updated,
        DomainHasManagedSaveImage => has_managed_save, DomainSnapshotNum => snapshots, DomainGetMessages => messages;
    domain / life:
        DomainDefineXml => define, DomainDefineXmlFlags => define_flags, DomainCreateXml => create_xml,
        DomainCreate => create, DomainCreateWithFlags => create_flags, DomainUndefine => undefine,
        DomainUndefineFlags => undefine_flags, DomainShutdown => shutdown, DomainShutdownFlags => shutdown_flags,
        DomainReboot => reboot, DomainDestroy => destroy, DomainDestroyFlags => destroy_flags,
        DomainSuspend => suspend, DomainResume => resume, DomainSetAutostart => set_autostart;
    domain / metadata: DomainGetMetadata => get, DomainSetMetadata => set;
    empty / empty:
        ConnectNumOfDefinedNetworks => defined_networks, ConnectNumOfNetworks => networks,
        NodeNumOfDevices => devices, ConnectNumOfInterfaces => interfaces,
        ConnectNumOfDefinedInterfaces => defined_interfaces, ConnectNumOfSecrets => secrets,
        ConnectListAllNetworks => list_networks,
        ConnectListAllInterfaces => list_interfaces, ConnectListAllNodeDevices => list_devices,
        ConnectListAllSecrets => list_secrets,
        NetworkLookupByName => network, NetworkLookupByUuid => network_by_uuid,
        NodeDeviceLookupByName => device, InterfaceLookupByName => interface,
        InterfaceLookupByMacString => interface_by_mac, SecretLookupByUuid => secret, SecretLookupByUsage => secret_by_usage;
    event / event:
        ConnectDomainEventCallbackRegisterAny => register, ConnectDomainEventCallbackDeregisterAny => deregister,
        ConnectDomainEventRegisterAny => register_any, ConnectDomainEventDeregisterAny => deregister_any,
        ConnectDomainEventRegister => register_lifecycle, ConnectDomainEventDeregister => deregister_lifecycle;
    inspect / inspect:
        NwfilterGetStatus => status, NwfilterGetPort => port, NwfilterGetCounters => counters, NwfilterTest => test,
        NwfilterStartTrace => start_trace, NwfilterNextTrace => next_trace, NwfilterStopTrace => stop_trace,
        NwfilterReload => reload;
    job / job: DomainGetJobInfo => info, DomainGetJobStats => stats, DomainAbortJob => abort;
    limit / limit:
        DomainGetSchedulerType => scheduler_type, DomainGetSchedulerParameters => get_scheduler,
        DomainGetSchedulerParametersFlags => get_scheduler_flags, DomainSetSchedulerParameters => set_scheduler,
        DomainSetSchedulerParametersFlags => set_scheduler_flags, DomainGetMemoryParameters => get_memory,
        DomainSetMemoryParameters => set_memory, DomainGetBlkioParameters => get_blkio,
        DomainSetBlkioParameters => set_blkio, DomainGetInterfaceParameters => get_interface,
        DomainSetInterfaceParameters => set_interface, DomainGetBlockIoTune => get_block_io,
        DomainSetBlockIoTune => set_block_io;
    lockstep / own:
        HostGetPlugins => plugins, HostGetLocks => locks, HostSetLogFilter => set_log_filter,
        DomainGetSecurity => security;
    node / node:
        NodeGetInfo => info, NodeGetCpuStats => cpu_stats, NodeGetCpuMap => cpu_map,
        NodeGetMemoryStats => memory_stats, NodeGetFreeMemory => free_memory,
        NodeGetCellsFreeMemory => cells_free_memory, NodeGetFreePages => free_pages, NodeAllocPages => alloc_pages,
        NodeGetMemoryParameters => memory_parameters, NodeSetMemoryParameters => set_memory_parameters,
        NodeSuspendForDuration => suspend;
    nwfilter / filter:
        NwfilterLookupByName => by_name, NwfilterLookupByUuid => by_uuid, NwfilterGetXmlDesc => xml,
        NwfilterDefineXml => define, NwfilterDefineXmlFlags => define_flags, NwfilterUndefine => undefine,
        ConnectListAllNwfilters => list_all, ConnectListNwfilters => list, ConnectNumOfNwfilters => num;
    resource / resource:
        DomainSetMemory => set_memory, DomainSetMemoryFlags => set_memory_flags, DomainSetMaxMemory => set_max_memory,
        DomainSetVcpus => set_vcpus, DomainSetVcpusFlags => set_vcpus_flags, DomainGetVcpusFlags => vcpus,
        DomainGetMaxVcpus => max_vcpus;
    security / security:
        DomainGetSecurityLabel => label, DomainGetSecurityLabelList => labels, NodeGetSecurityModel => model;
    stats / address: DomainInterfaceAddresses => addresses;
    stats / block:
        DomainBlockStats => stats, DomainBlockStatsFlags => stats_flags, DomainGetBlockInfo => info,
        DomainGetDiskErrors => errors;
    stats / bulk: ConnectGetAllDomainStats => all;
    stats / cpu: DomainGetCpuStats => stats;
    stats / interface: DomainInterfaceStats => stats;
    stats / memory: DomainMemoryStats => stats;
    stats / vcpu: DomainGetVcpus => vcpus, DomainGetVcpuPinInfo => vcpu_pins, DomainGetEmulatorPinInfo => emulator_pin;
    storage / storage:
        ConnectNumOfStoragePools => num_active, ConnectListStoragePools => list_active,
        ConnectNumOfDefinedStoragePools => num_inactive, ConnectListDefinedStoragePools => list_inactive,
        ConnectListAllStoragePools => list_all, StoragePoolLookupByName => by_name, StoragePoolLookupByUuid => by_uuid,
        StoragePoolLookupByVolume => by_volume, StoragePoolLookupByTargetPath => by_folder,
        StoragePoolCreateXml => create_xml, StoragePoolDefineXml => define, StoragePoolCreate => create,
        StoragePoolBuild => build, StoragePoolDestroy => destroy, StoragePoolDelete => delete,
        StoragePoolUndefine => undefine, StoragePoolRefresh => refresh, StoragePoolGetInfo => info,
        StoragePoolGetXmlDesc => xml, StoragePoolGetAutostart => autostart, StoragePoolSetAutostart => set_autostart,
        StoragePoolIsActive => is_active, StoragePoolIsPersistent => is_persistent;
    storage / volume:
        StoragePoolNumOfVolumes => num, StoragePoolListVolumes => list, StoragePoolListAllVolumes => list_all,
        StorageVolCreateXml => create, StorageVolDelete => delete, StorageVolLookupByName => by_name,
        StorageVolLookupByKey => by_key, StorageVolLookupByPath => by_path, StorageVolGetInfo => info,
        StorageVolGetInfoFlags => info_flags, StorageVolGetXmlDesc => xml, StorageVolGetPath => path;
}
