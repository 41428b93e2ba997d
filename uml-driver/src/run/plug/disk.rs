//! A disk comes and goes: its files are shown to the guest, then its kernel is told.

use super::arrival::Arrival;
use crate::core::{Core, fault};
use crate::def::DomainDef;
use crate::def::change::Place;
use crate::mconsole::client::Failure;
use crate::plan::order::{Order, Unit};
use crate::plan::{DiskPlug, launch};
use crate::run::prepare::{check, check_image, is_missing, with_chain};
use crate::run::session::Session;
use crate::run::{cow, overlay};
use crate::state::record::Record;
use crate::state::remnant::Remnant;
use driver_api::error::{Code, Error, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::launch::{Plug, Unplug};
use std::path::PathBuf;

/// `ENODEV`, of a device that is not there.
pub(super) const NO_DEVICE: i32 = -19;

impl Core {
    /// Puts disk number `at` of `def` into the guest.
    pub(super) fn plug_disk(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        def: &DomainDef,
        at: usize,
    ) -> Result<Arrival> {
        let disk = def.disks.get(at).ok_or_else(nowhere)?;
        let Some(plug) = DiskPlug::of(disk)? else {
            return Ok(Arrival::default());
        };
        self.unit_is_free(session, plug.unit)?;
        self.prepare_files(session, &plug)?;
        let mut remnants: Vec<Remnant> = plug.files().map(|file| Remnant::File(file.path)).collect();
        remnants.push(Remnant::Unit(plug.unit));
        self.note_beginning(cx, session, &remnants, None)?;
        match self.show_disk(cx, session, &plug) {
            Ok(()) => Ok(Arrival {
                remnants,
                ..Arrival::default()
            }),
            Err(error) => {
                self.take_back(cx, session, remnants);
                Err(error)
            }
        }
    }

    fn show_disk(&self, cx: &mut Cx<'_, Unlocked>, session: &Session<'_>, plug: &DiskPlug) -> Result<()> {
        for file in plug.files() {
            self.host.plug(cx, session.run.guest, &Plug::File(file), None)?;
        }
        let told = session.tell(&plug.order);
        told.map_err(|failure| failure.into_error(format!("the guest does not take disk '{}'", plug.unit)))?;
        let shown = self.unit_of(session, plug.unit)?;
        if shown == plug.shown {
            return Ok(());
        }
        let message = format!(
            "the guest has '{}' as disk '{}', '{}' was wanted",
            shown.escape_debug(),
            plug.unit,
            plug.shown
        );
        Err(fault(Code::OPERATION_FAILED, message))
    }

    /// What the guest's kernel has as this disk; empty for nothing.
    fn unit_of(&self, session: &Session<'_>, unit: Unit) -> Result<String> {
        let told = session.ask(&Order::query(unit));
        told.map_err(|failure| failure.into_error(format!("the guest does not tell what its disk '{unit}' is")))
    }

    fn unit_is_free(&self, session: &Session<'_>, unit: Unit) -> Result<()> {
        let known = self.unit_of(session, unit)?;
        if known.is_empty() {
            return Ok(());
        }
        // The kernel's own default for its first disk, which it can neither fill nor remove.
        if !known.starts_with('/') {
            let message = format!(
                "a UML kernel that was booted without disk '{unit}' can not have it later: choose another target, or add it \
                 to the definition and start the domain anew"
            );
            return Err(fault(Code::CONFIG_UNSUPPORTED, message));
        }
        let message = format!("the guest has a disk '{unit}' already, '{}'", known.escape_debug());
        Err(fault(Code::OPERATION_FAILED, message))
    }

    /// Takes disk number `at` of what runs out of the guest.
    pub(super) fn unplug_disk(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        record: &Record,
        at: usize,
    ) -> Result<()> {
        let disk = record.current.disks.get(at).ok_or_else(nowhere)?;
        let Some(plug) = DiskPlug::of(disk)? else {
            return Ok(());
        };
        // A removal of what the kernel has not is its end.
        if self.unit_of(session, plug.unit)?.starts_with('/') {
            match session.tell(&Order::remove(plug.unit)) {
                Ok(_) | Err(Failure::Refused(NO_DEVICE, _)) => {}
                Err(failure) => {
                    let what = format!(
                        "the guest keeps disk '{}': unmount it there first, and end what has it open",
                        plug.unit
                    );
                    return Err(failure.into_error(what));
                }
            }
        }
        let rest = record.current.without(Place::Disk(at));
        plug.files()
            .try_for_each(|file| self.hide_file(cx, session, &rest, file.path))
    }

    /// Checks the files as a start does, and makes a copy-on-write file that is missing.
    fn prepare_files(&self, session: &Session<'_>, plug: &DiskPlug) -> Result<()> {
        let missing = plug.cow.as_ref().filter(|cow| is_missing(&cow.file));
        let there = |path: &PathBuf| missing.is_none_or(|cow| cow.file != *path);
        for file in plug.files().filter(|file| there(&file.path)) {
            check(&file, false)?;
        }
        let images = [with_chain(&plug.image)?];
        self.images_are_free(session.entry, &images, None)?;
        if let Some(cow) = plug.cow.as_ref().filter(|_| missing.is_none()) {
            overlay::check(cow)?;
        }
        for (image, below) in &images {
            check_image(image, below, missing.is_some())?;
        }
        missing.map_or(Ok(()), |cow| cow::make(&cow.file, &cow.backing))
    }

    /// Takes a file out of the guest's sight, unless `def` needs it.
    pub(super) fn hide_file(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        def: &DomainDef,
        path: PathBuf,
    ) -> Result<()> {
        if needs(def, &path) {
            return Ok(());
        }
        gone(self.host.unplug(cx, session.run.guest, &Unplug::File(path)))
    }
}

/// Whether a definition's guest opens this file.
pub(super) fn needs(def: &DomainDef, path: &PathBuf) -> bool {
    // When in doubt it does.
    launch(def).map_or(true, |plan| plan.files.iter().any(|file| file.path == *path))
}

/// What is gone already is no failure to remove it.
pub(super) fn gone(unplugged: Result<()>) -> Result<()> {
    match unplugged {
        Err(error) if error.code() == Code::DEVICE_MISSING => Ok(()),
        other => other,
    }
}

pub(super) fn nowhere() -> Error {
    fault(Code::INTERNAL, "the device is none of the domain's")
}
