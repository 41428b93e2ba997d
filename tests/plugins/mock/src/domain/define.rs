//! Changing what is defined: on the disk first, then for everybody to see; a failure changes neither.

use super::def::Def;
use super::model::{Domain, there};
use super::store::Mark;
use crate::core::{Mock, mend, seize};
use crate::fault::{Part, refused};
use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, DomainEvent, DomainEventKind, Lifecycle, detail};
use driver_api::types::notice::{DomainNotice, Notice};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

impl Mock {
    /// Stores a definition, new or in the place of an older one; a running domain takes it at its next start.
    pub(super) fn define_domain(&self, cx: &mut Cx<'_, Unlocked>, def: Def) -> Result<DomainBrief> {
        self.in_service(Part::Domain)?;
        let def = Arc::new(def);
        // Virt is held for the claim only: the file is written under the domain's own lock.
        let _claim = {
            let mut virt = cx.virt_write()?;
            mend(&mut virt)?;
            self.domains.claim(def.uuid, &def.name)?
        };
        let domain = seize(cx, def.uuid)?;
        let old = self.domains.find(def.uuid);
        self.store.save(&def)?;
        let new = match old.as_deref() {
            None => Domain::idle(Arc::clone(&def), Some(Arc::clone(&def))),
            Some(old) => Domain {
                def: Arc::clone(if old.run.is_some() { &old.def } else { &def }),
                next: Some(Arc::clone(&def)),
                ..old.clone()
            },
        };
        let brief = new.brief();
        self.domains.publish(new);
        drop(domain);
        let replaced = old.is_some_and(|old| old.next.is_some());
        let how = if replaced {
            detail::DEFINED_UPDATED
        } else {
            detail::DEFINED_ADDED
        };
        self.tell(&brief, &[lifecycle(Lifecycle::Defined, how)]);
        tracing::info!(dom = %brief.name, "domain defined");
        Ok(brief)
    }

    /// Removes a definition; a running domain becomes transient, an idle one is gone.
    pub(super) fn undefine_domain(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.in_service(Part::Domain)?;
        let held = seize(cx, uuid)?;
        let domain = self.domains.get(uuid)?;
        self.store.remove(&**domain.persistent()?)?;
        let after = Domain {
            next: None,
            autostart: false,
            autostart_once: false,
            ..Domain::clone(&domain)
        };
        let brief = after.brief();
        match after.run {
            Some(_) => self.domains.publish(after),
            None => self.domains.remove(uuid),
        }
        drop(held);
        self.tell(&brief, &[lifecycle(Lifecycle::Undefined, detail::UNDEFINED_REMOVED)]);
        tracing::info!(dom = %brief.name, "domain undefined");
        Ok(())
    }

    /// Sets whether the domain is started with the host.
    pub(super) fn mark(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, mark: Mark, on: bool) -> Result<()> {
        self.in_service(Part::Domain)?;
        let _held = seize(cx, uuid)?;
        let domain = self.domains.get(uuid)?;
        self.store.mark(&**domain.persistent()?, mark, on)?;
        let mut after = Domain::clone(&domain);
        match mark {
            Mark::Always => after.autostart = on,
            Mark::Once => after.autostart_once = on,
        }
        self.domains.publish(after);
        Ok(())
    }

    /// Gives a domain that does not run another name.
    pub(super) fn rename_domain(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, name: &str) -> Result<DomainBrief> {
        self.in_service(Part::Domain)?;
        there(uuid, self.domains.find(uuid))?;
        super::def::check_name(name)?;
        let _claim = {
            let mut virt = cx.virt_write()?;
            mend(&mut virt)?;
            self.domains.claim_name(uuid, name)
        };
        let held = seize(cx, uuid)?;
        let domain = self.domains.get(uuid)?;
        if domain.run.is_some() {
            return Err(refused(domain.name(), "runs and keeps its name: shut it down first"));
        }
        if self.starts.is_starting(uuid) {
            return Err(refused(domain.name(), "is being started and keeps its name"));
        }
        let persistent = domain.persistent()?;
        let _claim = _claim?;
        let def = Arc::new(persistent.with_text("name", name)?);
        self.store.save(&def)?;
        let after = Domain {
            def: Arc::clone(&def),
            next: Some(def),
            ..Domain::clone(&domain)
        };
        let (before, after_brief) = (domain.brief(), after.brief());
        self.domains.publish(after);
        drop(held);
        self.tell(&before, &[lifecycle(Lifecycle::Undefined, detail::UNDEFINED_RENAMED)]);
        self.tell(&after_brief, &[lifecycle(Lifecycle::Defined, detail::DEFINED_RENAMED)]);
        Ok(after_brief)
    }

    /// Raises events of a domain as it is after them.
    pub(crate) fn tell(&self, brief: &DomainBrief, kinds: &[DomainEventKind]) {
        for kind in kinds {
            self.host.emit(&DomainEvent {
                uuid: brief.uuid,
                name: brief.name.clone(),
                id: brief.id,
                kind: *kind,
            });
        }
    }

    /// Tells what happened to a domain beside its life.
    pub(crate) fn notify(&self, domain: &Domain, notice: Notice) {
        self.host.notify(DomainNotice {
            uuid: domain.uuid(),
            name: domain.name().to_owned(),
            id: domain.id(),
            notice,
        });
    }
}

pub(super) const fn lifecycle(event: Lifecycle, detail: u32) -> DomainEventKind {
    DomainEventKind::Lifecycle(event, detail)
}
