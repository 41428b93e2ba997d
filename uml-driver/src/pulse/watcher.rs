//! `Watcher`: who is asked when, and what is made of the answers. All of it is done in steps that do not wait.

use super::bell::Bell;
use super::sample;
use crate::core::Core;
use crate::mconsole::client::{Command, Failure};
use crate::mconsole::conversation::Conversation;
use crate::state::machine::Phase;
use crate::state::record::Record;
use crate::state::table::Entry;
use driver_api::types::guest::GuestId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A guest is asked at least so often; sooner when three questions would not fit into `hang_after`.
const SLOW: Duration = Duration::from_secs(10);
/// How often a guest is asked whose figures somebody looks at.
const FAST: Duration = Duration::from_secs(5);
/// Guests whose time comes this soon are asked together.
const TOGETHER: Duration = Duration::from_millis(250);
/// In so many groups are guests asked that are found all at once, as by a new host.
const GROUPS: u32 = 16;

/// A question to one guest that has not been answered.
#[derive(Debug)]
struct Question {
    command: Command,
    /// Since when an answer is owed, whichever question it was.
    since: Instant,
    /// When this question was put.
    put: Instant,
    /// `None` when it could not be put, or the answer made no sense.
    conversation: Option<Conversation>,
}

/// A guest that is asked.
#[derive(Debug)]
struct Guest {
    entry: Arc<Entry>,
    /// When it was last asked.
    asked: Instant,
    last: Command,
    /// Another question follows as soon as this one is answered.
    more: bool,
    /// It has been asked for everything once.
    sampled: bool,
    question: Option<Question>,
}

/// The guests that run, each with its question.
#[derive(Default, Debug)]
pub(super) struct Watcher(HashMap<GuestId, Guest>);

impl Watcher {
    /// Hears who has answered, asks whose time has come, tells who is silent; answers when to do it again.
    pub(super) fn step(&mut self, core: &Core, now: Instant) -> Option<Instant> {
        // Answers first: who was kept from looking for long must not call a guest silent that has answered.
        for (id, guest) in &mut self.0 {
            guest.hear(core, *id);
        }
        self.look_around(core, now);
        let mut next = core.miss_agents(now);
        for (id, guest) in &mut self.0 {
            let own = guest.step(core, *id, now);
            next = next.into_iter().chain(own).min();
        }
        next
    }

    /// How many guests owe an answer.
    #[cfg(test)]
    pub(super) fn owing(&self) -> usize {
        self.0.values().filter(|guest| guest.question.is_some()).count()
    }

    /// Waits for an answer, the bell, or the time.
    pub(super) fn wait(&self, bell: &Bell, until: Option<Instant>) {
        let mut ready = vec![PollFd::new(bell, PollFlags::IN)];
        let open = self
            .0
            .values()
            .filter_map(|guest| guest.question.as_ref()?.conversation.as_ref());
        ready.extend(open.map(|conversation| PollFd::from_borrowed_fd(conversation.as_fd(), PollFlags::IN)));
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        // Whatever ends the wait, the next step looks at everything.
        let _ = poll(&mut ready, timeout.as_ref());
        bell.silence();
    }

    /// Finds the guests that run now.
    fn look_around(&mut self, core: &Core, now: Instant) {
        let mut gone = std::mem::take(&mut self.0);
        for entry in core.table.entries() {
            let Some(record) = entry.load().filter(|record| record.phase == Phase::Running) else {
                continue;
            };
            let Some(id) = record.run.as_ref().map(|run| run.guest) else {
                continue;
            };
            let guest = gone.remove(&id).unwrap_or_else(|| {
                // As if it had been asked some time ago, so that not all are asked at once.
                let group = u32::try_from(id.0 % u64::from(GROUPS)).unwrap_or(0);
                let ago = regular(core).unwrap_or_default() * group / GROUPS;
                Guest::new(entry, now.checked_sub(ago).unwrap_or(now))
            });
            self.0.insert(id, guest);
        }
        for (id, _) in gone {
            // Paused, or on its way: it owes no answer any more.
            core.pulse.book.note(id, |vitals| vitals.silent = None);
        }
    }
}

/// How often guests are asked that nobody looks at; `None` for never.
fn regular(core: &Core) -> Option<Duration> {
    core.options.hang_after.map(|after| (after / 3).min(SLOW))
}

impl Guest {
    fn new(entry: Arc<Entry>, asked: Instant) -> Self {
        Self {
            entry,
            asked,
            last: Command::Diskstats,
            more: false,
            sampled: false,
            question: None,
        }
    }

