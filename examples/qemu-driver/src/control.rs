//! What a running guest can be told through its monitor.

use crate::core::{Core, sound};
use crate::qmp::Monitor;
use crate::table::{Domain, Phase};
use driver_api::error::Result;
use driver_api::lock::guard::Job;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEventKind, Lifecycle, Reason, detail};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;
use std::time::Duration;

/// How long QEMU may take for a command; none of those here waits for the guest.
const PATIENCE: Duration = Duration::from_secs(10);

impl Core {
    pub(crate) fn suspend(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        if self.table.get(uuid)?.phase == Phase::Paused {
            return Ok(());
        }
        let (_job, _) = self.order(cx, uuid, Phase::Running, "stop")?;
        let domain = self.advance(cx, uuid, |domain| {
            (domain.phase, domain.reason) = (Phase::Paused, Reason::PAUSED_USER);
        })?;
        self.tell(&domain, Lifecycle::Suspended, detail::SUSPENDED_PAUSED);
        Ok(())
    }

    pub(crate) fn resume(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let (_job, _) = self.order(cx, uuid, Phase::Paused, "cont")?;
        let domain = self.advance(cx, uuid, |domain| {
            (domain.phase, domain.reason) = (Phase::Running, Reason::RUNNING_UNPAUSED);
        })?;
        self.tell(&domain, Lifecycle::Resumed, detail::RESUMED_UNPAUSED);
        Ok(())
    }

    /// Presses the power button; what comes of it the guest's end tells.
    pub(crate) fn press_power(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.order(cx, uuid, Phase::Running, "system_powerdown").map(drop)
    }

    /// Presses the reset button: a PC has none that asks its guest.
    pub(crate) fn press_reset(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let (_job, domain) = self.order(cx, uuid, Phase::Running, "system_reset")?;
        self.emit(&domain, DomainEventKind::Reboot);
        Ok(())
    }

    /// Has one command done, with no lock held meanwhile, as a job that keeps others from it until the caller drops it.
    fn order(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, wanted: Phase, command: &str) -> Result<(Job, Arc<Domain>)> {
        let (job, domain) = {
            let mut held = sound(cx.lookup(uuid)?)?;
            let domain = self.table.get(uuid)?;
            domain.must_be(&[wanted])?;
            (held.begin_job(command)?, domain)
        };
        let monitor = Monitor::open(&self.store.monitor(uuid), PATIENCE);
        let done = monitor.and_then(|mut monitor| monitor.ask(command));
        done.map_err(|e| e.within(format!("domain '{}' can not be told '{command}'", domain.def.name)))?;
        Ok((job, domain))
    }

    /// Whether a guest of the last host is paused.
    pub(crate) fn is_paused(&self, uuid: Uuid) -> Result<bool> {
        let status = Monitor::open(&self.store.monitor(uuid), PATIENCE)?.ask("query-status")?;
        Ok(status["running"] == false)
    }
}
