//! Limits: what a guest's processes, and one of its interfaces, may use of the machine.

use crate::core::{Core, fault};
use crate::def::DomainDef;
use crate::def::shaping::{Rate, Shaping};
use crate::def::tune::{Tune, UNLIMITED_KIB};
use crate::run::plug::startable;
use crate::run::session::{Edit, Session};
use crate::state::record::Record;
use crate::state::scope::Scope;
use crate::state::table::Entry;
use driver_api::error::{Code, Error, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::ParameterSet;
use driver_api::types::notice::Notice;
use driver_api::types::param::Param;
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

/// Limits of processor time.
const SCHEDULER: &[&str] = &[
    "cpu_shares",
    "vcpu_period",
    "vcpu_quota",
    "emulator_period",
    "emulator_quota",
    "global_period",
    "global_quota",
];
/// Limits of memory.
const MEMORY: &[&str] = &["hard_limit", "soft_limit", "swap_hard_limit"];
/// Limits of the host's block devices.
const BLOCK: &[&str] = &[
    "weight",
    "device_weight",
    "device_read_iops_sec",
    "device_write_iops_sec",
    "device_read_bytes_sec",
    "device_write_bytes_sec",
];
/// The figures of one way of an interface.
const RATE: &[&str] = &["average", "peak", "burst", "floor"];

/// What libvirt's event calls a limit: its element, and its name there.
fn event_name(name: &str) -> String {
    let element = match name {
        _ if SCHEDULER.contains(&name) => "cputune",
        _ if MEMORY.contains(&name) => "memtune",
        _ => "blkiotune",
    };
    format!("{element}.{name}")
}

/// The names of a set; `None` for those that are of one device.
fn names(set: ParameterSet) -> Option<&'static [&'static str]> {
    match set {
        ParameterSet::Scheduler => Some(SCHEDULER),
        ParameterSet::Memory => Some(MEMORY),
        ParameterSet::Blkio => Some(BLOCK),
        ParameterSet::Interface | ParameterSet::BlockIo => None,
    }
}

fn no_throttle() -> Error {
    fault(
        Code::NO_SUPPORT,
        "a UML kernel's disks can not be throttled one by one: <blkiotune> limits the guest on the host's devices",
    )
}

impl Core {
    /// The limits of a set, as the kernel keeps them for what runs, or as the definition has them.
    pub(crate) fn parameters(
        &self,
        uuid: Uuid,
        set: ParameterSet,
        device: Option<&str>,
        flags: u32,
    ) -> Result<Vec<Param>> {
        let entry = self.table.entry(uuid)?;
        let record = entry.record()?;
        let scope = Scope::of(&entry, &record, flags, "limits")?;
        if scope.live && scope.config {
            let message = "the limits of what runs and of the definition are two questions: ask one";
            return Err(fault(Code::INVALID_ARG, message));
        }
        let def = match &record.next {
            Some(next) if scope.config => next,
            _ => &record.current,
        };
        let Some(names) = names(set) else {
            return match set {
                ParameterSet::Interface => rates(def, &record, device),
                _ => Err(no_throttle()),
            };
        };
        let mut params = match record.run.as_ref().filter(|_| scope.live) {
            Some(run) => self.host.limits(run.guest)?,
            None => def.tune.params(),
        };
        params.retain(|param| names.contains(&param.name.as_str()));
        if set == ParameterSet::Memory {
            // Clients count on all three.
            let known = |name: &&&str| params.iter().any(|param| param.name == **name);
            let unset: Vec<Param> = names
                .iter()
                .filter(|name| !known(name))
                .map(|name| Param::new(*name, UNLIMITED_KIB))
                .collect();
            params.extend(unset);
        }
        Ok(params)
    }

    /// Sets limits of a set.
    pub(crate) fn set_parameters(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        set: ParameterSet,
        device: Option<&str>,
        params: &[Param],
        flags: u32,
    ) -> Result<()> {
        let entry = self.table.entry(uuid)?;
        let within = |error: Error| error.within(format!("cannot set limits of domain '{}'", entry.name));
        let Some(names) = names(set) else {
            return match set {
                ParameterSet::Interface => self.set_rates(cx, &entry, device, params, flags).map_err(within),
                _ => Err(no_throttle()),
            };
        };
        if let Some(param) = params.iter().find(|param| !names.contains(&param.name.as_str())) {
            return Err(unknown(&param.name, names));
        }
        let edit = |def: &DomainDef, _: Option<&DomainDef>| tuned(def, params);
        let session = self.open_session(cx, &entry, flags, ("set limits", "limits"), &edit);
        let Some(session) = session.map_err(within)? else {
            return Ok(());
        };
        let id = self.limit_live(cx, &session, &edit, params).map_err(within)?;
        drop(session);
        let params = params.iter().map(|param| Param {
            name: event_name(&param.name),
            value: param.value.clone(),
        });
        let params = params.collect();
        self.tell(&entry, id, Notice::Tuned { params });
        Ok(())
    }

    fn limit_live(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        edit: &Edit<'_>,
        params: &[Param],
    ) -> Result<Option<i32>> {
        // What the kernel would not refuse, but would be the guest's end.
        let before = session.entry.record()?;
        tuned(&before.current, params)?;
        let guest = session.run.guest;
        let old = self.host.limits(guest)?;
        let settled = self.host.limit(cx, guest, params).and_then(|()| {
            self.settle(cx, session, edit, |record| {
                record.current = Arc::new(live_tuned(&record.current, params)?);
                Ok(())
            })
        });
        settled.inspect_err(|_| {
            let changed = |param: &&Param| params.iter().any(|set| set.name == param.name);
            let back: Vec<Param> = old.iter().filter(changed).cloned().collect();
            if let Err(error) = self.host.limit(cx, guest, &back) {
                tracing::warn!(dom = %session.entry.name, %error, "the guest is left with other limits");
            }
        })
    }