    /// Takes an answer, if one has come.
    fn hear(&mut self, core: &Core, id: GuestId) {
        let Some(question) = &mut self.question else { return };
        let Some(conversation) = &mut question.conversation else {
            return;
        };
        let answer = match conversation.hear() {
            Ok(None) => return,
            Ok(Some(answer)) => answer,
            Err(failure) => {
                tracing::debug!(dom = %self.entry.name, %failure, "a guest's answer is of no use");
                question.conversation = None;
                return;
            }
        };
        let command = question.command;
        self.question = None;
        // That it refuses is a sign of life, too.
        let text = answer.into_text().unwrap_or_default();
        let silent = core.pulse.book.note(id, |vitals| {
            match command {
                Command::Meminfo => vitals.memory = Some(sample::memory(&text)),
                Command::Diskstats => vitals.disks = sample::disks(&text).into(),
                _ => {}
            }
            vitals.silent.take()
        });
        if silent.flatten().is_some() {
            tracing::info!(dom = %self.entry.name, "the guest's kernel answers again");
        }
    }

    /// Asks, or finds that the answer is overdue; when to look again.
    fn step(&mut self, core: &Core, id: GuestId, now: Instant) -> Option<Instant> {
        let record = self.entry.load()?;
        let patience = core.options.hang_after;
        if let Some(question) = &self.question {
            let overdue = patience.map(|patience| question.since + patience);
            if overdue.is_some_and(|overdue| overdue <= now) {
                self.tell_silent(core, id, question.since);
            }
            // A question that waits to be read need not be put again: the kernel finds it when it wakes up.
            let again = question.put + patience.unwrap_or(SLOW);
            let read = !question.conversation.as_ref().is_some_and(Conversation::is_unread);
            if again <= now && read {
                self.ask(core, id, &record, now);
            }
            let again = if again > now {
                again
            } else {
                now + patience.unwrap_or(SLOW)
            };
            return Some(
                overdue
                    .filter(|overdue| *overdue > now)
                    .map_or(again, |overdue| overdue.min(again)),
            );
        }
        let (interval, both) = interval(core, id, &record, now)?;
        let due = if self.more || both && !self.sampled {
            now
        } else {
            self.asked + interval
        };
        if due > now + TOGETHER {
            return Some(due);
        }
        self.more = both && !self.more;
        if self.more {
            (self.sampled, self.last) = (true, Command::Diskstats);
        }
        self.asked = now;
        self.ask(core, id, &record, now);
        let wait = if self.question.is_some() {
            patience.unwrap_or(SLOW)
        } else {
            interval
        };
        Some(now + wait)
    }

    /// Puts a question, unless somebody talks to the guest.
    fn ask(&mut self, core: &Core, id: GuestId, record: &Record, now: Instant) {
        let Some(run) = record.run.as_ref().filter(|run| run.guest == id) else {
            return;
        };
        let command = match (record.may_stop, self.last) {
            // The one that a kernel survives that stops meanwhile.
            (true, _) => Command::Version,
            (false, Command::Diskstats) => Command::Meminfo,
            (false, _) => Command::Diskstats,
        };
        let opened = run.monitor.open();
        let put = core.pulse.book.unless_talking(id, || {
            // What stopped meanwhile must not hear it.
            let may = self.entry.load().is_some_and(|record| may_hear(&record, id, command));
            may.then(|| opened.and_then(|conversation| conversation.send(command.text()).map(|()| conversation)))
        });
        let conversation = match put.flatten() {
            None => {
                self.more = false;
                return;
            }
            Some(Ok(conversation)) => Some(conversation),
            Some(Err(failure @ Failure::Io(_))) => {
                // Our own want of descriptors or threads says nothing of the guest.
                tracing::warn!(dom = %self.entry.name, %failure, "the guest could not be asked for a sign of life");
                self.more = false;
                return;
            }
            Some(Err(failure)) => {
                tracing::debug!(dom = %self.entry.name, %failure, "the guest does not hear");
                None
            }
        };
        self.last = command;
        self.question = Some(Question {
            command,
            since: self.question.as_ref().map_or(now, |former| former.since),
            put: now,
            conversation,
        });
    }

    /// Shows the guest as silent, and says so once.
    fn tell_silent(&self, core: &Core, id: GuestId, since: Instant) {
        let news = core
            .pulse
            .book
            .note(id, |vitals| vitals.silent.replace(since).is_none());
        if news == Some(true) {
            let seconds = core.options.hang_after.unwrap_or_default().as_secs();
            tracing::warn!(dom = %self.entry.name, seconds, "the guest's kernel does not answer: it hangs");
        }
    }
}

/// Whether the guest may be asked this now.
fn may_hear(record: &Record, guest: GuestId, command: Command) -> bool {
    let stops = record.may_stop && !command.is_safe_while_stopped();
    record.runs_on(guest) && record.phase == Phase::Running && !stops
}

/// How often a guest is asked, and whether for everything at once; `None` for not at all.
fn interval(core: &Core, id: GuestId, record: &Record, now: Instant) -> Option<(Duration, bool)> {
    if core.pulse.book.of(id).is_wanted(now) {
        return Some((FAST, true));
    }
    let wished = record.current.stats_period().map(|period| (period, true));
    let slow = regular(core).map(|regular| (regular, false));
    wished.into_iter().chain(slow).min_by_key(|(interval, _)| *interval)
}
