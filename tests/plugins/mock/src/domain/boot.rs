//! Starting a guest: its ports are filtered before anybody sees it run.

use super::def::Def;
use super::define::lifecycle;
use super::model::{Domain, Run};
use super::table::Claim;
use crate::core::{Mock, mend, seize};
use crate::fault::{Part, fault, refused};
use driver_api::error::{Code, Result};
use driver_api::lock::guard::Job;
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, Lifecycle, Reason, State, detail};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;
use std::time::Instant;

/// What is asked of a start.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// The guest's processors begin stopped.
    pub(super) paused: bool,
    /// It ends with the client that started it.
    pub(super) autodestroy: bool,
    /// The definition for this run alone.
    pub(super) transient: Option<Arc<Def>>,
}

impl Mock {
    /// Starts a domain, or one that is kept no longer than it runs.
    pub(super) fn boot(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, wish: &Wish) -> Result<DomainBrief> {
        self.in_service(Part::Domain)?;
        // Nobody else may take a transient domain's name while it is not to be seen yet.
        let _claim: Option<Claim<'_>> = match &wish.transient {
            Some(def) => {
                let mut virt = cx.virt_write()?;
                mend(&mut virt)?;
                Some(self.domains.claim(uuid, &def.name)?)
            }
            None => None,
        };
        let (job, def, _start) = {
            let mut held = seize(cx, uuid)?;
            let def = self.startable(uuid, wish)?;
            // From here on a second start is refused, though the lock is given back.
            let job = held.begin_job("start")?;
            (job, def, self.starts.begin(uuid))
        };
        let id = self.next_id()?;
        let running = Arc::new(def.running(|| self.new_port())?);
        let brief = {
            // Filters do not change from before the ports are made until the guest is seen with them.
            let mut update = cx.update_read()?;
            self.attach_ports(&mut update, &running)?;
            let shown = self.show_running(&mut update, id, &running, wish, &job);
            shown.inspect_err(|_| self.detach_ports(&mut update, &running))?
        };
        let mut events = vec![lifecycle(Lifecycle::Started, detail::STARTED_BOOTED)];
        if wish.paused {
            events.push(lifecycle(Lifecycle::Suspended, detail::SUSPENDED_PAUSED));
        }
        self.tell(&brief, &events);
        tracing::info!(dom = %brief.name, id, "domain started");
        Ok(brief)
    }

    /// What would be started, if it can be.
    fn startable(&self, uuid: Uuid, wish: &Wish) -> Result<Arc<Def>> {
        let known = self.domains.find(uuid);
        if let Some(domain) = known.as_deref().filter(|domain| domain.run.is_some()) {
            return Err(refused(domain.name(), "is running already"));
        }
        match &wish.transient {
            Some(def) => Ok(Arc::clone(def)),
            None => Ok(Arc::clone(&self.domains.get(uuid)?.def)),
        }
    }

    /// The last steps: noted on the disk, then seen by everybody.
    fn show_running(
        &self,
        cx: &mut Cx<'_, Update>,
        id: i32,
        def: &Arc<Def>,
        wish: &Wish,
        job: &Job,
    ) -> Result<DomainBrief> {
        let _held = seize(cx, def.uuid)?;
        if job.is_cancelled() {
            return Err(refused(&def.name, "was destroyed while it was being started"));
        }
        let before = match &wish.transient {
            Some(def) => match self.domains.find(def.uuid) {
                Some(defined) => Domain::clone(&defined),
                None => Domain::idle(Arc::clone(def), None),
            },
            // It may have been undefined meanwhile.
            None => Domain::clone(&*self.domains.get(def.uuid)?),
        };
        let (state, reason) = match wish.paused {
            true => (State::Paused, Reason::PAUSED_USER),
            false => (State::Running, Reason::RUNNING_BOOTED),
        };
        let run = Run {
            id,
            state,
            reason,
            autodestroy: wish.autodestroy,
            since: Instant::now(),
        };
        let domain = Domain {
            def: Arc::clone(def),
            run: Some(run),
            ..before
        };
        self.store.save_run(&domain, &run)?;
        let brief = domain.brief();
        self.domains.publish(domain);
        Ok(brief)
    }

    /// The next domain id: positive, never given out before.
    fn next_id(&self) -> Result<i32> {
        let mut last = self.last_id.lock();
        let next = last.checked_add(1).ok_or_else(|| {
            let message = "all domain ids are used up: start the machine anew";
            fault(Part::Domain, Code::INTERNAL, message)
        })?;
        self.store.save_last_id(next)?;
        *last = next;
        Ok(next)
    }
}
