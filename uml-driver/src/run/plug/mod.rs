//! Devices that come and go: in what runs, in the definition, or in both or neither.
//!
//! What a device needs is planned from the definition that it would be part of; then it is noted what an unfinished change
//! would leave; then the host makes what is needed and the guest's kernel is told; then all is published. A failure on the
//! way undoes what was done, and so does the next host if this one dies.

mod arrival;
mod console;
mod disk;
mod interface;
mod port;
mod remnant;
mod update;

use crate::core::{Core, fault};
use crate::def::DomainDef;
use crate::def::change::Place;
use crate::def::device::{Device, Given};
use crate::plan::launch;
use crate::run::session::{Edit, Session};
use crate::state::record::Record;
use crate::state::table::Entry;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::notice::{DomainNotice, Notice};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

/// A device by whatever a client names it.
enum Wanted<'a> {
    Element(&'a Given),
    Alias(&'a str),
}

impl Wanted<'_> {
    /// Its place in what runs.
    fn place(&self, def: &DomainDef) -> Result<Place> {
        match self {
            Self::Element(given) => def.place_of(given),
            Self::Alias(alias) => def.place_of_alias(alias),
        }
    }

    /// The definition without it. An alias is one of what runs, if anything does: there it tells which device is meant.
    fn taken_out(&self, def: &DomainDef, running: Option<&DomainDef>) -> Result<DomainDef> {
        let place = match (self, running) {
            (Self::Element(given), _) => {
                if let Device::Other(element) = &given.device {
                    return def.without_element(element);
                }
                def.place_of(given)?
            }
            (Self::Alias(alias), Some(running)) if !alias.starts_with("ua-") => {
                let device = running.place_of_alias(alias).ok().and_then(|at| running.device(at));
                match device {
                    Some(device) => def.place_of(&Given {
                        device,
                        alias: None,
                        exact: true,
                    })?,
                    None => def.place_of_alias(alias)?,
                }
            }
            (Self::Alias(alias), _) => def.place_of_alias(alias)?,
        };
        def.without(place).renumbered()
    }
}

