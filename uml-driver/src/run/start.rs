//! Starting: prepare without a lock, announce under it, boot as a job, publish when the guest answers.

use super::ending::{Ending, classify};
use super::mailbox::{Boot, Wake};
use super::prepare::Prepared;
use crate::core::{Core, fault, refused, seize};
use crate::def::DomainDef;
use crate::mconsole::client::{Command, Monitor};
use crate::mconsole::packet::{Notification, notification};
use crate::pulse::sample::release;
use crate::state::machine::{Phase, Step, Verb};
use crate::state::record::{Record, Run};
use crate::state::status::Intent;
use crate::state::table::{Entry, no_domain};
use driver_api::error::{Code, Error, Result};
use driver_api::lock::guard::Job;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, DomainEventKind, Lifecycle, Reason, detail};
use driver_api::types::guest::{Exit, GuestEvent, GuestId, Started};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the first answer may take: the machine may be busy with other boots.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// How often a start looks whether its job was aborted, of which nothing wakes it.
const LOOK: Duration = Duration::from_millis(200);
/// How much of its console a failed start shows, in bytes.
const TAIL: u32 = 2048;
/// libvirt's `VIR_ERR_OPERATION_ABORTED`.
const ABORTED: Code = Code(78);

/// How a start is wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// The guest is to be stopped before the call returns.
    pub(crate) paused: bool,
    /// The guest ends with the connection of the client that starts it.
    pub(crate) autodestroy: bool,
    /// Start this definition and not the stored one.
    pub(crate) transient: Option<Arc<DomainDef>>,
}

const STARTED: DomainEventKind = DomainEventKind::Lifecycle(Lifecycle::Started, detail::STARTED_BOOTED);
const SUSPENDED: DomainEventKind = DomainEventKind::Lifecycle(Lifecycle::Suspended, detail::SUSPENDED_PAUSED);

impl Core {
    /// Starts a domain and returns when its guest answers.
    pub(crate) fn start(
        self: &Arc<Self>,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        wish: &Wish,
    ) -> Result<DomainBrief> {
        let (job, prepared, boot) = self.announce(cx, entry, wish)?;
        let events = if wish.paused {
            &[STARTED, SUSPENDED][..]
        } else {
            &[STARTED]
        };
        let reason = if wish.paused {
            Reason::PAUSED_USER
        } else {
            Reason::RUNNING_BOOTED
        };
        let booted = self.first_boot(cx, entry, &prepared, &boot, wish.paused, &job);
        let started = booted.and_then(|run| self.welcome(cx, entry, run, &boot, reason, events));
        drop(job);
        started.map_err(|error| {
            self.give_up(cx, entry, &error);
            error.within(format!("cannot start domain '{}'", entry.name))
        })
    }

    /// Checks and prepares everything, then says that a start is under way.
    fn announce(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        wish: &Wish,
    ) -> Result<(Job, Prepared, Arc<Boot>)> {
        loop {
            let before = entry.load();
            may_start(entry, before.as_deref())?;
            let def = definition(entry, before.as_deref(), wish)?;
            // Reads files and may run a program: nothing is held meanwhile.
            let prepared = self
                .prepare(entry, &def)
                .map_err(|error| error.within(format!("cannot start domain '{}'", entry.name)))?;

            let mut update = cx.update_read()?;
            let mut domain = seize(&mut update, entry.uuid)?;
            let now = entry.load();
            if !self.table.holds(entry) {
                return Err(no_domain(&entry.name));
            }
            may_start(entry, now.as_deref())?;
            if !Arc::ptr_eq(&def, &definition(entry, now.as_deref(), wish)?) {
                // Redefined while it was being prepared.
                continue;
            }
            let job = domain.begin_job("start")?;
            let mut record = now.map_or_else(|| Record::idle(Arc::clone(&def), None), |r| Record::clone(&r));
            record.phase = record.phase.after(Step::Begin).unwrap_or(Phase::Starting);
            record.current = def;
            record.id = self.next_id()?;
            record.intent = Intent::None;
            record.panic = None;
            record.may_stop = false;
            record.crashes = 0;
            record.last_end = None;
            record.autodestroy = wish.autodestroy;
            let boot = self.begin_boot(entry.uuid);
            entry.publish(&mut domain, Some(record));
            if self.is_closing() {
                boot.cancel();
            }
            return Ok((job, prepared, boot));
        }
    }

