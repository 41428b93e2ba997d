//! Asking a running guest: to shut down, to reboot, to stop its processor and to let it go on.
//!
//! Each conversation is a job on the domain, so a guest kernel never hears two clients at once, and holds no lock.

use crate::core::{Core, refused, seize};
use crate::mconsole::client::{Command, Failure, PATIENCE};
use crate::pulse::vitals::Talk;
use crate::state::machine::{Phase, Step, Verb};
use crate::state::record::{Record, Run};
use crate::state::status::Intent;
use crate::state::table::Entry;
use crate::stats::address::no_agent;
use driver_api::error::Result;
use driver_api::lock::guard::Job;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEventKind, Lifecycle, Reason, detail};
use std::sync::Arc;

impl Core {
    /// Asks the guest in the first of these ways that there is, and remembers what for. What its init makes of it is the
    /// guest's matter: it ends either way, and the host, which starts every kernel with `noreboot`, does what was asked
    /// for.
    pub(crate) fn press(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        intent: Intent,
        modes: &[Mode],
    ) -> Result<()> {
        let (verb, what) = match intent {
            Intent::Reboot => (Verb::Reboot, "reboot"),
            _ => (Verb::Shutdown, "shutdown"),
        };
        let (_talk, run) = self.converse(cx, entry, verb, what, Some(intent))?;
        let mut failed = no_agent(&entry.name);
        for mode in modes {
            if *mode == Mode::Agent && self.pulse.book.of(run.guest).agent.is_none() {
                failed = no_agent(&entry.name);
                continue;
            }
            match run.monitor.ask(mode.command(intent), PATIENCE) {
                Ok(_) => return Ok(()),
                Err(failure) => {
                    failed = failure.into_error(format!("domain '{}' could not be asked to {what}", entry.name));
                }
            }
        }
        self.unask(cx, entry, run.guest, intent);
        Err(failed)
    }

    /// Stops the guest's processor.
    pub(crate) fn suspend(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>) -> Result<()> {
        self.switch(cx, entry, &SUSPEND)
    }

    /// Lets the guest's processor go on.
    pub(crate) fn resume(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>) -> Result<()> {
        self.switch(cx, entry, &RESUME)
    }

    fn switch(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>, switch: &Switch) -> Result<()> {
        let before = entry.record()?;
        if before.phase.permits(switch.verb).is_ok() && before.phase.after(switch.step).is_none() {
            // Suspending what is paused: nothing changes, and a stopped kernel must not hear another command.
            return Ok(());
        }
        let (talk, run) = self.converse(cx, entry, switch.verb, switch.what, None)?;
        match run.monitor.ask(switch.command, PATIENCE) {
            Ok(_) => {}
            // A kernel that is there already, since an earlier answer came too late for us.
            Err(Failure::Refused(_, words)) if words == switch.already => {}
            Err(failure) => {
                if switch.verb == Verb::Suspend && matches!(failure, Failure::Silent(_)) {
                    self.note_may_stop(cx, entry, &run)?;
                }
                return Err(failure.into_error(format!("domain '{}' could not {}", entry.name, switch.what)));
            }
        }
        let id = {
            let mut domain = seize(cx, entry.uuid)?;
            let record = entry.record()?;
            if !record.runs_on(run.guest) {
                return Err(refused(entry, "ended meanwhile"));
            }
            let mut after = Record::clone(&record);
            after.may_stop = false;
            let Some(phase) = record.phase.after(switch.step) else {
                // It was running all the time, or it had stopped without anybody knowing.
                return self.publish(entry, &mut domain, after);
            };
            after.phase = phase;
            after.reason = switch.reason;
            let id = after.shown_id();
            self.publish(entry, &mut domain, after)?;
            id
        };
        self.emit(entry, id, &[switch.event]);
        drop(talk);
        self.pulse.wake();
        Ok(())
    }

    /// The kernel did not answer, but has the command in its queue: it obeys when it wakes up.
    fn note_may_stop(&self, cx: &mut Cx<'_, Unlocked>, entry: &Entry, run: &Run) -> Result<()> {
        let mut domain = seize(cx, entry.uuid)?;
        let record = entry.record()?;
        if record.runs_on(run.guest) {
            let mut record = Record::clone(&record);
            record.may_stop = true;
            self.publish(entry, &mut domain, record)?;
        }
        Ok(())
    }

    /// Begins a conversation: whether it may be, what is wanted, and with whom.
    fn converse(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Entry,
        verb: Verb,
        what: &str,
        intent: Option<Intent>,
    ) -> Result<(Conversing, Run)> {
        let mut domain = seize(cx, entry.uuid)?;
        let record = entry.record()?;
        if !(verb == Verb::Resume && record.may_stop) {
            record.phase.permits(verb).map_err(|why| refused(entry, why))?;
        }
        if record.phase == Phase::Paused && verb != Verb::Resume {
            return Err(refused(entry, "was paused meanwhile"));
        }
        let run = record.run.clone().ok_or_else(|| refused(entry, "has no guest"))?;
        let job = domain.begin_job(what)?;
        if let Some(intent) = intent {
            let mut record = Record::clone(&record);
            record.intent = intent;
            self.publish(entry, &mut domain, record)?;
        }
        let talk = self.pulse.talk(run.guest);
        let conversing = Conversing { _job: job, _talk: talk };
        Ok((conversing, run))
    }
}

/// A conversation with a guest: no client has another one, and it is not asked for a sign of life meanwhile.
#[derive(Debug)]
pub(crate) struct Conversing {
    _job: Job,
    _talk: Talk,
}

/// A way to ask a guest to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Its agent, by what the host writes into its kernel's log.
    Agent,
    /// Ctrl-alt-del, which its init is told of.
    CtrlAltDel,
}

impl Mode {
    const fn command(self, intent: Intent) -> Command {
        match (self, intent) {
            (Self::CtrlAltDel, _) => Command::CtrlAltDel,
            (Self::Agent, Intent::Reboot) => Command::AgentReboot,
            (Self::Agent, _) => Command::AgentShutdown,
        }
    }
}

/// One way of switching a guest's processor.
struct Switch {
    verb: Verb,
    what: &'static str,
    command: Command,
    /// What the kernel says when it is in that state already.
    already: &'static str,
    step: Step,
    reason: Reason,
    event: DomainEventKind,
}

const SUSPEND: Switch = Switch {
    verb: Verb::Suspend,
    what: "suspend",
    command: Command::Stop,
    already: "Already stopped",
    step: Step::Stopped,
    reason: Reason::PAUSED_USER,
    event: DomainEventKind::Lifecycle(Lifecycle::Suspended, detail::SUSPENDED_PAUSED),
};

const RESUME: Switch = Switch {
    verb: Verb::Resume,
    what: "resume",
    command: Command::Go,
    already: "Not stopped",
    step: Step::Continued,
    reason: Reason::RUNNING_UNPAUSED,
    event: DomainEventKind::Lifecycle(Lifecycle::Resumed, detail::RESUMED_UNPAUSED),
};
