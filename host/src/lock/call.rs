//! `Frame`: one call of the host into a plug-in, or one session of a plug-in's own thread; it owns holds.

use super::error::LockError;
use super::held::Hold;
use super::rank::{Key, Mode};
use super::shim::ThreadInfo;
use super::table::{Actor, Note, Table};
use driver_api::abi::lock::Call;
use std::borrow::Cow;
use std::time::Duration;

/// What the host says about a call that it is about to make.
#[derive(Clone, Debug)]
pub struct CallSpec {
    /// The plug-in that is called.
    pub plugin: u32,
    /// The method, for people.
    pub name: Cow<'static, str>,
    /// The client for whom it is called.
    pub client: Option<u64>,
    /// How long the caller can wait; every wait inside the call ends by then.
    pub time: Option<Duration>,
    /// What the thread must hold when the call begins.
    pub entry: Entry,
}

impl CallSpec {
    /// A call that enters with nothing held, for nobody in particular, without a deadline.
    #[must_use]
    pub fn new(plugin: u32, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            plugin,
            name: name.into(),
            client: None,
            time: None,
            entry: Entry::Level(0),
        }
    }

    /// For this client.
    #[must_use]
    pub const fn client(mut self, client: u64) -> Self {
        self.client = Some(client);
        self
    }

    /// Within this time.
    #[must_use]
    pub const fn within(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Entered with this held.
    #[must_use]
    pub const fn entry(mut self, entry: Entry) -> Self {
        self.entry = entry;
        self
    }
}

/// What a thread must hold when a call begins: what the type of the callee's token says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// The greatest lock held is of this rank; 0 is nothing at all.
    Level(u32),
    /// Anything: the callee gets no token.
    Any,
}

/// A call that runs.
#[derive(Debug)]
pub struct Frame {
    pub(super) plugin: u32,
    pub(super) name: Cow<'static, str>,
    pub(super) client: Option<u64>,
    pub(super) thread: u64,
    pub(super) deadline: Option<Duration>,
    pub(super) struck: bool,
    pub(super) held: Vec<u64>,
    /// The hold that a loan brought; it ends with the session, as nobody else could give it back.
    pub(super) adopted: Option<u64>,
}

/// A thread that is inside at least one call.
#[derive(Debug)]
pub struct Thread {
    pub(super) info: ThreadInfo,
    /// Outermost first.
    pub(super) frames: Vec<u64>,
}

impl<W> Table<W> {
    /// Begins a call on a thread, perhaps inside another one.
    ///
    /// # Errors
    /// [`LockError::Entry`] when the thread does not hold what the callee is promised.
    pub fn begin(&mut self, spec: CallSpec, thread: u64, info: ThreadInfo, now: Duration) -> Result<Call, LockError> {
        let top = self.top(thread);
        let found = top.map_or(0, |(key, _)| key.rank());
        if let Entry::Level(wanted) = spec.entry
            && wanted != found
        {
            return Err(LockError::Entry {
                call: spec.name.into_owned(),
                wanted: level_name(wanted),
                found: top.map_or_else(|| level_name(0), |(key, _)| key.to_string()),
            });
        }
        let id = self.push(spec, thread, info, now);
        Ok(self.wire(id, now))
    }

    /// Begins a session on a thread that is inside nothing yet.
    ///
    /// # Errors
    /// [`LockError::InsideCall`].
    pub fn open(
        &mut self,
        plugin: u32,
        name: &str,
        thread: u64,
        info: ThreadInfo,
        now: Duration,
    ) -> Result<Call, LockError> {
        let free = self.free_thread(thread);
        let nobody = Actor {
            plugin,
            call: 0,
            thread,
        };
        self.judged(nobody, now, free)?;
        let id = self.push(CallSpec::new(plugin, name.to_owned()), thread, info, now);
        Ok(self.wire(id, now))
    }

    pub(super) fn free_thread(&self, thread: u64) -> Result<(), LockError> {
        let inside = self.threads.get(&thread).and_then(|t| t.frames.last());
        inside.and_then(|call| self.calls.get(call)).map_or(Ok(()), |frame| {
            Err(LockError::InsideCall {
                call: frame.name.to_string(),
            })
        })
    }

    pub(super) fn push(&mut self, spec: CallSpec, thread: u64, info: ThreadInfo, now: Duration) -> u64 {
        let id = self.mint.draw();
        let frame = Frame {
            plugin: spec.plugin,
            name: spec.name,
            client: spec.client,
            thread,
            deadline: spec.time.map(|time| now.saturating_add(time)),
            struck: false,
            held: Vec::new(),
            adopted: None,
        };
        self.calls.insert(id, frame);
        let frames = Vec::new;
        let thread = self
            .threads
            .entry(thread)
            .or_insert_with(|| Thread { info, frames: frames() });
        thread.frames.push(id);
        id
    }

    /// A call as the plug-in sees it.
    pub(super) fn wire(&self, id: u64, now: Duration) -> Call {
        let frame = self.calls.get(&id);
        let top = frame.and_then(|f| self.top(f.thread));
        let left = frame.and_then(|f| f.deadline).map(|d| super::status::ms(now, d));
        Call {
            id,
            level: top.map_or(0, |(key, _)| key.rank()),
            exclusive: u32::from(top.is_some_and(|(_, mode)| mode == Mode::Exclusive)),
            deadline_ms: left.map_or(0, |ms| ms.max(1)),
        }
    }

