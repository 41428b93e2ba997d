//! Ending a domain at once, booting, running or remembered as crashed.

use crate::core::{Core, fault, refused, seize};
use crate::mconsole::client::{Command, DEADLINE};
use crate::state::machine::{Phase, Verb};
use crate::state::record::{Record, Run};
use crate::state::status::Intent;
use crate::state::table::Entry;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEventKind, Lifecycle, Reason, detail};
use driver_api::types::guest::{Exit, GuestId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a kernel may take to end after `halt`; it takes 20 ms when it ends at all.
const HALT: Duration = Duration::from_secs(10);
/// How long a cancelled start may take to clean up.
const CANCEL: Duration = Duration::from_secs(60);

/// What there is to end.
enum Target {
    Boot,
    Guest(Run),
    Memory,
}

impl Core {
    /// Ends a domain's guest; nothing of it is left afterwards. A graceful end only ever asks the kernel, and fails
    /// when that does not obey.
    pub(crate) fn destroy(
        self: &Arc<Self>,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        graceful: bool,
    ) -> Result<()> {
        match self.condemn(cx, entry, graceful)? {
            Target::Memory => {
                self.rest(cx, entry, Phase::Off, Reason::SHUTOFF_DESTROYED);
                let stopped = DomainEventKind::Lifecycle(Lifecycle::Stopped, detail::STOPPED_DESTROYED);
                self.emit(entry, None, &[stopped]);
                Ok(())
            }
            Target::Boot => {
                let over =
                    |r: Option<&Record>| !r.is_some_and(|r| matches!(r.phase, Phase::Starting | Phase::Restarting));
                if entry.wait_until(Instant::now() + CANCEL, over) {
                    return Ok(());
                }
                let message = format!("the start of domain '{}' does not let itself be cancelled", entry.name);
                Err(fault(Code::OPERATION_TIMEOUT, message))
            }
            Target::Guest(run) if graceful => self.halt(cx, entry, &run),
            Target::Guest(run) => self.kill(cx, entry, run.guest),
        }
    }

    fn kill(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>, guest: GuestId) -> Result<()> {
        // Its exit is dealt with here, so that everything is over when this returns; the event would come too late.
        self.mailbox.close(guest, false);
        let killed = self.host.kill(cx, guest);
        if killed.is_ok() || !self.mailbox.reopen(guest, entry.uuid) {
            let exit = Exit {
                requested: true,
                ..Exit::default()
            };
            let is_ours = self.conclude(cx, entry, guest, &exit);
            // Of several calls at once one has ended it; for the others it was off when their turn came.
            if !is_ours && !entry.load().is_some_and(|record| record.runs_on(guest)) {
                return Err(refused(entry, "does not run: it ended while this call waited"));
            }
            return Ok(());
        }
        self.unask(cx, entry, guest, Intent::Destroy);
        killed
    }

    /// Says that the domain is to be gone: whoever starts it stops, and its end is not taken for anything else.
    fn condemn(&self, cx: &mut Cx<'_, Unlocked>, entry: &Entry, graceful: bool) -> Result<Target> {
        let mut domain = seize(cx, entry.uuid)?;
        let record = entry.record()?;
        record.phase.permits(Verb::Destroy).map_err(|why| refused(entry, why))?;
        let Some(run) = &record.run else {
            if record.phase == Phase::Crashed {
                return Ok(Target::Memory);
            }
            self.cancel_boot(entry.uuid);
            return Ok(Target::Boot);
        };
        if graceful && record.phase == Phase::Paused {
            return Err(refused(
                entry,
                "is paused and can not end by itself: resume it, or destroy it without 'graceful'",
            ));
        }
        let run = run.clone();
        let mut condemned = Record::clone(&record);
        condemned.intent = Intent::Destroy;
        self.publish(entry, &mut domain, condemned)?;
        Ok(Target::Guest(run))
    }

    fn halt(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>, run: &Run) -> Result<()> {
        let gone = |guest: GuestId| move |r: Option<&Record>| !r.is_some_and(|r| r.runs_on(guest));
        let asked = run.monitor.ask(Command::Halt, DEADLINE);
        // A kernel that obeys may be gone before its answer is sent, so the answer does not count.
        if entry.wait_until(
            Instant::now() + if asked.is_ok() { HALT } else { DEADLINE },
            gone(run.guest),
        ) {
            return Ok(());
        }
        self.unask(cx, entry, run.guest, Intent::Destroy);
        let what = format!(
            "domain '{}' did not end gracefully: destroy it without 'graceful'",
            entry.name
        );
        Err(match asked {
            Ok(_) => fault(Code::OPERATION_TIMEOUT, what),
            Err(failure) => failure.into_error(what),
        })
    }

    /// Takes back what was asked of a guest that did not hear it.
    pub(crate) fn unask(&self, cx: &mut Cx<'_, Unlocked>, entry: &Entry, guest: GuestId, intent: Intent) {
        let done = seize(cx, entry.uuid).and_then(|mut domain| match entry.load() {
            Some(record) if record.runs_on(guest) && record.intent == intent => {
                let mut record = Record::clone(&record);
                record.intent = Intent::None;
                self.publish(entry, &mut domain, record)
            }
            _ => Ok(()),
        });
        if let Err(error) = done {
            tracing::warn!(dom = %entry.name, %error, "what was asked of the guest could not be taken back");
        }
    }
}
