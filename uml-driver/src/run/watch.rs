//! Watching: what a running guest tells, how its end is dealt with, and its restart under the same id.

use super::ending::{Action, Ending, Outcome, Policy, classify, outcome};
use crate::core::{Core, fault, seize};
use crate::def::{DomainDef, os};
use crate::mconsole::packet::{Notification, notification};
use crate::state::machine::{Phase, Step};
use crate::state::record::{Port, Record};
use crate::state::status::{Intent, Status};
use crate::state::table::Entry;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEventKind, Reason, State};
use driver_api::types::guest::{Exit, GuestEvent, GuestId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A guest that lived this long before it crashed gets its full count of restarts again.
const SOUND_RUN: Duration = Duration::from_secs(60);

/// How often a lock is asked for to note what has happened; each time may take as long as locks are waited for.
const NOTE_TRIES: u32 = 4;

/// What a new end of a guest asks for.
pub(super) enum Next {
    /// Nothing: another thread has dealt with it.
    Known,
    /// These events, and the end of these ports.
    Rest(Vec<DomainEventKind>, Arc<[Port]>),
    /// These events, then a restart for this reason.
    Again(Vec<DomainEventKind>, Reason),
}

impl Core {
    /// An event of the host.
    pub(crate) fn guest_event(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>, guest: GuestId, event: GuestEvent) {
        if let Some((uuid, event)) = self.mailbox.deliver(guest, event)
            && let Ok(entry) = self.table.entry(uuid)
        {
            self.heard(cx, &entry, guest, event);
        }
    }

    /// An event of a running guest.
    pub(crate) fn heard(
        self: &Arc<Self>,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        guest: GuestId,
        event: GuestEvent,
    ) {
        match event {
            GuestEvent::Exited(exit) => {
                self.conclude(cx, entry, guest, &exit);
            }
            GuestEvent::Notified(datagram) => match notification(&datagram) {
                Ok(Notification::Panic(reason)) => self.panicked(cx, entry, guest, reason),
                Ok(Notification::User(text)) => self.agent_said(entry, guest, &text, Instant::now()),
                Ok(other) => tracing::debug!(dom = %entry.name, ?other, "a notification of the guest"),
                Err(error) => tracing::debug!(dom = %entry.name, %error, "a notification makes no sense"),
            },
        }
    }

    /// Remembers why a guest panicked, and kills it: as the first process of its namespace a UML kernel outlives its
    /// own abort and would spin for ever.
    fn panicked(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>, guest: GuestId, reason: String) {
        tracing::warn!(dom = %entry.name, panic = %reason, "the guest panicked");
        let noted = seize(cx, entry.uuid).map(|mut domain| {
            if let Some(record) = entry.load().filter(|r| r.runs_on(guest)) {
                let mut record = Record::clone(&record);
                record.panic = Some(reason);
                entry.publish(&mut domain, Some(record));
            }
        });
        if let Err(error) = noted {
            tracing::warn!(dom = %entry.name, %error, "the panic could not be noted");
        }
        // Not on this thread: the exit that follows may be told on it.
        let (core, name) = (Arc::clone(self), entry.name.clone());
        let kill = move || {
            let killed = core
                .host
                .session("end a panicked guest", &mut |cx| core.host.kill(cx, guest));
            if let Err(error) = killed {
                tracing::warn!(dom = %name, %error, "the panicked guest could not be killed");
            }
        };
        if let Err(error) = self.workers.spawn("uml-panic", kill) {
            tracing::error!(dom = %entry.name, %error, "the panicked guest is left: there is no thread to kill it");
        }
    }

    /// Deals with a guest that is gone, unless that has been done; says whether it was done here.
    pub(crate) fn conclude(
        self: &Arc<Self>,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        guest: GuestId,
        exit: &Exit,
    ) -> bool {
        let next = self.note_and_forget(cx, entry, guest, exit);
        let is_news = !matches!(next, Next::Known);
        self.follow(cx, entry, next);
        is_news
    }

    /// Notes a guest's end, and clears away what the host has of it.
    pub(super) fn note_and_forget(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Entry,
        guest: GuestId,
        exit: &Exit,
    ) -> Next {
        let next = insist(|| self.note_end(cx, entry, guest, exit)).unwrap_or_else(|error| {
            tracing::error!(dom = %entry.name, %error, "the guest's end could not be noted");
            Next::Known
        });
        if !matches!(next, Next::Known) {
            self.forget_vitals(entry, guest);
            if let Err(error) = self.host.forget(cx, guest) {
                tracing::warn!(dom = %entry.name, %error, "the guest's run folder is left");
            }
        }
        next
    }

    /// Does what a guest's end asks for.
    pub(super) fn follow(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>, next: Next) {
        match next {
            Next::Known => {}
            Next::Rest(events, ports) => {
                self.close_ports(cx, &ports);
                self.emit(entry, None, &events);
                if entry.load().is_none() {
                    self.sweep(cx, entry);
                }
            }
            Next::Again(events, reason) => {
                self.emit(entry, entry.load().and_then(|r| r.shown_id()), &events);
                self.restart_later(cx, entry, reason);
            }
        }
    }

    fn note_end(&self, cx: &mut Cx<'_, Unlocked>, entry: &Entry, guest: GuestId, exit: &Exit) -> Result<Next> {
        let mut domain = seize(cx, entry.uuid)?;
        let Some(record) = entry.load().filter(|r| r.runs_on(guest)) else {
            return Ok(Next::Known);
        };
        let panic = record.panic.clone().or_else(|| panic_in(exit));
        let ending = classify(exit, record.intent, panic.as_deref());
        tracing::info!(dom = %entry.name, id = record.id, ?ending, "the guest ended");
        let soon = record.run.as_ref().is_some_and(|run| run.since.elapsed() < SOUND_RUN);
        let crashes = match ending {
            Ending::Panicked(_) if soon => record.crashes + 1,
            Ending::Panicked(_) => 1,
            _ => 0,
        };
        let mut policy = policy(&record.current);
        let mut last_end = ending.message();
        if crashes > self.options.crash_restarts && policy.crash == Action::Restart {
            tracing::warn!(dom = %entry.name, crashes, "the guest crashes as soon as it runs: it stays off");
            policy.crash = Action::Destroy;
            let limit = format!("; it did so {crashes} times in a row and stays off ('crash_restarts')");
            last_end = last_end.map(|message| message + &limit);
        }
        let last_end = last_end.map(Arc::from);
        match outcome(&ending, policy) {
            Outcome::Again(reason, events) => {
                let mut after = Record::clone(&record);
                after.phase = after.phase.after(Step::Again).unwrap_or(Phase::Restarting);
                after.run = None;
                after.intent = Intent::None;
                after.panic = None;
                after.may_stop = false;
                after.balloon = None;
                after.arriving = None;
                after.remnants = Arc::default();
                after.crashes = crashes;
                after.last_end = last_end;
                after.reason = reason;
                self.promise_restart(entry, &record, reason);
                self.begin_boot(entry.uuid);
                entry.publish(&mut domain, Some(after));
                Ok(Next::Again(events, reason))
            }
            Outcome::Over(state, reason, events) => {
                let phase = if state == State::Crashed {
                    Phase::Crashed
                } else {
                    Phase::Off
                };
                self.store.remove_status(entry.uuid);
                entry.publish(&mut domain, rested(&record, phase, reason, last_end));
                Ok(Next::Rest(events, Arc::clone(&record.ports)))
            }
        }
    }

    /// Leaves word of a restart for a next host, should this one not live to finish it.
    pub(crate) fn promise_restart(&self, entry: &Entry, ended: &Record, reason: Reason) {
        let Some(status) = ended.status() else { return };
        let status = Status {
            phase: Phase::Restarting,
            reason,
            ..status
        };
        if let Err(error) = self.store.save_status(entry.uuid, &status) {
            tracing::warn!(dom = %entry.name, %error, "a next host would not go on with this restart");
            self.store.remove_status(entry.uuid);
        }
    }

    /// Publishes a domain without a guest; a transient one is gone.
    pub(crate) fn rest(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>, phase: Phase, reason: Reason) {
        self.rest_because(cx, entry, phase, reason, None);
    }

    /// The same, with what an administrator should know of it.
    pub(crate) fn rest_because(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        phase: Phase,
        reason: Reason,
        message: Option<String>,
    ) {
        let message: Option<Arc<str>> = message.map(Arc::from);
        let rested = insist(|| {
            let mut domain = seize(cx, entry.uuid)?;
            self.store.remove_status(entry.uuid);
            let record = entry.load();
            let message = message.clone();
            entry.publish(
                &mut domain,
                record
                    .as_ref()
                    .and_then(|record| rested(record, phase, reason, message)),
            );
            Ok(record.map(|record| Arc::clone(&record.ports)).unwrap_or_default())
        });
        match rested {
            Ok(ports) => self.close_ports(cx, &ports),
            Err(error) => tracing::error!(dom = %entry.name, %error, "the domain's state could not be published"),
        }
        if entry.load().is_none() {
            self.sweep(cx, entry);
        }
    }

    pub(crate) fn restart_later(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>, reason: Reason) {
        let (core, own) = (Arc::clone(self), Arc::clone(entry));
        // Not on this thread: the new guest's notifications may come on it.
        let restart = move || {
            let done = core.host.session("restart a guest", &mut |cx| {
                // What went wrong has been told and noted.
                drop(core.restart(cx, &own, reason));
                Ok(())
            });
            if let Err(error) = done {
                tracing::error!(dom = %own.name, %error, "the guest could not be restarted");
            }
        };
        if let Err(error) = self.workers.spawn("uml-restart", restart) {
            let error = fault(Code::SYSTEM_ERROR, "there is no thread to restart the guest").because(error);
            self.give_up(cx, entry, &error);
        }
    }

    /// Starts a guest again that has ended; back to rest when that fails.
    pub(super) fn restart(
        self: &Arc<Self>,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        reason: Reason,
    ) -> Result<()> {
        let restarted = entry.record().and_then(|record| {
            let boot = self.boot_of(entry.uuid);
            let prepared = self.prepare(entry, &record.current)?;
            let run = self.boot(cx, entry, &prepared, &boot, false, None)?;
            self.welcome(cx, entry, run, &boot, reason, &[DomainEventKind::Reboot])
        });
        restarted.map(drop).inspect_err(|error| self.give_up(cx, entry, error))
    }
}

/// The record of a domain whose guest is gone; `None` for a transient one, unless it is to be remembered as crashed.
pub(crate) fn rested(record: &Record, phase: Phase, reason: Reason, last_end: Option<Arc<str>>) -> Option<Record> {
    let current = match (&record.next, phase) {
        (Some(next), _) => Arc::clone(next),
        (None, Phase::Crashed) => Arc::clone(&record.current),
        (None, _) => return None,
    };
    Some(Record {
        phase,
        reason,
        autostart: record.autostart,
        last_end,
        ..Record::idle(current, record.next.clone())
    })
}

/// Tries what must be noted, since it has happened already, more often than once: a domain whose holder is slow would
/// otherwise seem to run for ever.
fn insist<T>(mut work: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..NOTE_TRIES {
        match work() {
            Ok(done) => return Ok(done),
            Err(error) => tracing::warn!(%error, "what a guest did is to be noted: trying again"),
        }
    }
    work()
}

/// What the last notifications of a guest say, for a host that was away when they came.
fn panic_in(exit: &Exit) -> Option<String> {
    exit.notifications
        .iter()
        .find_map(|datagram| match notification(datagram) {
            Ok(Notification::Panic(reason)) => Some(reason),
            _ => None,
        })
}

fn policy(def: &DomainDef) -> Policy {
    Policy {
        poweroff: action(def.on_poweroff),
        reboot: action(def.on_reboot),
        crash: action(def.on_crash),
    }
}

/// A UML kernel leaves no core to dump, so the actions that would differ by one are those without it.
const fn action(wish: os::Action) -> Action {
    match wish {
        os::Action::Destroy | os::Action::CoredumpDestroy => Action::Destroy,
        os::Action::Restart | os::Action::RenameRestart | os::Action::CoredumpRestart => Action::Restart,
        os::Action::Preserve => Action::Preserve,
    }
}
