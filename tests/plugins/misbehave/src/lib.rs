//! `misbehave`: a driver that panics, fails or cheats as its option `fault` says; the host must bear all of it. With
//! "one domain" it is harmless: it has one, and offers nothing that it need not.

mod cheat;
mod outlaw;

use abi_stable::std_types::{RResult, RSlice};
use driver_api::abi::manifest::{KIND_VIRT, Manifest};
use driver_api::abi::root::{HostRef, Obj, Root};
use driver_api::abi::value::{Fault, Pair};
use driver_api::driver::{Config, Driver, DriverInfo, VirtDriver};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::host::Host;
use driver_api::kit::{export, serve};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, Reason, State};
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{GuestEvent, GuestId};
use driver_api::types::node::NodeInfo;
use driver_api::types::uuid::Uuid;
use std::time::Duration;

/// The driver and what it does wrong.
#[derive(Debug)]
pub struct Misbehave {
    fault: String,
}

// By hand and not by `export_driver!`, so that the cheats see the host's raw tables.
extern "C" fn query(id: export::Id<'_>) -> export::Found {
    export::find(
        id,
        &[
            export::offer(serve::core::table::<Misbehave>()),
            export::offer(serve::virt::table::<Misbehave>()),
        ],
    )
}

extern "C" fn create(host: HostRef, config: RSlice<'_, Pair>) -> RResult<Obj, Fault> {
    cheat::remember(host);
    serve::instance::create::<Misbehave>(host, config)
}

static ROOT: Root = Root { query, create };

/// What the host reads first.
#[unsafe(no_mangle)]
pub static LOCKSTEP_DRIVER: Manifest = Manifest::new(&Misbehave::INFO, "MIT OR Apache-2.0", KIND_VIRT, &[], &ROOT);

impl Misbehave {
    fn act<T>(&self, method: &str) -> Result<T> {
        if self.fault == "panic" {
            stumble(method);
        }
        Err(failure(method))
    }

    fn domain(&self) -> Option<DomainBrief> {
        (self.fault == "one domain").then(|| DomainBrief {
            uuid: Uuid::from_bytes([7; 16]),
            name: "only".to_owned(),
            id: Some(1),
            state: State::Running,
            reason: Reason::RUNNING_BOOTED,
            persistent: true,
            autostart: false,
            updated: false,
            max_memory_kib: 2048,
            memory_kib: 1024,
            vcpus: 1,
            os_type: "hvm".to_owned(),
        })
    }
}

fn failure(method: &str) -> Error {
    Error::new(
        Code::OPERATION_FAILED,
        Origin::NONE,
        format!("{method} fails on purpose"),
    )
}

#[allow(clippy::panic, reason = "it is what this driver is for")]
fn stumble(method: &str) {
    panic!("{method} stumbles");
}

impl Driver for Misbehave {
    const INFO: DriverInfo = DriverInfo {
        name: "misbehave",
        title: "Misbehave",
        version: env!("CARGO_PKG_VERSION"),
        needs: &[],
    };

    fn open(_host: Host, config: Config) -> Result<Self> {
        let fault = config.options.into_iter().find(|(name, _)| name == "fault");
        let fault = fault.map(|(_, value)| value).unwrap_or_default();
        match fault.as_str() {
            "open panics" => stumble("open"),
            "open fails" => return Err(failure("open")),
            _ => {}
        }
        Ok(Self { fault })
    }

    fn bring_up(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        match self.fault.as_str() {
            "bring_up panics" => stumble("bring_up"),
            "bring_up fails in colour" => {
                return Err(Error::new(Code::OPERATION_FAILED, Origin::NONE, outlaw::COLOUR));
            }
            "bring_up fails" => return Err(failure("bring_up")),
            fault => outlaw::play(fault),
        }
        Ok(())
    }

    fn autostart(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        self.act("autostart")
    }

    fn close(&self, _within: Duration) -> Result<()> {
        self.act("close")
    }
}

impl VirtDriver for Misbehave {
    fn capabilities(&self) -> Result<String> {
        self.act("capabilities")
    }

