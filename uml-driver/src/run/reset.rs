//! Resetting: the guest ends without being asked and is started anew under its id, with its taps and filters.

use super::watch::Next;
use crate::core::{Core, fault, refused, seize};
use crate::state::machine::Verb;
use crate::state::record::Record;
use crate::state::status::Intent;
use crate::state::table::Entry;
use driver_api::error::{Code, Result};
use driver_api::lock::guard::Job;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::guest::{Exit, GuestId};
use std::sync::Arc;

impl Core {
    /// Starts a guest anew without asking it; returns when the new one answers. A paused one runs afterwards.
    pub(crate) fn reset(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>) -> Result<()> {
        let (job, guest) = self.doom(cx, entry)?;
        // Its exit is dealt with here; the event would come too late.
        self.mailbox.close(guest, false);
        let killed = self.host.kill(cx, guest);
        if killed.is_err() && self.mailbox.reopen(guest, entry.uuid) {
            self.unask(cx, entry, guest, Intent::Reset);
            return killed.map_err(|error| error.within(format!("cannot reset domain '{}'", entry.name)));
        }
        let exit = Exit {
            requested: true,
            ..Exit::default()
        };
        let again = match self.note_and_forget(cx, entry, guest, &exit) {
            Next::Again(_, reason) => self.restart(cx, entry, reason),
            // Somebody else has ended it for good meanwhile.
            next => {
                self.follow(cx, entry, next);
                Err(refused(entry, "was ended while it was to be reset"))
            }
        };
        drop(job);
        again
    }

    /// Says that the guest's end is to be a new beginning.
    fn doom(&self, cx: &mut Cx<'_, Unlocked>, entry: &Entry) -> Result<(Job, GuestId)> {
        let mut domain = seize(cx, entry.uuid)?;
        let record = entry.record()?;
        record.phase.permits(Verb::Reset).map_err(|why| refused(entry, why))?;
        let Some(run) = &record.run else {
            return Err(fault(
                Code::OPERATION_INVALID,
                format!("domain '{}' has no guest to reset", entry.name),
            ));
        };
        let guest = run.guest;
        let job = domain.begin_job("reset")?;
        let mut doomed = Record::clone(&record);
        doomed.intent = Intent::Reset;
        self.publish(entry, &mut domain, doomed)?;
        Ok((job, guest))
    }
}
