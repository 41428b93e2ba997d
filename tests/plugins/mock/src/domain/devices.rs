//! `virt.devices/1`: devices that come and go.

use super::change::{Changed, Side};
use super::def::{Def, alias, mac, target, wrong_device};
use super::edit::{dress, free_alias};
use super::model::{Domain, Scope};
use super::ports;
use crate::core::{Mock, seize};
use crate::fault::{Part, fault, known_flags, senseless};
use driver_api::driver::Devices;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::flags::DEVICE_FORCE;
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::filter::PortRequest;
use driver_api::types::notice::Notice;
use driver_api::types::uuid::Uuid;

/// A guest in memory never holds on to a device, so `DEVICE_FORCE` changes nothing.
const FLAGS: u32 = AFFECT_LIVE | AFFECT_CONFIG | DEVICE_FORCE;
/// What can be plugged into a running guest.
const PLUGGABLE: [&str; 2] = ["disk", "interface"];

/// Which device is meant.
enum Wanted {
    Like(Element),
    Alias(String),
}

impl Wanted {
    /// By alias; else a disk by its target, an interface by its address, anything else by being the same.
    fn fits(&self, device: &Element) -> bool {
        match self {
            Self::Alias(name) => alias(device) == Some(name),
            Self::Like(like) if like.name != device.name => false,
            Self::Like(like) => match (alias(like), mac(like), target(like)) {
                (Some(name), ..) => alias(device) == Some(name),
                (_, Some(address), _) => mac(device).is_some_and(|own| own.eq_ignore_ascii_case(address)),
                (.., Some(name)) => target(device) == Some(name),
                _ => device == like,
            },
        }
    }

    fn find(&self, def: &Def) -> Result<Element> {
        def.devices().find(|device| self.fits(device)).cloned().ok_or_else(|| {
            let what = match self {
                Self::Like(like) => format!("<{}>", like.name),
                Self::Alias(name) => format!("device with the alias '{name}'"),
            };
            let message = format!(
                "domain '{}' has no such {what}: 'dumpxml' shows those that there are",
                def.name
            );
            fault(Part::Domain, Code::DEVICE_MISSING, message)
        })
    }
}

fn read(xml: &str) -> Result<Element> {
    let element = parse(xml.as_bytes(), Origin::XML, &Limits::default())?;
    if matches!(element.name.as_str(), "domain" | "devices") {
        let message = format!("one device element is wanted, this is a <{}>", element.name);
        return Err(wrong_device(&element, &message));
    }
    Ok(element)
}

fn taken(def: &Def, device: &Element) -> Option<Error> {
    let called: Vec<&str> = target(device).into_iter().chain(alias(device)).collect();
    let same = |other: &Element| {
        let same_address = mac(device).is_some_and(|own| mac(other).is_some_and(|mac| mac.eq_ignore_ascii_case(own)));
        same_address
            || called
                .iter()
                .any(|name| target(other) == Some(name) || alias(other) == Some(name))
    };
    let other = def.devices().find(|other| same(other))?;
    let name = target(other).or(alias(other)).or(mac(other)).unwrap_or_default();
    let message = format!("domain '{}' has a device that is called '{name}' already", def.name);
    Some(fault(Part::Domain, Code::OPERATION_FAILED, message))
}

fn pluggable(device: &Element) -> Result<()> {
    if PLUGGABLE.contains(&device.name.as_str()) {
        return Ok(());
    }
    let message = format!(
        "<{}> can not be changed while a domain runs, only <disk> and <interface> can",
        device.name
    );
    Err(fault(Part::Domain, Code::CONFIG_UNSUPPORTED, message))
}

