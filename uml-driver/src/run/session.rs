//! `Session`: the change of one running guest, from its beginning as a job to what is published in the end.

use crate::core::{Core, refused, seize};
use crate::def::DomainDef;
use crate::mconsole::client::{Failure, PATIENCE};
use crate::plan::LOG_ALIAS;
use crate::plan::order::Order;
use crate::pulse::vitals::Talk;
use crate::state::atomic::Staged;
use crate::state::machine::{Phase, Verb};
use crate::state::record::{Port, Record, Run};
use crate::state::remnant::Remnant;
use crate::state::scope::Scope;
use crate::state::table::Entry;
use driver_api::error::Result;
use driver_api::lock::guard::Job;
use driver_api::lock::level::{After, Domain, Level, Unlocked, Virt};
use driver_api::lock::token::Cx;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// A change of a definition; the second argument is what runs, if anything does.
pub(super) type Edit<'a> = dyn Fn(&DomainDef, Option<&DomainDef>) -> Result<DomainDef> + 'a;

/// A running guest that is being changed; as long as this is there nobody else changes it or talks to its kernel.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) entry: &'a Arc<Entry>,
    pub(super) run: Run,
    /// The definition that is to be stored, and the one that it was made from.
    stored: RefCell<Option<Stored>>,
    refused: Cell<bool>,
    job: Option<Job>,
    /// It is not asked for a sign of life meanwhile.
    _talk: Option<Talk>,
}

#[derive(Debug)]
struct Stored {
    from: Arc<DomainDef>,
    def: DomainDef,
    staged: Staged,
}

impl<'a> Session<'a> {
    /// A guest of the last host that nobody can speak to yet.
    pub(super) fn of_nobody(entry: &'a Arc<Entry>, run: Run) -> Self {
        Self {
            entry,
            run,
            stored: RefCell::default(),
            refused: Cell::default(),
            job: None,
            _talk: None,
        }
    }

    /// Asks the guest's kernel something about a device.
    pub(super) fn ask(&self, order: &Order) -> std::result::Result<String, Failure> {
        self.run.monitor.order(order, PATIENCE)
    }

    /// Tells the guest's kernel to do something with a device.
    pub(super) fn tell(&self, order: &Order) -> std::result::Result<String, Failure> {
        let answer = self.ask(order);
        self.refused.set(matches!(answer, Err(Failure::Refused(..))));
        answer
    }

    /// Whether the last thing that the kernel was told to do was refused by it.
    pub(super) fn was_refused(&self) -> bool {
        self.refused.get()
    }

    /// Whether a client wants the change to end.
    pub(super) fn is_cancelled(&self) -> bool {
        self.job.as_ref().is_some_and(Job::is_cancelled)
    }

    /// The definition is not to be changed after all.
    pub(super) fn store_nothing(&self) {
        self.stored.take();
    }

    /// Ports of consoles that are in use though the definition does not say so: a guest without any line has its log on
    /// the first.
    pub(super) fn kept_ports(&self, record: &Record) -> Vec<u32> {
        let logs = |run: &Run| run.lines.iter().any(|line| line.alias == LOG_ALIAS);
        match record.run.as_ref().is_some_and(logs) {
            true => vec![0],
            false => Vec::new(),
        }
    }
}