    /// Ends a call; what it still holds is taken back. Says how many holds that were.
    ///
    /// # Errors
    /// The refusals of ownership.
    pub fn end(&mut self, who: Actor, now: Duration) -> Result<usize, LockError> {
        let acting = self.acting(who);
        self.judged(who, now, acting)?;
        let adopted = self.calls.get(&who.call).and_then(|frame| frame.adopted);
        if let Some((handle, hold)) = adopted.and_then(|h| Some((h, *self.holds.get(&h)?))) {
            self.drop_hold(handle, hold, now);
            self.note_if_bare(who.thread);
        }
        Ok(self.pop(who.call, now))
    }

    fn pop(&mut self, call: u64, now: Duration) -> usize {
        let swept = self.sweep(call, now);
        let Some(frame) = self.calls.remove(&call) else {
            return swept;
        };
        if swept > 0 {
            self.note_if_bare(frame.thread);
        }
        if let Some(thread) = self.threads.get_mut(&frame.thread) {
            thread.frames.retain(|f| *f != call);
            if thread.frames.is_empty() {
                self.threads.remove(&frame.thread);
            }
        }
        swept
    }

    fn sweep(&mut self, call: u64, now: Duration) -> usize {
        let Some(frame) = self.calls.get(&call) else {
            return 0;
        };
        let who = Actor {
            plugin: frame.plugin,
            call,
            thread: frame.thread,
        };
        let name = frame.name.to_string();
        let left: Vec<(u64, Hold)> = frame
            .held
            .iter()
            .rev()
            .filter_map(|h| Some((*h, *self.holds.get(h)?)))
            .collect();
        for (handle, hold) in &left {
            self.effects.notes.push(Note::Swept {
                key: hold.key,
                mode: hold.mode,
                plugin: self.plugins.name(who.plugin),
                call: name.clone(),
            });
            self.poison(*hold);
            self.drop_hold(*handle, *hold, now);
        }
        if !left.is_empty() {
            self.strike(
                who,
                "a lock was not given back before the call or its thread ended",
                now,
            );
        }
        left.len()
    }

    /// A thread is gone: so are its calls and what they held.
    pub fn thread_gone(&mut self, thread: u64, now: Duration) -> usize {
        let frames = self.threads.get(&thread).map(|t| t.frames.clone()).unwrap_or_default();
        frames.iter().rev().map(|call| self.pop(*call, now)).sum()
    }

    /// Whether this actor may act: its own call, on its own thread, with no inner call running.
    pub(super) fn acting(&self, who: Actor) -> Result<(), LockError> {
        let frame = self.calls.get(&who.call).ok_or(LockError::UnknownCall)?;
        if frame.plugin != who.plugin {
            return Err(LockError::ForeignCall {
                plugin: self.plugins.name(frame.plugin),
            });
        }
        if frame.thread != who.thread {
            return Err(self.foreign_thread(frame.thread));
        }
        if self.threads.get(&who.thread).and_then(|t| t.frames.last()) != Some(&who.call) {
            return Err(LockError::NotInnermost {
                call: frame.name.to_string(),
            });
        }
        Ok(())
    }

    pub(super) fn foreign_thread(&self, owner: u64) -> LockError {
        LockError::ForeignThread {
            owner: self
                .threads
                .get(&owner)
                .map_or_else(String::new, |t| t.info.name.to_string()),
        }
    }

    /// Everything that a thread holds, whatever call took it.
    pub(super) fn held_by(&self, thread: u64) -> impl Iterator<Item = (u64, &Hold)> {
        let frames = self
            .threads
            .get(&thread)
            .map(|t| t.frames.as_slice())
            .unwrap_or_default();
        frames
            .iter()
            .filter_map(|call| self.calls.get(call))
            .flat_map(|frame| &frame.held)
            .filter_map(|handle| Some((*handle, self.holds.get(handle)?)))
    }

    /// The greatest lock that a thread holds.
    #[must_use]
    pub fn top(&self, thread: u64) -> Option<(Key, Mode)> {
        let held = self.held_by(thread).map(|(_, hold)| (hold.key, hold.mode));
        held.max_by_key(|(key, _)| *key)
    }

    /// Whether the thread of this call holds a lock of a level, and how.
    ///
    /// # Errors
    /// [`LockError::NotHeld`] and the refusals of ownership.
    pub fn require(&mut self, who: Actor, rank: u32, now: Duration) -> Result<Mode, LockError> {
        let found = self.acting(who).and_then(|()| {
            let mut held = self.held_by(who.thread).filter(|(_, hold)| hold.key.rank() == rank);
            held.next()
                .map(|(_, hold)| hold.mode)
                .ok_or_else(|| LockError::NotHeld {
                    wanted: level_name(rank),
                })
        });
        self.judged(who, now, found)
    }

    /// When a wait of this call must end at the latest.
    #[must_use]
    pub fn deadline(&self, call: u64) -> Option<Duration> {
        self.calls.get(&call)?.deadline
    }

    pub(super) fn note_if_bare(&mut self, thread: u64) {
        if self.held_by(thread).next().is_none() {
            self.effects.bare.push(thread);
        }
    }
}

/// What people call a level.
fn level_name(rank: u32) -> String {
    use driver_api::lock::level::{Domain, Filter, Level, Update, Virt};
    match rank {
        0 => "no lock".into(),
        Filter::RANK => Filter::NAME.into(),
        Update::RANK => Update::NAME.into(),
        Virt::RANK => Virt::NAME.into(),
        Domain::RANK => Domain::NAME.into(),
        other => format!("a lock of rank {other}"),
    }
}