impl Devices for Mock {
    fn attach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        known_flags(Part::Domain, "attach-device", flags, FLAGS)?;
        self.in_service(Part::Domain)?;
        let device = read(xml)?;
        let (job, live, flags) = {
            let mut held = seize(cx, uuid)?;
            let domain = self.domains.get(uuid)?;
            let scope = Scope::of(&domain, flags)?;
            let live = self.arriving(&domain, scope, &device)?;
            (held.begin_job("attach a device")?, live, scope_flags(scope))
        };
        let port = live.as_ref().and_then(|live| {
            let def = self.shown(uuid)?;
            ports::request(&def, live)
        });
        let mut update = cx.update_read()?;
        if let Some(port) = &port {
            self.host.attach_port(&mut update, port)?;
        }
        let changed = self.change(&mut update, uuid, flags, |def, side| {
            let device = match (side, &live) {
                (Side::Live, Some(live)) => live,
                _ => &device,
            };
            match taken(def, device) {
                Some(error) => Err(error),
                None => def
                    .with_devices(|devices| devices.push(device.clone()))?
                    .with_addresses(),
            }
        });
        if changed.is_err()
            && let Some(PortRequest { port, .. }) = &port
        {
            self.detach(&mut update, port);
        }
        let changed = changed?;
        drop((update, job));
        if let Some(name) = live.as_ref().and_then(alias) {
            self.notify(&changed.after, Notice::DeviceAdded { alias: name.to_owned() });
        }
        Ok(())
    }

    fn detach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        known_flags(Part::Domain, "detach-device", flags, FLAGS)?;
        self.take_out(cx, uuid, &Wanted::Like(read(xml)?), flags)
    }

    fn detach_alias(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, alias: &str, flags: u32) -> Result<()> {
        known_flags(Part::Domain, "detach-device-alias", flags, FLAGS)?;
        self.take_out(cx, uuid, &Wanted::Alias(alias.to_owned()), flags)
    }

    fn update_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        known_flags(Part::Domain, "update-device", flags, FLAGS)?;
        let device = read(xml)?;
        let wanted = Wanted::Like(device.clone());
        self.change(cx, uuid, flags, |def, side| {
            let old = wanted.find(def)?;
            if side == Side::Live {
                pluggable(&device)?;
                unchanged(&old, &device, "filterref")?;
            }
            let mut new = device.clone();
            keep(&old, &mut new);
            def.with_devices(|devices| {
                devices
                    .iter_mut()
                    .filter(|device| **device == old)
                    .for_each(|device| device.clone_from(&new))
            })
        })?;
        Ok(())
    }
}

/// A port's filter changes by taking the interface out and putting it in again: in between it could be open.
fn unchanged(old: &Element, new: &Element, name: &str) -> Result<()> {
    if old.child(name) == new.child(name) {
        return Ok(());
    }
    let message = format!("<{name}> can not be changed while the domain runs: detach the device and attach it anew");
    Err(fault(Part::Domain, Code::OPERATION_UNSUPPORTED, message))
}

/// What a device is known by stays when it is changed.
fn keep(old: &Element, new: &mut Element) {
    for name in ["mac", "target", "alias"] {
        if let (Some(kept), None) = (old.child(name), new.child(name)) {
            *new = std::mem::take(new).with_child(kept.clone());
        }
    }
}

fn scope_flags(scope: Scope) -> u32 {
    (if scope.live { AFFECT_LIVE } else { 0 }) | (if scope.config { AFFECT_CONFIG } else { 0 })
}

impl Mock {
    fn shown(&self, uuid: Uuid) -> Option<std::sync::Arc<Def>> {
        self.domains.find(uuid).map(|domain| std::sync::Arc::clone(&domain.def))
    }

    /// The device as it will be in the running guest; none if it is only defined.
    fn arriving(&self, domain: &Domain, scope: Scope, device: &Element) -> Result<Option<Element>> {
        if scope.config
            && let Some(error) = taken(&**domain.persistent()?, device)
        {
            return Err(error);
        }
        if !scope.live {
            return Ok(None);
        }
        pluggable(device)?;
        if let Some(error) = taken(&domain.def, device) {
            return Err(error);
        }
        let whole = domain
            .def
            .with_devices(|devices| devices.push(device.clone()))?
            .with_addresses()?;
        let mut devices: Vec<Element> = whole.devices().cloned().collect();
        let Some(mut live) = devices.pop() else {
            return Err(senseless(Part::Domain, "there is no device to attach"));
        };
        dress(&mut live, free_alias(&devices, &device.name), &mut || self.new_port());
        Ok(Some(live))
    }

    fn take_out(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, wanted: &Wanted, flags: u32) -> Result<()> {
        self.in_service(Part::Domain)?;
        self.domains.get(uuid)?;
        let mut gone = None;
        // Taken first, so that nothing has changed if it can not be had.
        let mut update = cx.update_read()?;
        let changed = self.change(&mut update, uuid, flags, |def, side| {
            let device = wanted.find(def)?;
            if side == Side::Live {
                pluggable(&device)?;
                gone = Some(device.clone());
            }
            def.with_devices(|devices| devices.retain(|other| *other != device))
        })?;
        let Changed { before, after, scope } = changed;
        let Some(device) = gone.filter(|_| scope.live) else {
            return Ok(());
        };
        if let Some(port) = ports::request(&before.def, &device) {
            self.detach(&mut update, &port.port);
        }
        drop(update);
        let alias = alias(&device).unwrap_or_default().to_owned();
        self.notify(&after, Notice::DeviceRemoved { alias });
        Ok(())
    }
}