impl Core {
    /// Begins a change where the flags say, as a job of this name on what `of` names ("devices"). A change of the definition alone is made here, and nothing is left to do then.
    pub(super) fn open_session<'a>(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &'a Arc<Entry>,
        flags: u32,
        (job, of): (&str, &str),
        edit: &Edit<'_>,
    ) -> Result<Option<Session<'a>>> {
        let mut domain = seize(cx, entry.uuid)?;
        let record = entry.record()?;
        let scope = Scope::of(entry, &record, flags, of)?;
        let running = record.phase.is_active().then_some(&*record.current);
        let stored = match record.next.as_ref().filter(|_| scope.config) {
            Some(from) => Some((Arc::clone(from), edit(from, running)?)),
            None => None,
        };
        if !scope.live {
            let Some((_, def)) = stored else { return Ok(None) };
            self.store.save_definition(&entry.name, &def.to_xml(None))?;
            let def = Arc::new(def);
            let mut after = Record::clone(&record);
            if matches!(after.phase, Phase::Off | Phase::Crashed) {
                after.current = Arc::clone(&def);
            }
            after.next = Some(def);
            after.updated = after.differs();
            entry.publish(&mut domain, Some(after));
            return Ok(None);
        }
        record.phase.permits(Verb::Change).map_err(|why| refused(entry, why))?;
        if record.may_stop {
            let why = "did not answer when it was suspended and may stop yet: resume it first";
            return Err(refused(entry, why));
        }
        let run = record.run.clone().ok_or_else(|| refused(entry, "has no guest"))?;
        let job = domain.begin_job(job)?;
        drop(domain);
        let talk = self.pulse.talk(run.guest);
        let session = Session {
            entry,
            run,
            stored: RefCell::default(),
            refused: Cell::default(),
            job: Some(job),
            _talk: Some(talk),
        };
        // A full disk is known before anything is done.
        if let Some((from, def)) = stored {
            let staged = self.store.stage_definition(&entry.name, &def.to_xml(None))?;
            session.stored.replace(Some(Stored { from, def, staged }));
        }
        Ok(Some(session))
    }

    /// Notes what an unfinished change would leave, for the next host, and which port is about to be there.
    pub(super) fn note_beginning<L: Level>(
        &self,
        cx: &mut Cx<'_, L>,
        session: &Session<'_>,
        remnants: &[Remnant],
        arriving: Option<&Port>,
    ) -> Result<()>
    where
        Virt: After<L>,
        Domain: After<L>,
    {
        self.note(cx, session, |record| {
            record.remnants = remnants.into();
            record.arriving = arriving.cloned();
        })
    }

    /// Notes something about the guest on the way.
    pub(super) fn note<L: Level>(
        &self,
        cx: &mut Cx<'_, L>,
        session: &Session<'_>,
        note: impl FnOnce(&mut Record),
    ) -> Result<()>
    where
        Virt: After<L>,
        Domain: After<L>,
    {
        let mut domain = seize(cx, session.entry.uuid)?;
        let mut record = Record::clone(&*session.entry.record()?);
        still_runs(session, &record)?;
        note(&mut record);
        self.publish(session.entry, &mut domain, record)
    }

    /// Stores and publishes what has been done; the id that the domain has then. On failure nothing has changed.
    pub(super) fn settle<L: Level>(
        &self,
        cx: &mut Cx<'_, L>,
        session: &Session<'_>,
        edit: &Edit<'_>,
        note: impl FnOnce(&mut Record) -> Result<()>,
    ) -> Result<Option<i32>>
    where
        Virt: After<L>,
        Domain: After<L>,
    {
        let entry = session.entry;
        let mut domain = seize(cx, entry.uuid)?;
        let record = entry.record()?;
        still_runs(session, &record)?;
        let mut after = Record::clone(&record);
        note(&mut after)?;
        after.remnants = Arc::default();
        let stored = self.to_store(session, &record, edit)?;
        if let Some(stored) = &stored {
            after.next = Some(Arc::new(stored.def.clone()));
        }
        after.updated = after.differs();
        if let Some(status) = after.status() {
            self.store.save_status(entry.uuid, &status)?;
        }
        if let Some(Stored { staged, .. }) = stored
            && let Err(error) = self.store.commit_definition(&entry.name, staged)
        {
            if let Some(status) = record.status() {
                self.store.save_status(entry.uuid, &status)?;
            }
            return Err(error);
        }
        let id = after.shown_id();
        entry.publish(&mut domain, Some(after));
        Ok(id)
    }

    /// The definition that is to be stored; made anew when somebody has defined the domain meanwhile.
    fn to_store(&self, session: &Session<'_>, record: &Record, edit: &Edit<'_>) -> Result<Option<Stored>> {
        let Some(stored) = session.stored.take() else {
            return Ok(None);
        };
        let Some(next) = &record.next else {
            return Err(refused(session.entry, "was undefined meanwhile"));
        };
        if Arc::ptr_eq(next, &stored.from) {
            return Ok(Some(stored));
        }
        drop(stored.staged);
        let def = edit(next, Some(&record.current))?;
        let staged = self.store.stage_definition(&session.entry.name, &def.to_xml(None))?;
        Ok(Some(Stored {
            from: Arc::clone(next),
            def,
            staged,
        }))
    }
}

fn still_runs(session: &Session<'_>, record: &Record) -> Result<()> {
    match record.runs_on(session.run.guest) {
        true => Ok(()),
        false => Err(refused(session.entry, "ended meanwhile")),
    }
}
