//! The traits that a driver's author implements, one per interface; `export_driver!` makes the tables.

use crate::error::Result;
use crate::host::Host;
use crate::lock::level::{Unlocked, Update};
use crate::lock::token::Cx;
use crate::types::domain::DomainBrief;
use crate::types::filter::{BindingBrief, FilterBrief, PortRequest};
use crate::types::guest::{ConsoleRef, GuestEvent, GuestId};
use crate::types::inspect::{PortCounters, PortView, TestOutcome, TestRequest, TraceBatch};
use crate::types::metadata::MetadataChange;
use crate::types::node::NodeInfo;
use crate::types::uuid::Uuid;
use std::path::PathBuf;
use std::time::Duration;

mod device;

pub use device::{Control, Devices, Resources, Stats};

/// Who a driver is; read before anything of it runs.
#[derive(Clone, Copy, Debug)]
pub struct DriverInfo {
    /// The driver's name: also the URI scheme of a virt driver (`uml` serves `uml:///system`).
    pub name: &'static str,
    /// The name that `virConnectGetType` gives.
    pub title: &'static str,
    /// The driver's own version.
    pub version: &'static str,
    /// The host services without which it can not work (`spawn/1`).
    pub needs: &'static [&'static str],
}

/// Where a driver may keep things; all folders exist and belong to the driver alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Definitions: survive everything.
    pub conf_dir: PathBuf,
    /// State that survives a reboot of the machine (leases, generated ids).
    pub state_dir: PathBuf,
    /// Run-time state: gone after a reboot of the machine.
    pub run_dir: PathBuf,
    /// Logs of guests.
    pub log_dir: PathBuf,
    /// Whether the host runs as the system's host (root) or as a user's own.
    pub privileged: bool,
    /// The driver's own part of `lockstep.toml`, as `key = value` pairs in text form.
    pub options: Vec<(String, String)>,
}

/// `driver.core/1`: birth and death of every driver.
///
/// Threads: every method of every trait may be called from any thread, several at once.
pub trait Driver: Send + Sync + Sized + 'static {
    /// Who this is.
    const INFO: DriverInfo;

    /// Makes the driver. Opens nothing that another process could see; called once.
    ///
    /// # Errors
    /// Quarantines the driver with this reason.
    fn open(host: Host, config: Config) -> Result<Self>;

    /// Loads definitions and finds guests again that outlived the last host. Clients are not served yet.
    ///
    /// # Errors
    /// Quarantines the driver with this reason; a single bad file must not be one.
    fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()>;

    /// Called once clients are served and every driver is up: the moment for autostart.
    ///
    /// # Errors
    /// Logged; the driver stays in service.
    fn autostart(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()>;

    /// The host stops: join threads, leave guests running. Later calls fail cleanly.
    ///
    /// # Errors
    /// Logged.
    fn close(&self, within: Duration) -> Result<()>;
}

/// `virt.lifecycle/1`: domains.
///
/// Methods without a token read published snapshots: they take no lock and wait for nothing. Methods with a token may
/// take locks through it. Unknown flag bits are refused with code 8.
pub trait VirtDriver: Driver {
    /// The `<guest>` elements of the capabilities document, as XML text.
    ///
    /// # Errors
    /// Any; shown to the client.
    fn capabilities(&self) -> Result<String>;

    /// The version of what runs the guests: major * 1,000,000 + minor * 1,000 + micro.
    ///
    /// # Errors
    /// 1 when it can not be told.
    fn version(&self) -> Result<u64>;

    /// Facts about the machine.
    ///
    /// # Errors
    /// 38 when the kernel does not tell them.
    fn node_info(&self) -> Result<NodeInfo>;

    /// Every domain.
    fn list(&self) -> Vec<DomainBrief>;

    /// One domain by UUID, or `None`.
    fn by_uuid(&self, uuid: Uuid) -> Option<DomainBrief>;

    /// One domain by name, or `None`.
    fn by_name(&self, name: &str) -> Option<DomainBrief>;

    /// One active domain by id, or `None`.
    fn by_id(&self, id: i32) -> Option<DomainBrief>;

    /// Processor time used by all of the guest's processes, in nanoseconds; 0 when it does not run.
    ///
    /// # Errors
    /// 42 when there is no such domain.
    fn cpu_time(&self, uuid: Uuid) -> Result<u64>;