    /// [`Core::boot`] of a guest that was not there just now.
    fn first_boot(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Entry,
        prepared: &Prepared,
        boot: &Arc<Boot>,
        paused: bool,
        job: &Job,
    ) -> Result<Run> {
        // Two that start at once see each other only now.
        self.images_are_free(entry, &prepared.images, Some(entry.record()?.id))?;
        prepared.cut_logs()?;
        self.boot(cx, entry, prepared, boot, paused, Some(job))
    }

    /// Starts the process tree and waits until its kernel answers; nothing is left of it on failure.
    pub(crate) fn boot(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Entry,
        prepared: &Prepared,
        boot: &Arc<Boot>,
        paused: bool,
        job: Option<&Job>,
    ) -> Result<Run> {
        prepared.make_files()?;
        let taps = self.open_ports(cx, entry, prepared.nics())?;
        let descriptors: Vec<BorrowedFd<'_>> = taps.iter().map(AsFd::as_fd).collect();
        let launch = prepared.order(entry.record()?.devices())?;
        let started = self.host.launch(cx, &launch, &descriptors)?;
        // From here on they live as long as the guest.
        drop(taps);
        let guest = GuestId(started.guest);
        self.mailbox.claim(guest, boot);
        for missing in &started.not_isolated {
            tracing::warn!(dom = %entry.name, %missing, "the guest is not fully isolated");
        }
        let watched = self.host.watch(cx, guest);
        let run = watched.and_then(|()| self.until_ready(entry, prepared, &started, boot, paused, job));
        if run.is_err() {
            self.discard(cx, entry, guest, boot);
        }
        run
    }

    fn until_ready(
        &self,
        entry: &Entry,
        prepared: &Prepared,
        started: &Started,
        boot: &Boot,
        paused: bool,
        job: Option<&Job>,
    ) -> Result<Run> {
        let guest = GuestId(started.guest);
        self.until_notified(guest, prepared, boot, job)?;
        let record = entry.record()?;
        let socket = prepared.socket.clone();
        let run = Run::new(record.id, started, socket, prepared.consoles(), record.devices());
        let version = ask(&run.monitor, Command::Version)?;
        self.pulse.book.begin(guest);
        self.pulse.book.note(guest, |vitals| vitals.kernel = release(&version));
        if paused {
            let _stopped = ask(&run.monitor, Command::Stop)?;
        }
        Ok(run)
    }

