//! Ending a guest, and what can be asked of it while it runs.

use super::define::lifecycle;
use super::model::Domain;
use crate::core::{Mock, seize};
use crate::fault::{Part, fault, no_domain, refused};
use driver_api::error::{Code, Result};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEventKind, Lifecycle, Reason, State, detail};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;
use std::time::Duration;

/// How long a cancelled start may take to end.
const CANCEL: Duration = Duration::from_secs(60);

impl Mock {
    /// Ends a domain; nothing of its guest is left afterwards. Cancels a start that is under way.
    pub(super) fn end(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.in_service(Part::Domain)?;
        if self.cancel_start(cx, uuid)? && self.domains.find(uuid).is_none_or(|domain| domain.run.is_none()) {
            return Ok(());
        }
        let ended = self.stop(cx, uuid, Reason::SHUTOFF_DESTROYED, |domain| domain.running().map(drop))?;
        self.tell(
            &ended.brief(),
            &[lifecycle(Lifecycle::Stopped, detail::STOPPED_DESTROYED)],
        );
        tracing::info!(dom = %ended.name(), "domain destroyed");
        Ok(())
    }

    /// Asks the guest to shut down, which it does at once.
    pub(super) fn shut_down(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.in_service(Part::Domain)?;
        let ended = self.stop(cx, uuid, Reason::SHUTOFF_SHUTDOWN, |domain| domain.awake().map(drop))?;
        let events = [
            lifecycle(Lifecycle::Shutdown, detail::SHUTDOWN_FINISHED),
            lifecycle(Lifecycle::Stopped, detail::STOPPED_SHUTDOWN),
        ];
        self.tell(&ended.brief(), &events);
        tracing::info!(dom = %ended.name(), "domain shut down");
        Ok(())
    }

    /// The one way off. Answers the domain as it is afterwards, a transient one as it would be.
    pub(super) fn stop(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        off: Reason,
        check: impl FnOnce(&Domain) -> Result<()>,
    ) -> Result<Domain> {
        self.domains.get(uuid)?;
        // Taken first, so that nothing has changed if it can not be had.
        let mut update = cx.update_read()?;
        let (before, after) = self.switch_off(&mut update, uuid, off, check)?;
        self.detach_ports(&mut update, &before.def);
        Ok(after)
    }

    fn switch_off(
        &self,
        cx: &mut Cx<'_, Update>,
        uuid: Uuid,
        off: Reason,
        check: impl FnOnce(&Domain) -> Result<()>,
    ) -> Result<(Arc<Domain>, Domain)> {
        let _held = seize(cx, uuid)?;
        let domain = self.domains.get(uuid)?;
        check(&domain)?;
        self.store.remove_run(&domain)?;
        let after = domain.stopped(off);
        let gone = Domain {
            run: None,
            off,
            ..Domain::clone(&domain)
        };
        match &after {
            Some(after) => self.domains.publish(after.clone()),
            None => self.domains.remove(uuid),
        }
        Ok((domain, after.unwrap_or(gone)))
    }

    /// Cancels a start that is under way and waits until it is over; says whether there was one.
    fn cancel_start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<bool> {
        if !self.starts.is_starting(uuid) {
            return Ok(false);
        }
        // It may have ended between the two; then there is no job, and nothing to wait for.
        if let Err(error) = cx.cancel_job(uuid) {
            tracing::debug!(%uuid, %error, "the start was over before it was cancelled");
        }
        if self.starts.wait_for(uuid, CANCEL) {
            return Ok(true);
        }
        let name = self.domains.find(uuid).map(|domain| domain.name().to_owned());
        let message = format!(
            "domain '{}' is still being started: try again",
            name.unwrap_or_default()
        );
        Err(fault(Part::Domain, Code::OPERATION_TIMEOUT, message))
    }

    /// Starts the guest anew, under the same id: by asking it, or (`forced`) without.
    pub(super) fn start_anew(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, forced: bool) -> Result<()> {
        self.in_service(Part::Domain)?;
        let held = seize(cx, uuid)?;
        let domain = self.domains.get(uuid)?;
        match forced {
            true => domain.running()?,
            false => domain.awake()?,
        };
        drop(held);
        self.tell(&domain.brief(), &[DomainEventKind::Reboot]);
        Ok(())
    }

    /// Stops the guest's processors; one that is paused stays so.
    pub(super) fn pause(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let paused = self.switch(cx, uuid, |domain| match domain.running()?.state {
            State::Paused => Ok(None),
            _ => domain.in_state(State::Paused, Reason::PAUSED_USER).map(Some),
        })?;
        if let Some(domain) = paused {
            self.tell(
                &domain.brief(),
                &[lifecycle(Lifecycle::Suspended, detail::SUSPENDED_PAUSED)],
            );
        }
        Ok(())
    }

    /// Lets the guest's processors go on.
    pub(super) fn go_on(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let resumed = self.switch(cx, uuid, |domain| match domain.running()?.state {
            State::Paused => domain.in_state(State::Running, Reason::RUNNING_UNPAUSED).map(Some),
            _ => Err(refused(domain.name(), "is not paused")),
        })?;
        if let Some(domain) = resumed {
            self.tell(
                &domain.brief(),
                &[lifecycle(Lifecycle::Resumed, detail::RESUMED_UNPAUSED)],
            );
        }
        Ok(())
    }

    /// Brings a running domain into another state.
    fn switch(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        next: impl FnOnce(&Domain) -> Result<Option<Domain>>,
    ) -> Result<Option<Domain>> {
        self.in_service(Part::Domain)?;
        let _held = seize(cx, uuid)?;
        let domain = self.domains.find(uuid).ok_or_else(|| no_domain(uuid))?;
        let Some(after) = next(&domain)? else {
            return Ok(None);
        };
        self.store.save_run(&after, &after.running()?)?;
        self.domains.publish(after.clone());
        Ok(Some(after))
    }
}