    /// The definition as XML (`flags::XML_*`).
    ///
    /// # Errors
    /// 42 when there is no such domain, 8 for unknown flags.
    fn dump_xml(&self, uuid: Uuid, flags: u32) -> Result<String>;

    /// Defines a persistent domain or replaces its definition (`flags::DEFINE_*`).
    ///
    /// # Errors
    /// 27 and its kin for a bad document, 9 for a name or UUID that is taken.
    fn define(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<DomainBrief>;

    /// Makes and starts a transient domain (`flags::START_*`).
    ///
    /// # Errors
    /// As `define` and `start`.
    fn create(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<DomainBrief>;

    /// Removes the persistent definition (`flags::UNDEFINE_*`).
    ///
    /// # Errors
    /// 42, 55 for a transient domain, 8.
    fn undefine(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()>;

    /// Starts a defined domain; returns when the guest answers (`flags::START_*`).
    ///
    /// # Errors
    /// 42, 55 when it runs or is being started already, and whatever kept it from booting with its last words.
    fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<DomainBrief>;

    /// Asks the guest to shut down (`flags::SHUTDOWN_*`); does not wait for it.
    ///
    /// # Errors
    /// 42, 55 when it does not run, 8.
    fn shutdown(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()>;

    /// Asks the guest to reboot (`flags::SHUTDOWN_*`); it keeps its id.
    ///
    /// # Errors
    /// As `shutdown`.
    fn reboot(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()>;

    /// Ends the guest (`flags::DESTROY_*`); nothing of it is left when this returns. Cancels a start that is under way.
    ///
    /// # Errors
    /// 42, 55 when it does not run, 8.
    fn destroy(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()>;

    /// Stops the guest's processors.
    ///
    /// # Errors
    /// 42, 55 when it does not run.
    fn suspend(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()>;

    /// Lets the guest's processors go on.
    ///
    /// # Errors
    /// 42, 55 when it is not paused.
    fn resume(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()>;

    /// Sets whether the host starts the domain when it starts itself.
    ///
    /// # Errors
    /// 42, 55 for a transient domain, 38 when it can not be stored.
    fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()>;

    /// Something happened to a guest process that this driver ordered. Events of one guest come one at a time, in order.
    fn guest_event(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, event: GuestEvent);

    /// A filter changes: every port bound to a filter in `filters` is about to be rebuilt. The caller holds Update
    /// exclusively; answers the devices of the driver's active domains that use one of them.
    ///
    /// # Errors
    /// Any; the filter's definition fails and nothing is changed.
    fn filtered_ports(&self, cx: &mut Cx<'_, Update>, filters: &[String]) -> Result<Vec<PortRequest>>;
}

/// `virt.console/1`: consoles of running domains.
pub trait Console: VirtDriver {
    /// The console that a client means: by alias, or the first one for `None` (`flags::CONSOLE_*` are the host's to obey).
    ///
    /// # Errors
    /// 42, 55 when it does not run, 8 when there is no such console.
    fn console(&self, uuid: Uuid, alias: Option<&str>) -> Result<ConsoleRef>;
}

/// `virt.metadata/1`: what people and other programs note about a domain.
pub trait Metadata: VirtDriver {
    /// Changes one of a domain's notes where `flags` say (`flags::AFFECT_*`): in what runs, in the definition, or both; 0
    /// means what runs if it runs, else the definition. A notice tells of it (`Notice::MetadataChanged`).
    ///
    /// # Errors
    /// 42, 8 for a note that can not be made, 55 for `AFFECT_LIVE` when it does not run and for `AFFECT_CONFIG` when it has
    /// no definition, 38 when the change can not be stored.
    fn set_metadata(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        change: &MetadataChange<'_>,
        flags: u32,
    ) -> Result<()>;
}

/// `nwfilter.define/1`: filter definitions.
///
/// Filters may refer to one another in any order; a ring of references is refused with code 9. Unknown flag bits are
/// refused with code 8, here and in `nwfilter.binding/1`.
pub trait FilterDriver: Driver {
    /// Every filter.
    fn filters(&self) -> Vec<FilterBrief>;

    /// The definition as XML.
    ///
    /// # Errors
    /// 62 when there is no such filter.
    fn filter_xml(&self, uuid: Uuid, flags: u32) -> Result<String>;

    /// Defines a filter or replaces its definition, and rebuilds every port that uses it, all or nothing.
    ///
    /// # Errors
    /// 27 and its kin for a bad document, 9 for a name or UUID that is taken, 63 when the kernel refuses the rules.
    fn define_filter(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<FilterBrief>;

    /// Removes a filter.
    ///
    /// # Errors
    /// 62, 55 when a binding uses it, itself or through other filters; filters without a binding may go on naming it.
    fn undefine_filter(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()>;
}

/// `nwfilter.binding/1`: filters on ports.
pub trait BindingDriver: FilterDriver {
    /// Every binding.
    fn bindings(&self) -> Vec<BindingBrief>;

    /// The binding as XML.
    ///
    /// # Errors
    /// 101 when the port has none.
    fn binding_xml(&self, port: &str, flags: u32) -> Result<String>;

    /// Binds a filter to a port that no domain of ours owns.
    ///
    /// # Errors
    /// 1, 27 and their kin for a bad document or a variable without a value, 9 for a port that is bound, 62 for an unknown
    /// filter (or 1 where another one refers to it), 63 when the kernel refuses; nothing is left of it then.
    fn create_binding(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<BindingBrief>;

    /// Removes a binding made by `create_binding`.
    ///
    /// # Errors
    /// 101, 55 when a domain owns it.
    fn delete_binding(&self, cx: &mut Cx<'_, Unlocked>, port: &str) -> Result<()>;

    /// Filters a guest's port; the caller holds Update, so no definition changes meanwhile. A request that is in force
    /// already changes nothing, so that a guest's restart keeps what was learned.
    ///
    /// # Errors
    /// As `create_binding`; the port must then not be attached to anything.
    fn attach_port(&self, cx: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()>;

    /// Ends the filtering of a guest's port that is gone or about to go.
    ///
    /// # Errors
    /// 101 when the port has no binding.
    fn detach_port(&self, cx: &mut Cx<'_, Update>, port: &str) -> Result<()>;
}

/// `nwfilter.inspect/1`: what is in force, and why.
///
/// Nothing here but `reload` takes a lock: looking waits for nobody and holds up nobody.
pub trait Inspect: BindingDriver {
    /// How filters are kept in force on this machine: names of facts with their values, in the order to show them in.
    ///
    /// # Errors
    /// 38 when the kernel does not tell.
    fn facts(&self) -> Result<Vec<(String, String)>>;

    /// A port with its binding, its filters and the rules that are in force on it.
    ///
    /// # Errors
    /// 101 when the port has no binding.
    fn show_port(&self, port: &str) -> Result<PortView>;

    /// How often the rules of a port matched.
    ///
    /// # Errors
    /// 101 when the port has no binding, 38 when the kernel does not tell.
    fn counters(&self, port: &str) -> Result<PortCounters>;

    /// What a filter does with packets, reckoned without the kernel: one outcome per packet, in their order.
    ///
    /// # Errors
    /// 62 for an unknown filter, 8 for packets that can not be read, 1 for variables without a value and for values that
    /// the filter can not take.
    fn test(&self, request: &TestRequest) -> Result<Vec<TestOutcome>>;

    /// Has the kernel tell what happens to a port's packets, and answers a number that nobody can guess, by which the
    /// trace is known. A trace that is not asked for 5 s ends by itself, and so does one whose port goes.
    ///
    /// # Errors
    /// 101 when the port has no binding, 55 when too many traces run, 38 when the kernel does not trace.
    fn start_trace(&self, port: &str) -> Result<u64>;

    /// What the kernel told since the last time; waits for nothing.
    ///
    /// # Errors
    /// 55 when there is no such trace, or not any more.
    fn next_trace(&self, trace: u64) -> Result<TraceBatch>;

    /// Ends a trace; one that has ended already is no error.
    ///
    /// # Errors
    /// 38 when the kernel goes on tracing.
    fn stop_trace(&self, trace: u64) -> Result<()>;

    /// Reads all definitions and bindings anew and brings the kernel to what they say, without an open moment.
    ///
    /// # Errors
    /// 63 when the kernel refuses; everything is then as it was.
    fn reload(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()>;
}
