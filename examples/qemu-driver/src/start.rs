//! Starting: announce it under the lock, make everything without one, publish when QEMU answers.

use crate::core::{Core, sound};
use crate::def::DomainDef;
use crate::fault::{ABORTED, fault, system};
use crate::plan;
use crate::qmp::Monitor;
use crate::table::{Busy, Domain, Phase, Run};
use driver_api::error::{Code, Error, Result};
use driver_api::lock::guard::{Guard, Job};
use driver_api::lock::level::{Domain as DomainLevel, Unlocked, W};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{Lifecycle, Reason, detail};
use driver_api::types::guest::GuestId;
use driver_api::types::uuid::Uuid;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long QEMU may take until it answers for the first time: the machine may be busy with others.
const FIRST_ANSWER: Duration = Duration::from_secs(60);
/// How much of its console a failed start shows, in bytes.
const TAIL: u32 = 2048;

/// How a start is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) paused: bool,
    pub(crate) autodestroy: bool,
}

impl Core {
    /// Makes a domain that goes with its guest, or starts a stored one with another definition, once.
    pub(crate) fn create(&self, cx: &mut Cx<'_, Unlocked>, def: DomainDef, wish: Wish) -> Result<Domain> {
        let announced = {
            let mut table = cx.virt_write()?;
            self.table.check_names(&def)?;
            let held = sound(table.domain_write(def.uuid)?)?;
            self.announce(held, def.uuid, Some(Arc::new(def)), wish)?
        };
        self.bring_to_life(cx, announced, wish)
    }

    /// Starts a domain and returns when its QEMU answers.
    pub(crate) fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, wish: Wish) -> Result<Domain> {
        let announced = self.announce(sound(cx.lookup(uuid)?)?, uuid, None, wish)?;
        self.bring_to_life(cx, announced, wish)
    }

    /// Says that a start is under way: others may look, but not begin anything.
    fn announce(
        &self,
        mut held: Guard<'_, DomainLevel, W>,
        uuid: Uuid,
        def: Option<Arc<DomainDef>>,
        wish: Wish,
    ) -> Result<(Job, Busy<'_>, Domain)> {
        let mut domain = match (self.table.get(uuid), &def) {
            (Err(_), Some(def)) => Domain::off(Arc::clone(def), None),
            (before, _) => Domain::clone(&*before?),
        };
        domain.must_be(&[Phase::Off])?;
        let job = held.begin_job("start")?;
        domain.def = def.or_else(|| domain.stored.clone()).unwrap_or(domain.def);
        (domain.phase, domain.id) = (Phase::Starting, self.next_id()?);
        (domain.autodestroy, domain.condemned, domain.exit) = (wish.autodestroy, false, None);
        self.table.publish(&mut held, uuid, Some(domain.clone()));
        Ok((job, self.table.occupy(uuid), domain))
    }

    fn bring_to_life(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        (job, _busy, domain): (Job, Busy<'_>, Domain),
        wish: Wish,
    ) -> Result<Domain> {
        let started = self.boot(cx, &domain, wish);
        drop(job);
        let domain = started.map_err(|error| self.give_up(cx, &domain, error))?;
        tracing::info!(dom = %domain.def.name, id = domain.id, "the guest is up");
        self.tell(&domain, Lifecycle::Started, detail::STARTED_BOOTED);
        if wish.paused {
            self.tell(&domain, Lifecycle::Suspended, detail::SUSPENDED_PAUSED);
        }
        Ok(domain)
    }

    fn boot(&self, cx: &mut Cx<'_, Unlocked>, domain: &Domain, wish: Wish) -> Result<Domain> {
        let def = &domain.def;
        if def.kvm && !Path::new(plan::KVM).exists() {
            let message = format!("there is no '{}' on this machine: use type 'qemu', which emulates", plan::KVM);
            return Err(fault(Code::CONFIG_UNSUPPORTED, message));
        }
        let firmware: Vec<&str> = plan::FIRMWARE.into_iter().filter(|folder| Path::new(folder).exists()).collect();
        let order = plan::order(def, &firmware, wish.paused);
        let taps = self.open_ports(cx, def, domain.id)?;
        let socket = self.store.monitor(def.uuid);
        // Made here and not by QEMU: it can be called at once, and no guest can put something else in its place.
        let listener = UnixListener::bind(&socket)
            .map_err(|e| system(format!("cannot make the monitor socket '{}'", socket.display()), e))?;
        let descriptors = std::iter::once(listener.as_fd()).chain(taps.iter().map(|tap| tap.fd.as_fd()));
        let started = self.host.spawn_with(cx, &order, &descriptors.collect::<Vec<_>>())?;
        // From here on they live as long as the guest; a copy here would keep its monitor open after its end.
        drop((listener, taps));
        for missing in &started.not_isolated {
            tracing::warn!(dom = %def.name, %missing, "the guest is not fully isolated");
        }
        let guest = GuestId(started.guest);
        let run = Run { guest, ptys: started.ptys };
        // Known before its events are asked for, so that none finds nobody.
        let known = self.advance(cx, def.uuid, |domain| domain.run = Some(run));
        if let Err(error) = known {
            self.discard(cx, &def.name, guest);
            return Err(error);
        }
        self.host.watch(cx, guest)?;
        Monitor::open(&socket, FIRST_ANSWER)?;
        self.advance(cx, def.uuid, |domain| {
            (domain.phase, domain.reason) = match wish.paused {
                true => (Phase::Paused, Reason::PAUSED_USER),
                false => (Phase::Running, Reason::RUNNING_BOOTED),
            };
        })
    }

    /// Back to rest after a start that failed; gives the error that clients see.
    fn give_up(&self, cx: &mut Cx<'_, Unlocked>, announced: &Domain, error: Error) -> Error {
        let (uuid, name) = (announced.def.uuid, &announced.def.name);
        let domain = self.table.get(uuid);
        let (guest, exit) = domain.map_or((None, None), |d| (d.run.as_ref().map(|run| run.guest), d.exit.clone()));
        let mut words = exit.map(|exit| exit.console_tail).unwrap_or_default();
        if let Some(guest) = guest {
            words = self.host.console_tail(guest, TAIL).unwrap_or(words);
            self.discard(cx, name, guest);
        }
        let cancelled = self.table.get(uuid).is_ok_and(|domain| domain.condemned);
        let (reason, detail) = match cancelled {
            true => (Reason::SHUTOFF_DESTROYED, detail::STOPPED_DESTROYED),
            false => (Reason::SHUTOFF_FAILED, detail::STOPPED_FAILED),
        };
        if let Some(domain) = self.rest(cx, uuid, reason) {
            self.tell(&domain, Lifecycle::Stopped, detail);
        }
        if cancelled {
            return fault(ABORTED, format!("the start of domain '{name}' was cancelled: somebody has destroyed it"));
        }
        let error = match words.trim() {
            "" => error,
            words => error.within(format!("the guest's last words were '{words}'")),
        };
        tracing::warn!(dom = %name, %error, "the guest could not be started");
        error.within(format!("cannot start domain '{name}'"))
    }

    /// Ends a guest that is not wanted, whatever its state.
    pub(crate) fn discard(&self, cx: &mut Cx<'_, Unlocked>, name: &str, guest: GuestId) {
        if let Err(error) = self.host.kill(cx, guest) {
            tracing::debug!(dom = %name, %error, "the guest could not be killed: it may be gone already");
        }
        if let Err(error) = self.host.forget(cx, guest) {
            tracing::warn!(dom = %name, %error, "the guest's run folder is left");
        }
    }
}