impl Core {
    /// Puts a device in.
    pub(crate) fn attach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        let given = Given::from_xml(xml.as_bytes())?;
        let entry = self.table.entry(uuid)?;
        let edit = |def: &DomainDef, _: Option<&DomainDef>| {
            let changed = match &given.device {
                Device::Other(element) => def.with_element(element)?,
                _ => def.with(&given, &[])?.0.renumbered()?,
            };
            startable(def, changed)
        };
        let within = |what: &str| format!("cannot attach {what} to domain '{}'", entry.name);
        let what = format!("<{}>", given.device.element());
        let session = self.open_session(cx, &entry, flags, ("attach a device", "devices"), &edit);
        let Some(session) = session.map_err(|error| error.within(within(&what)))? else {
            return Ok(());
        };
        let attached = self.attach_live(cx, &session, &given, &edit);
        let (alias, id) = attached.map_err(|error| error.within(within(&what)))?;
        drop(session);
        tracing::info!(dom = %entry.name, %alias, "a device was plugged in");
        self.tell(&entry, id, Notice::DeviceAdded { alias });
        Ok(())
    }

    fn attach_live(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        given: &Given,
        edit: &Edit<'_>,
    ) -> Result<(String, Option<i32>)> {
        let before = session.entry.record()?;
        let taken = session.kept_ports(&before);
        let (def, place) = before.current.with(given, &taken)?;
        launch(&def)?;
        self.until_booted(session)?;
        let arrival = match place {
            Place::Disk(at) => self.plug_disk(cx, session, &def, at),
            Place::Interface(at) => self.plug_interface(cx, session, &def, at),
            Place::Console(_) | Place::Serial(_) => self.plug_line(cx, session, &def, place),
        }?;
        let settled = self.settle(cx, session, edit, |record| {
            record.current = Arc::new(record.current.with(given, &taken)?.0);
            arrival.note(record);
            Ok(())
        });
        match settled {
            Ok(id) => Ok((def.alias(place), id)),
            Err(error) => {
                self.withdraw(cx, session, &arrival.remnants);
                Err(error)
            }
        }
    }

    /// Takes a device out.
    pub(crate) fn detach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        let given = Given::from_xml(xml.as_bytes())?;
        self.detach(cx, uuid, &Wanted::Element(&given), flags)
    }

    /// Takes the device with an alias out.
    pub(crate) fn detach_alias(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, alias: &str, flags: u32) -> Result<()> {
        self.detach(cx, uuid, &Wanted::Alias(alias), flags)
    }

    fn detach(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, wanted: &Wanted<'_>, flags: u32) -> Result<()> {
        let entry = self.table.entry(uuid)?;
        let edit = |def: &DomainDef, running: Option<&DomainDef>| wanted.taken_out(def, running);
        let within = || format!("cannot detach a device from domain '{}'", entry.name);
        let session = self.open_session(cx, &entry, flags, ("detach a device", "devices"), &edit);
        let Some(session) = session.map_err(|error| error.within(within()))? else {
            return Ok(());
        };
        let detached = self.detach_live(cx, &session, wanted, &edit);
        let (alias, id) = detached.map_err(|error| error.within(within()))?;
        drop(session);
        tracing::info!(dom = %entry.name, %alias, "a device was taken out");
        self.tell(&entry, id, Notice::DeviceRemoved { alias });
        Ok(())
    }

    fn detach_live(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        wanted: &Wanted<'_>,
        edit: &Edit<'_>,
    ) -> Result<(String, Option<i32>)> {
        let record = session.entry.record()?;
        let place = wanted.place(&record.current)?;
        self.until_booted(session)?;
        let alias = record.current.alias(place);
        let gone = match place {
            Place::Disk(at) => self.unplug_disk(cx, session, &record, at),
            Place::Interface(at) => self.unplug_interface(cx, session, &record, at),
            Place::Console(_) | Place::Serial(_) => self.unplug_line(cx, session, &record, place),
        };
        if let Err(error) = gone {
            if session.was_refused() {
                self.tell(session.entry, record.shown_id(), Notice::DeviceRemovalFailed { alias });
            }
            return Err(error);
        }
        let id = self.settle_gone(cx, session, edit, &record, place)?;
        Ok((alias, id))
    }

    /// Tells what happened to a domain's devices or memory.
    pub(crate) fn tell(&self, entry: &Entry, id: Option<i32>, notice: Notice) {
        self.host.notify(DomainNotice {
            uuid: entry.uuid,
            name: entry.name.clone(),
            id,
            notice,
        });
    }
}

/// The changed definition, unless the change is what keeps it from being started.
pub(super) fn startable(before: &DomainDef, after: DomainDef) -> Result<DomainDef> {
    let reasons = after.refused_beyond(before);
    if !reasons.is_empty() {
        return Err(fault(
            Code::CONFIG_UNSUPPORTED,
            format!("that cannot be done: {}", reasons.join(", ")),
        ));
    }
    if launch(before).is_ok() {
        launch(&after)?;
    }
    Ok(after)
}

/// A record without the device at a place.
fn without(record: &mut Record, place: Place) {
    let alias = record.current.alias(place);
    record.current = Arc::new(record.current.without(place));
    match place {
        Place::Disk(_) => {}
        Place::Interface(at) => {
            let mut ports = record.ports.to_vec();
            if at < ports.len() {
                ports.remove(at);
            }
            record.ports = ports.into();
            let devices = record.devices();
            if let Some(run) = &mut record.run {
                run.live.devices = devices;
            }
        }
        Place::Console(_) | Place::Serial(_) => {
            if let Some(run) = &mut record.run {
                run.forget_line(&alias);
            }
        }
    }
}
