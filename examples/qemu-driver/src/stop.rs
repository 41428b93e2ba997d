//! Ending: on a client's wish, by the guest itself, or by accident; always through the same door.

use crate::core::{Core, insist, sound};
use crate::fault::fault;
use crate::table::{Domain, Phase};
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{Lifecycle, Reason, detail};
use driver_api::types::guest::{Exit, GuestId};
use driver_api::types::uuid::Uuid;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

/// How long it may take until nothing is left of a guest that has been killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an end means for clients.
type Meaning = (Reason, &'static [(Lifecycle, u32)]);

const SHUT_DOWN: Meaning = (
    Reason::SHUTOFF_SHUTDOWN,
    &[(Lifecycle::Shutdown, detail::SHUTDOWN_FINISHED), (Lifecycle::Stopped, detail::STOPPED_SHUTDOWN)],
);
const DESTROYED: Meaning = (Reason::SHUTOFF_DESTROYED, &[(Lifecycle::Stopped, detail::STOPPED_DESTROYED)]);
const FAILED: Meaning = (Reason::SHUTOFF_CRASHED, &[(Lifecycle::Stopped, detail::STOPPED_FAILED)]);

/// QEMU ends with code 0 only when its guest has switched the machine off.
fn meaning(exit: &Exit) -> Meaning {
    match exit.code {
        _ if exit.requested => DESTROYED,
        Some(0) => SHUT_DOWN,
        _ => FAILED,
    }
}

impl Core {
    /// Ends a domain's guest, or the start that is to bring one; nothing of it is left when this returns.
    pub(crate) fn destroy(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let (before, busy) = self.change(cx, uuid, |domain| {
            domain.must_be(&[Phase::Starting, Phase::Running, Phase::Paused])?;
            if domain.condemned {
                let message = format!("domain '{}' is being destroyed already", domain.def.name);
                return Err(fault(Code::OPERATION_INVALID, message));
            }
            let before = domain.clone();
            let busy = domain.is_steady().then(|| self.table.occupy(uuid));
            match busy {
                Some(_) => domain.phase = Phase::Ending,
                None => domain.condemned = true,
            }
            Ok((before, busy))
        })?;
        let guest = before.run.as_ref().map(|run| run.guest);
        let killed = guest.map_or(Ok(()), |guest| self.host.kill(cx, guest));
        if let (Some(guest), Some(_busy)) = (guest, busy) {
            if killed.is_err() && !self.table.get(uuid).is_ok_and(|domain| domain.exit.is_some()) {
                self.change(cx, uuid, |domain| {
                    domain.phase = before.phase;
                    Ok(())
                })?;
                return killed;
            }
            self.clear_away(cx, &before, guest, DESTROYED);
            return Ok(());
        }
        // Whoever starts it sees that it is not wanted.
        if self.table.wait_until_idle(uuid, PATIENCE) {
            return Ok(());
        }
        let message = format!("the start of domain '{}' does not let itself be cancelled", before.def.name);
        Err(fault(Code::OPERATION_TIMEOUT, message))
    }

    /// A guest is gone: whoever comes first deals with it.
    pub(crate) fn ended(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, exit: Exit) {
        let Some(domain) = self.table.find(|domain| domain.runs_on(guest)) else {
            return;
        };
        let claimed = insist(cx, |cx| {
            self.change(cx, domain.def.uuid, |domain| {
                if !domain.runs_on(guest) {
                    return Ok(None);
                }
                domain.exit = Some(exit.clone());
                let busy = domain.is_steady().then(|| self.table.occupy(domain.def.uuid));
                if busy.is_some() {
                    domain.phase = Phase::Ending;
                }
                Ok(busy)
            })
        });
        match claimed {
            Ok(Some(_busy)) => self.clear_away(cx, &domain, guest, meaning(&exit)),
            // For whoever starts or ends it.
            Ok(None) => {}
            Err(error) => tracing::error!(dom = %domain.def.name, %error, "the guest's end could not be noted"),
        }
    }

    fn clear_away(&self, cx: &mut Cx<'_, Unlocked>, domain: &Domain, guest: GuestId, (reason, events): Meaning) {
        let name = &domain.def.name;
        tracing::info!(dom = %name, id = domain.id, guest = guest.0, "the guest has ended");
        if let Err(error) = self.host.forget(cx, guest) {
            tracing::warn!(dom = %name, %error, "the guest's run folder is left");
        }
        if let Some(domain) = self.rest(cx, domain.def.uuid, reason) {
            events.iter().for_each(|(event, detail)| self.tell(&domain, *event, *detail));
        }
    }

    /// Clears away what a guest had, and shows the domain as off for this reason; gives what is shown, or was. For a domain
    /// that this thread has brought into phase `Starting` or `Ending`, and whose guest is gone.
    pub(crate) fn rest(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, reason: Reason) -> Option<Domain> {
        let (def, devices) =
            (self.table.get(uuid).ok()?.def.clone(), |domain: &mut Domain| Ok(take(&mut domain.devices)));
        // Nobody takes them for a guest's ports any more: a filter that is defined now would be put on them again.
        let devices = insist(cx, |cx| self.change(cx, uuid, devices)).unwrap_or_default();
        self.close_ports(cx, &def, &devices);
        let rested = insist(cx, |cx| {
            let mut table = cx.virt_write()?;
            let mut held = sound(table.domain_write(uuid)?)?;
            let last = self.table.get(uuid)?;
            self.store.remove_note(uuid);
            let def = last.stored.clone().unwrap_or_else(|| Arc::clone(&last.def));
            let off = Domain { autostart: last.autostart, reason, ..Domain::off(def, last.stored.clone()) };
            self.table.publish(&mut held, uuid, off.stored.is_some().then(|| off.clone()));
            Ok(off)
        });
        rested.inspect_err(|error| tracing::error!(%uuid, %error, "a guest that is gone can not be cleared away")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_an_accident_unless_somebody_wanted_it() {
        let exit = |code, signal, requested| Exit { code, signal, requested, ..Exit::default() };
        assert_eq!(meaning(&exit(Some(0), None, false)), SHUT_DOWN);
        assert_eq!(meaning(&exit(Some(1), None, false)), FAILED);
        assert_eq!(meaning(&exit(None, Some(9), false)), FAILED);
        assert_eq!(meaning(&exit(None, None, false)), FAILED);
        assert_eq!(meaning(&exit(None, Some(9), true)), DESTROYED);
    }
}