    fn set_rates(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        device: Option<&str>,
        params: &[Param],
        flags: u32,
    ) -> Result<()> {
        let record = entry.record()?;
        let edit = |def: &DomainDef, _: Option<&DomainDef>| {
            let at = interface(def, &record, device)?;
            startable(def, shaped(def, at, params)?.renumbered()?)
        };
        let session = self.open_session(cx, entry, flags, ("set limits", "limits"), &edit)?;
        let Some(session) = session else { return Ok(()) };
        let before = session.entry.record()?;
        let at = interface(&before.current, &before, device)?;
        let def = shaped(&before.current, at, params)?;
        startable(&before.current, def.clone())?;
        self.update_port(cx, &session, &edit, &before, &def, at)
    }
}

/// The definition with other limits.
fn tuned(def: &DomainDef, params: &[Param]) -> Result<DomainDef> {
    startable(def, live_tuned(def, params)?.renumbered()?)
}

fn live_tuned(def: &DomainDef, params: &[Param]) -> Result<DomainDef> {
    let mut tune = Tune::clone(&def.tune);
    params.iter().try_for_each(|param| tune.set(param))?;
    Ok(DomainDef { tune, ..def.clone() })
}

/// The interface that is meant: by its address, or by the host's device.
fn interface(def: &DomainDef, record: &Record, device: Option<&str>) -> Result<usize> {
    let device = device.unwrap_or_default();
    let mac = device.parse().ok();
    // The device of a made-up name is that of what runs: there its address is looked up.
    let port = record
        .ports
        .iter()
        .position(|port| !device.is_empty() && port.device == device);
    let running = port.and_then(|at| record.current.interfaces.get(at)).map(|of| of.mac);
    let mac = mac.or(running);
    let found = def.interfaces.iter().position(|interface| {
        mac == Some(interface.mac) || (!device.is_empty() && interface.target.as_deref() == Some(device))
    });
    found.ok_or_else(|| {
        let message = format!(
            "domain '{}' has no interface with the device or address '{}'",
            def.name,
            device.escape_debug()
        );
        fault(Code::INVALID_ARG, message)
    })
}

/// An interface's limits as values; 0 for none.
fn rates(def: &DomainDef, record: &Record, device: Option<&str>) -> Result<Vec<Param>> {
    let at = interface(def, record, device)?;
    let shaping = def.interfaces.get(at).map(|interface| interface.shaping.clone());
    let shaping = shaping.unwrap_or_default();
    let mut params = Vec::new();
    for (way, rate) in [("inbound", shaping.inbound), ("outbound", shaping.outbound)] {
        let rate = rate.unwrap_or_default();
        for (name, figure) in RATE.iter().zip([rate.average, rate.peak, rate.burst, rate.floor]) {
            // What is sent can have no floor, so there is no such value.
            if (way, *name) != ("outbound", "floor") {
                let figure = u32::try_from(figure.unwrap_or(0)).unwrap_or(u32::MAX);
                params.push(Param::new(format!("{way}.{name}"), figure));
            }
        }
    }
    Ok(params)
}

/// The definition with other limits of an interface.
fn shaped(def: &DomainDef, at: usize, params: &[Param]) -> Result<DomainDef> {
    let mut def = def.clone();
    let Some(interface) = def.interfaces.get_mut(at) else {
        return Ok(def);
    };
    interface.shaping = reshaped(&interface.shaping, params)?;
    Ok(def)
}

fn reshaped(shaping: &Shaping, params: &[Param]) -> Result<Shaping> {
    let mut shaping = shaping.clone();
    for param in params {
        let (way, name) = param.name.split_once('.').unwrap_or_default();
        let rate = match way {
            "inbound" => &mut shaping.inbound,
            "outbound" => &mut shaping.outbound,
            _ => return Err(unknown_rate(&param.name)),
        };
        let Some(figure) = param.value.as_u64() else {
            let message = format!("the value for '{}' is no number that is not negative", param.name);
            return Err(fault(Code::INVALID_ARG, message));
        };
        let figure = Some(figure).filter(|figure| *figure > 0);
        let mut changed = rate.unwrap_or_default();
        match name {
            "average" => changed.average = figure,
            "peak" => changed.peak = figure,
            "burst" => changed.burst = figure,
            "floor" if way == "inbound" => changed.floor = figure,
            _ => return Err(unknown_rate(&param.name)),
        }
        // Without an average, libvirt's way to take a limit away, nothing is left of it.
        *rate = Some(changed).filter(|rate| *rate != Rate::default());
    }
    for (way, rate) in [("inbound", &mut shaping.inbound), ("outbound", &mut shaping.outbound)] {
        let given = |name: &str| params.iter().any(|param| param.name == format!("{way}.{name}"));
        if let Some(Rate {
            average: None,
            floor: None,
            ..
        }) = rate
        {
            if !given("average") {
                let message = format!("a limit for '{way}' wants an average: set '{way}.average' too");
                return Err(fault(Code::INVALID_ARG, message));
            }
            *rate = None;
        }
    }
    Ok(shaping)
}

fn unknown(name: &str, names: &[&str]) -> Error {
    let message = format!(
        "there is no limit '{}' in this set: there are '{}'",
        name.escape_debug(),
        names.join("', '")
    );
    fault(Code::INVALID_ARG, message)
}

fn unknown_rate(name: &str) -> Error {
    let message = format!(
        "there is no limit '{}' of an interface: there are 'inbound.' and 'outbound.' with 'average', 'peak', 'burst', and \
         'inbound.floor'",
        name.escape_debug()
    );
    fault(Code::INVALID_ARG, message)
}
