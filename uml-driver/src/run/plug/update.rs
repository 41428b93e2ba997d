//! A device is changed as far as that is possible while the guest has it.

use super::disk::nowhere;
use super::startable;
use crate::core::{Core, fault};
use crate::def::DomainDef;
use crate::def::change::Place;
use crate::def::device::{Device, Given};
use crate::def::disk::{Device as Kind, Disk};
use crate::def::interface::Interface;
use crate::run::session::{Edit, Session};
use crate::state::record::Record;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

impl Core {
    /// Changes a device.
    pub(crate) fn update_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        let given = Given::from_xml(xml.as_bytes())?;
        let entry = self.table.entry(uuid)?;
        let edit = |def: &DomainDef, _: Option<&DomainDef>| {
            let changed = def.exchanged(def.place_of(&given)?, &given.device)?;
            startable(def, changed.renumbered()?)
        };
        let within = || {
            let what = given.device.element();
            format!("cannot change <{what}> of domain '{}'", entry.name)
        };
        let session = self.open_session(cx, &entry, flags, ("update a device", "devices"), &edit);
        let Some(session) = session.map_err(|error| error.within(within()))? else {
            return Ok(());
        };
        self.update_live(cx, &session, &given, &edit)
            .map_err(|error| error.within(within()))
    }

    fn update_live(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        given: &Given,
        edit: &Edit<'_>,
    ) -> Result<()> {
        let before = session.entry.record()?;
        let place = before.current.place_of(given)?;
        let old = before.current.device(place).ok_or_else(nowhere)?;
        let new = updated(&old, &given.device)?;
        let def = before.current.exchanged(place, &new)?;
        startable(&before.current, def.clone())?;
        self.until_booted(session)?;
        match (place, &old, &new) {
            (Place::Disk(at), Device::Disk(old), Device::Disk(disk)) if old.source != disk.source => {
                self.exchange_medium(cx, session, edit, &before, &def, at)
            }
            (Place::Interface(at), ..) => self.update_port(cx, session, edit, &before, &def, at),
            _ => self.settle(cx, session, edit, exchange(place, &new)).map(drop),
        }
    }

    /// Takes one medium out of a drive and puts another one in.
    fn exchange_medium(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        edit: &Edit<'_>,
        before: &Record,
        def: &DomainDef,
        at: usize,
    ) -> Result<()> {
        let place = Place::Disk(at);
        let new = def.device(place).ok_or_else(nowhere)?;
        self.unplug_disk(cx, session, before, at)?;
        let exchanged = self.plug_disk(cx, session, def, at).and_then(|arrival| {
            let settled = self.settle(cx, session, edit, exchange(place, &new));
            settled.inspect_err(|_| self.withdraw(cx, session, &arrival.remnants))
        });
        let Err(error) = exchanged else { return Ok(()) };
        session.store_nothing();
        let unchanged = |def: &DomainDef, _: Option<&DomainDef>| Ok(def.clone());
        let back = self.plug_disk(cx, session, &before.current, at);
        let back = back.and_then(|_| self.settle(cx, session, &unchanged, |_| Ok(())));
        if let Err(error) = back {
            tracing::warn!(dom = %session.entry.name, %error, "the drive is left without the medium that it had");
        }
        Err(error)
    }
}

/// Enters a changed device.
pub(super) fn exchange(place: Place, device: &Device) -> impl FnOnce(&mut Record) -> Result<()> {
    move |record| {
        record.current = Arc::new(record.current.exchanged(place, device)?);
        Ok(())
    }
}

/// The device with what can be changed of it; what can not is refused, all of it by name.
fn updated(old: &Device, given: &Device) -> Result<Device> {
    match (old, given) {
        (Device::Disk(old), Device::Disk(given)) => {
            same(&format!("disk '{}'", old.target), &disk_differences(old, given))?;
            Ok(Device::Disk(Disk {
                kind: given.kind.clone(),
                source: given.source.clone(),
                source_rest: given.source_rest.clone(),
                backing: given.backing.clone(),
                ..old.clone()
            }))
        }
        (Device::Interface(old), Device::Interface(given)) => {
            same(&format!("interface '{}'", old.mac), &interface_differences(old, given))?;
            Ok(Device::Interface(Interface {
                source: given.source.clone(),
                filter: given.filter.clone(),
                link_up: given.link_up,
                shaping: given.shaping.clone(),
                ..old.clone()
            }))
        }
        (Device::Console(line), Device::Console(given)) | (Device::Serial(line), Device::Serial(given)) => {
            let all = [
                (line.kind != given.kind, "the type"),
                (given.source.is_some() && line.source != given.source, "the source"),
                (line.log != given.log, "the <log>"),
                (given.alias.is_some() && line.alias != given.alias, "the alias"),
            ];
            same(&format!("line {}", line.port), &named(&all))?;
            Ok(old.clone())
        }
        _ => Err(nowhere()),
    }
}

/// Refuses what can not be changed.
fn same(what: &str, differences: &[&str]) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} of {what} can not be changed while the guest has it: detach it and attach it anew",
        differences.join(", ")
    );
    Err(fault(Code::OPERATION_UNSUPPORTED, message))
}

fn disk_differences(old: &Disk, given: &Disk) -> Vec<&'static str> {
    let removable = matches!(old.device, Kind::Cdrom | Kind::Floppy);
    let all = [
        (old.source != given.source && !removable, "the source"),
        (old.kind != given.kind && !removable, "the type"),
        (old.device != given.device, "the kind of device"),
        (old.backing != given.backing && !removable, "the <backingStore>"),
        (old.readonly != given.readonly, "<readonly>"),
        (old.shareable != given.shareable, "<shareable>"),
        (old.serial != given.serial, "the <serial>"),
        (
            old.rest.element("driver") != given.rest.element("driver"),
            "what <driver> says",
        ),
        (given.alias.is_some() && old.alias != given.alias, "the alias"),
    ];
    named(&all)
}

fn interface_differences(old: &Interface, given: &Interface) -> Vec<&'static str> {
    let all = [
        (old.kind != given.kind, "the type"),
        (given.target.is_some() && old.target != given.target, "the device"),
        (given.model.is_some() && old.model != given.model, "the model"),
        (old.mtu != given.mtu, "the MTU"),
        (given.alias.is_some() && old.alias != given.alias, "the alias"),
    ];
    named(&all)
}

fn named(all: &[(bool, &'static str)]) -> Vec<&'static str> {
    let differing = all.iter().filter(|(differs, _)| *differs);
    differing.map(|(_, name)| *name).collect()
}