    fn version(&self) -> Result<u64> {
        self.act("version")
    }

    fn node_info(&self) -> Result<NodeInfo> {
        self.act("node_info")
    }

    fn list(&self) -> Vec<DomainBrief> {
        match self.domain() {
            Some(domain) => vec![domain],
            None => self.act("list").unwrap_or_default(),
        }
    }

    fn by_uuid(&self, _uuid: Uuid) -> Option<DomainBrief> {
        self.domain().or_else(|| self.act("by_uuid").unwrap_or_default())
    }

    fn by_name(&self, _name: &str) -> Option<DomainBrief> {
        self.act("by_name").unwrap_or_default()
    }

    fn by_id(&self, _id: i32) -> Option<DomainBrief> {
        self.act("by_id").unwrap_or_default()
    }

    fn cpu_time(&self, _uuid: Uuid) -> Result<u64> {
        match self.domain() {
            Some(_) => Ok(7),
            None => self.act("cpu_time"),
        }
    }

    fn dump_xml(&self, _uuid: Uuid, _flags: u32) -> Result<String> {
        self.act("dump_xml")
    }

    fn define(&self, _cx: &mut Cx<'_, Unlocked>, _xml: &str, _flags: u32) -> Result<DomainBrief> {
        let span = tracing::info_span!("inner", depth = 1);
        span.in_scope(|| tracing::info!(answer = 42, "deep inside"));
        self.act("define")
    }

    /// A document that holds the word "sleep" keeps the call for a minute; one that holds "hold" keeps every lock there
    /// is exclusively meanwhile.
    fn create(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, _flags: u32) -> Result<DomainBrief> {
        const LONG: Duration = Duration::from_secs(60);
        if xml.contains("hold") {
            let mut filters = cx.filters()?;
            let mut update = filters.update_write()?;
            let _virt = update.virt_write()?;
            std::thread::sleep(LONG);
        } else if xml.contains("sleep") {
            std::thread::sleep(LONG);
        }
        self.act("create")
    }

    fn undefine(&self, _cx: &mut Cx<'_, Unlocked>, _uuid: Uuid, _flags: u32) -> Result<()> {
        self.act("undefine")
    }

    fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, _flags: u32) -> Result<DomainBrief> {
        if let Some(outcome) = cheat::play(&self.fault, cx, uuid) {
            outcome?;
        }
        self.act("start")
    }

    fn shutdown(&self, _cx: &mut Cx<'_, Unlocked>, _uuid: Uuid, _flags: u32) -> Result<()> {
        self.act("shutdown")
    }

    fn reboot(&self, _cx: &mut Cx<'_, Unlocked>, _uuid: Uuid, _flags: u32) -> Result<()> {
        self.act("reboot")
    }

    fn destroy(&self, _cx: &mut Cx<'_, Unlocked>, _uuid: Uuid, _flags: u32) -> Result<()> {
        self.act("destroy")
    }

    fn suspend(&self, _cx: &mut Cx<'_, Unlocked>, _uuid: Uuid) -> Result<()> {
        self.act("suspend")
    }

    fn resume(&self, _cx: &mut Cx<'_, Unlocked>, _uuid: Uuid) -> Result<()> {
        self.act("resume")
    }

    fn set_autostart(&self, _cx: &mut Cx<'_, Unlocked>, _uuid: Uuid, _on: bool) -> Result<()> {
        self.act("set_autostart")
    }

    fn guest_event(&self, _cx: &mut Cx<'_, Unlocked>, _guest: GuestId, _event: GuestEvent) {
        // The answer is nothing either way; only a panic gets out of here.
        let _: Result<()> = self.act("guest_event");
    }

    fn filtered_ports(&self, _cx: &mut Cx<'_, Update>, _filters: &[String]) -> Result<Vec<PortRequest>> {
        // It lies beside the drivers of a build, whose filters could not be defined if it failed without being told to.
        if self.fault.is_empty() {
            return Ok(Vec::new());
        }
        self.act("filtered_ports")
    }
}
