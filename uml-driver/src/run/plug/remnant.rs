//! What a change that came to nothing has left is cleared away, by this host or the next.

use super::console::NOT_THERE;
use super::disk::{NO_DEVICE, gone, needs};
use crate::core::{Core, seize};
use crate::mconsole::client::Failure;
use crate::plan::order::{Order, Unit};
use crate::run::session::Session;
use crate::state::record::{Record, Run};
use crate::state::remnant::Remnant;
use crate::state::table::Entry;
use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::launch::Unplug;
use std::sync::Arc;

impl Core {
    /// Clears away what the last host left of a change that it did not finish.
    pub(crate) fn clear_remnants(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        run: &Run,
        remnants: &[Remnant],
    ) {
        if remnants.is_empty() {
            return;
        }
        tracing::warn!(dom = %entry.name, "a change of the guest's devices was not finished: it is undone");
        self.withdraw(cx, &Session::of_nobody(entry, run.clone()), remnants);
    }

    /// Undoes what was done for a device that could not be put in; the last of it is the kernel's unit.
    pub(super) fn take_back(&self, cx: &mut Cx<'_, Unlocked>, session: &Session<'_>, mut remnants: Vec<Remnant>) {
        if session.was_refused() {
            // The unit is none of ours then.
            remnants.pop();
        }
        self.withdraw(cx, session, &remnants);
    }

    /// Undoes a change, last step first. What can not be undone is logged and left.
    pub(super) fn withdraw(&self, cx: &mut Cx<'_, Unlocked>, session: &Session<'_>, remnants: &[Remnant]) {
        let dom = &session.entry.name;
        let runs = |entry: &Entry| entry.load().is_some_and(|record| record.runs_on(session.run.guest));
        for remnant in remnants.iter().rev() {
            // What was the guest's alone is gone with it.
            if !remnant.outlives_guest() && !runs(session.entry) {
                continue;
            }
            if let Err(error) = self.withdraw_one(cx, session, remnant) {
                tracing::warn!(%dom, %remnant, %error, "a change of devices left something behind");
            }
        }
        let noted = seize(cx, session.entry.uuid).and_then(|mut domain| match session.entry.load() {
            Some(record) if record.runs_on(session.run.guest) => {
                let mut record = Record::clone(&record);
                record.remnants = Arc::default();
                record.arriving = None;
                self.publish(session.entry, &mut domain, record)
            }
            _ => Ok(()),
        });
        if let Err(error) = noted {
            tracing::warn!(%dom, %error, "that a change of devices was undone could not be noted");
        }
    }

    fn withdraw_one(&self, cx: &mut Cx<'_, Unlocked>, session: &Session<'_>, remnant: &Remnant) -> Result<()> {
        match remnant {
            Remnant::Unit(unit) => self.withdraw_unit(session, *unit),
            Remnant::File(path) => match session.entry.load() {
                Some(record) if needs(&record.current, path) => Ok(()),
                _ => gone(self.host.unplug(cx, session.run.guest, &Unplug::File(path.clone()))),
            },
            Remnant::Console(alias) => {
                let console = Unplug::Console(alias.clone());
                gone(self.host.unplug(cx, session.run.guest, &console))
            }
            Remnant::Link(name) => {
                let link = Unplug::Link(name.clone());
                gone(self.host.unplug(cx, session.run.guest, &link))
            }
            Remnant::Companion(name) => {
                let companion = Unplug::Companion(name.clone());
                gone(self.host.unplug(cx, session.run.guest, &companion))
            }
            // Before its filter goes: in between it is closed, not open.
            Remnant::Tap(device) => self.network.remove(device),
            Remnant::Port(device) => self.withdraw_port(cx, session.entry, device),
        }
    }

    fn withdraw_unit(&self, session: &Session<'_>, unit: Unit) -> Result<()> {
        let failed = |failure: Failure| failure.into_error(format!("'{unit}' could not be taken from the guest again"));
        // A disk that the kernel has not must not be removed.
        if matches!(unit, Unit::Disk(_)) && !session.ask(&Order::query(unit)).map_err(failed)?.starts_with('/') {
            return Ok(());
        }
        match session.tell(&Order::remove(unit)) {
            Ok(_) => Ok(()),
            Err(Failure::Refused(code, words)) if code == NO_DEVICE || words == NOT_THERE => Ok(()),
            // The guest may have begun to use it.
            Err(failure) => Err(failed(failure)),
        }
    }

    fn withdraw_port(&self, cx: &mut Cx<'_, Unlocked>, entry: &Entry, device: &str) -> Result<()> {
        let ports = entry.load().map(|record| Arc::clone(&record.ports)).unwrap_or_default();
        if let Some(port) = ports.iter().find(|port| port.device == device) {
            let mut update = cx.update_read()?;
            return match &port.request {
                Some(request) => self.host.attach_port(&mut update, request),
                None => {
                    self.unfilter(&mut update, [device].into_iter());
                    Ok(())
                }
            };
        }
        self.unfilter(&mut cx.update_read()?, [device].into_iter());
        self.names.free(device);
        Ok(())
    }
}