    fn until_notified(&self, guest: GuestId, prepared: &Prepared, boot: &Boot, job: Option<&Job>) -> Result<()> {
        let patience = self.options.start_timeout;
        let deadline = Instant::now() + patience;
        loop {
            if job.is_some_and(Job::is_cancelled) {
                return Err(aborted());
            }
            match boot.wait(deadline.min(Instant::now() + LOOK)) {
                Wake::Event(GuestEvent::Notified(datagram)) => match notification(&datagram) {
                    Ok(Notification::Socket(path)) if path.ends_with(&*prepared.socket.to_string_lossy()) => {
                        return Ok(());
                    }
                    Ok(Notification::Socket(path)) => {
                        let message = format!("the guest kernel chose another console socket, '{path}'");
                        return Err(fault(Code::INTERNAL, message));
                    }
                    Ok(Notification::Panic(reason)) => {
                        let what = format!("the guest kernel panicked while it booted ('{reason}')");
                        return Err(last_words(Code::INTERNAL, &what, &self.tail(guest)));
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(guest = guest.0, %error, "a notification makes no sense"),
                },
                Wake::Event(GuestEvent::Exited(exit)) => {
                    let what = format!("the guest ended while it booted ({})", manner(&exit));
                    return Err(last_words(Code::INTERNAL, &what, &exit.console_tail));
                }
                Wake::Cancelled => return Err(cancelled()),
                Wake::TimedOut if Instant::now() < deadline => {}
                Wake::TimedOut => {
                    let what = format!(
                        "the guest did not answer within {} s, the driver's option 'start_timeout'",
                        patience.as_secs()
                    );
                    return Err(last_words(Code::OPERATION_TIMEOUT, &what, &self.tail(guest)));
                }
            }
        }
    }

    fn tail(&self, guest: GuestId) -> String {
        self.host.console_tail(guest, TAIL).unwrap_or_default()
    }

    /// Ends a guest that is not wanted, whatever its state.
    pub(crate) fn discard(&self, cx: &mut Cx<'_, Unlocked>, entry: &Entry, guest: GuestId, boot: &Boot) {
        if let Err(error) = self.host.kill(cx, guest) {
            tracing::debug!(dom = %entry.name, %error, "the guest could not be killed: it may be gone already");
        }
        self.mailbox.close(guest, boot.has_exited());
        self.pulse.book.forget(guest);
        if let Err(error) = self.host.forget(cx, guest) {
            tracing::warn!(dom = %entry.name, %error, "the guest's run folder is left");
        }
    }

    /// Publishes a guest that answers, raises its events, and lets its further events find the domain.
    pub(crate) fn welcome(
        self: &Arc<Self>,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        run: Run,
        boot: &Arc<Boot>,
        reason: Reason,
        events: &[DomainEventKind],
    ) -> Result<DomainBrief> {
        let guest = run.guest;
        let published = self.publish_ready(cx, entry, run, boot, reason, events.contains(&SUSPENDED));
        let brief = match published {
            Ok(brief) => brief,
            Err(error) => {
                self.discard(cx, entry, guest, boot);
                return Err(error);
            }
        };
        tracing::info!(dom = %entry.name, id = brief.id, guest = guest.0, "the guest is up");
        self.emit(entry, brief.id, events);
        self.pulse.wake();
        self.end_boot(entry.uuid);
        loop {
            let waiting = self.mailbox.settle(guest, entry.uuid, Some(boot));
            if waiting.is_empty() {
                return Ok(brief);
            }
            let ended = waiting.iter().any(|event| matches!(event, GuestEvent::Exited(_)));
            for event in waiting {
                self.heard(cx, entry, guest, event);
            }
            if ended {
                return Ok(brief);
            }
        }
    }

    fn publish_ready(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Entry,
        run: Run,
        boot: &Boot,
        reason: Reason,
        paused: bool,
    ) -> Result<DomainBrief> {
        let mut domain = seize(cx, entry.uuid)?;
        // Who cancels does it under this lock, so it is either seen here or finds the domain running.
        if boot.is_cancelled() {
            return Err(cancelled());
        }
        let mut record = Record::clone(&*entry.record()?);
        record.phase = record.phase.after(Step::Ready).unwrap_or(Phase::Running);
        if paused {
            record.phase = record.phase.after(Step::Stopped).unwrap_or(Phase::Paused);
        }
        record.reason = reason;
        record.run = Some(run);
        let brief = record.brief();
        self.publish(entry, &mut domain, record)?;
        Ok(brief)
    }

    /// Back to rest after a start that failed.
    pub(crate) fn give_up(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>, error: &Error) {
        self.end_boot(entry.uuid);
        let (reason, detail) = if error.code() == ABORTED {
            (Reason::SHUTOFF_DESTROYED, detail::STOPPED_DESTROYED)
        } else {
            tracing::warn!(dom = %entry.name, %error, "the guest could not be started");
            (Reason::SHUTOFF_FAILED, detail::STOPPED_FAILED)
        };
        let message = (error.code() != ABORTED).then(|| format!("the last start failed: {error}"));
        self.rest_because(cx, entry, Phase::Off, reason, message);
        self.emit(entry, None, &[DomainEventKind::Lifecycle(Lifecycle::Stopped, detail)]);
    }
}

fn may_start(entry: &Entry, record: Option<&Record>) -> Result<()> {
    record
        .map_or(Ok(()), |r| r.phase.permits(Verb::Start))
        .map_err(|why| refused(entry, why))
}

/// What a start would boot now.
fn definition(entry: &Entry, record: Option<&Record>, wish: &Wish) -> Result<Arc<DomainDef>> {
    let stored = || record.map(|r| r.next.as_ref().unwrap_or(&r.current));
    let def = wish.transient.as_ref().or_else(stored);
    def.cloned().ok_or_else(|| no_domain(&entry.name))
}

fn ask(monitor: &Monitor, command: Command) -> Result<String> {
    let answer = monitor.ask(command, FIRST_ANSWER);
    answer.map_err(|failure| failure.into_error("the guest did not answer after it booted"))
}

fn aborted() -> Error {
    fault(ABORTED, "the start was aborted by a client")
}

fn cancelled() -> Error {
    fault(
        ABORTED,
        "the start was cancelled: the domain is being destroyed, or the host stops",
    )
}

fn manner(exit: &Exit) -> String {
    match classify(exit, Intent::None, None) {
        Ending::Lost(why) => why,
        Ending::Panicked(_) => "its kernel panicked".to_owned(),
        Ending::PoweredOff | Ending::Rebooted => "it powered off".to_owned(),
        Ending::Destroyed | Ending::Reset => "it was killed".to_owned(),
    }
}

fn last_words(code: Code, what: &str, console: &str) -> Error {
    let console = console.trim();
    let words = if console.is_empty() {
        "its console is empty".to_owned()
    } else {
        format!("its last words:\n{console}")
    };
    fault(code, format!("{what}; {words}"))
}
