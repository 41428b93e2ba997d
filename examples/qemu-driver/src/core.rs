//! `Core`: what all parts of the driver share, and the few steps that each of them is made of.

use crate::def::DomainDef;
use crate::fault::{ABORTED, fault};
use crate::store::Store;
use crate::table::{Domain, Phase, Table};
use driver_api::driver::Config;
use driver_api::error::{Code, Result};
use driver_api::host::Host;
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{After, Domain as DomainLevel, Level, Unlocked, Virt, W};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEvent, DomainEventKind, Lifecycle, detail};
use driver_api::types::uuid::Uuid;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How often what must be done is tried.
const ATTEMPTS: u32 = 3;

/// The driver's state.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) host: Host,
    pub(crate) store: Store,
    pub(crate) table: Table,
    pub(crate) version: OnceLock<u64>,
    next_id: Mutex<i32>,
    closing: AtomicBool,
}

impl Core {
    pub(crate) fn new(host: Host, config: &Config) -> Self {
        Self {
            host,
            store: Store::new(config),
            table: Table::default(),
            version: OnceLock::new(),
            next_id: Mutex::new(1),
            closing: AtomicBool::new(false),
        }
    }

    /// An id that no guest had since the machine booted.
    pub(crate) fn next_id(&self) -> Result<i32> {
        let mut next = self.next_id.lock().unwrap_or_else(PoisonError::into_inner);
        self.store.save_next_id(next.saturating_add(1))?;
        *next = next.saturating_add(1);
        Ok(*next - 1)
    }

    /// Ids below this one were given by the last host.
    pub(crate) fn begin_ids(&self, first: i32) {
        let mut next = self.next_id.lock().unwrap_or_else(PoisonError::into_inner);
        *next = first.max(*next);
    }

    /// No change begins from now on.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn must_serve(&self) -> Result<()> {
        match self.closing.load(Ordering::Relaxed) {
            true => Err(fault(Code::OPERATION_INVALID, "the host stops: ask the next one")),
            false => Ok(()),
        }
    }

    /// Changes a domain under its lock; what `edit` refuses is left as it was.
    pub(crate) fn change<L: Level, T>(
        &self,
        cx: &mut Cx<'_, L>,
        uuid: Uuid,
        edit: impl FnOnce(&mut Domain) -> Result<T>,
    ) -> Result<T>
    where
        Virt: After<L>,
        DomainLevel: After<L>,
    {
        let mut held = sound(cx.lookup(uuid)?)?;
        let mut domain = Domain::clone(&*self.table.get(uuid)?);
        let told = edit(&mut domain)?;
        self.table.publish(&mut held, uuid, Some(domain));
        Ok(told)
    }

    /// The same for one whose start or run goes on; the change is on disk before others see it.
    ///
    /// # Errors
    /// 78 when a client wants it gone, 55 when it is gone.
    pub(crate) fn advance<L: Level>(
        &self,
        cx: &mut Cx<'_, L>,
        uuid: Uuid,
        edit: impl FnOnce(&mut Domain),
    ) -> Result<Domain>
    where
        Virt: After<L>,
        DomainLevel: After<L>,
    {
        self.change(cx, uuid, |domain| {
            let name = &domain.def.name;
            if domain.condemned {
                return Err(fault(ABORTED, format!("domain '{name}' is being destroyed")));
            }
            if domain.exit.is_some() || matches!(domain.phase, Phase::Off | Phase::Ending) {
                return Err(fault(Code::OPERATION_INVALID, format!("the guest of domain '{name}' has ended")));
            }
            edit(domain);
            self.store.save_note(uuid, &domain.note())?;
            Ok(domain.clone())
        })
    }

    /// Stores a definition and shows it.
    pub(crate) fn define(&self, cx: &mut Cx<'_, Unlocked>, def: DomainDef) -> Result<Domain> {
        let (uuid, def) = (def.uuid, Arc::new(def));
        let staged = self.store.stage(&def)?;
        let (domain, detail) = {
            let mut table = cx.virt_write()?;
            self.table.check_names(&def)?;
            let mut held = sound(table.domain_write(uuid)?)?;
            staged.commit()?;
            let (mut domain, detail) = match self.table.get(uuid) {
                Ok(old) if old.stored.is_some() => (Domain::clone(&old), detail::DEFINED_UPDATED),
                Ok(old) => (Domain::clone(&old), detail::DEFINED_ADDED),
                Err(_) => (Domain::off(Arc::clone(&def), None), detail::DEFINED_ADDED),
            };
            if domain.phase == Phase::Off {
                domain.def = Arc::clone(&def);
            }
            domain.stored = Some(def);
            self.table.publish(&mut held, uuid, Some(domain.clone()));
            (domain, detail)
        };
        self.store.flush()?;
        self.tell(&domain, Lifecycle::Defined, detail);
        Ok(domain)
    }

    /// Removes a definition; a guest runs on without one.
    pub(crate) fn undefine(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let domain = {
            let mut table = cx.virt_write()?;
            let mut held = sound(table.domain_write(uuid)?)?;
            let mut domain = Domain::clone(&*self.table.get(uuid)?);
            must_be_stored(&domain)?;
            self.store.remove_definition(uuid)?;
            (domain.stored, domain.autostart) = (None, false);
            self.table.publish(&mut held, uuid, (domain.phase != Phase::Off).then(|| domain.clone()));
            domain
        };
        self.store.flush()?;
        self.tell(&domain, Lifecycle::Undefined, detail::UNDEFINED_REMOVED);
        Ok(())
    }

    pub(crate) fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        self.change(cx, uuid, |domain| {
            must_be_stored(domain)?;
            self.store.set_autostart(uuid, on)?;
            domain.autostart = on;
            Ok(())
        })
    }

    /// Clients hear of it once this thread holds no lock any more.
    pub(crate) fn tell(&self, domain: &Domain, event: Lifecycle, detail: u32) {
        self.emit(domain, DomainEventKind::Lifecycle(event, detail));
    }

    pub(crate) fn emit(&self, domain: &Domain, kind: DomainEventKind) {
        self.host.emit(&DomainEvent {
            uuid: domain.def.uuid,
            name: domain.def.name.clone(),
            id: domain.shown_id(),
            kind,
        });
    }
}

/// Does what must be done however busy the locks are: an end that nobody notes would leave a domain running for ever.
///
/// # Errors
/// That of the last attempt; each has waited as long as the host lets it.
pub(crate) fn insist<T>(
    cx: &mut Cx<'_, Unlocked>,
    mut work: impl FnMut(&mut Cx<'_, Unlocked>) -> Result<T>,
) -> Result<T> {
    for _ in 1..ATTEMPTS {
        match work(cx) {
            Err(error) => tracing::warn!(%error, "a guest's end is noted at the next attempt"),
            done => return done,
        }
    }
    work(cx)
}

/// A domain's lock that is usable: what it protects is one pointer, which is whole even if its last holder failed.
pub(crate) fn sound(mut held: Guard<'_, DomainLevel, W>) -> Result<Guard<'_, DomainLevel, W>> {
    if held.is_poisoned() {
        tracing::warn!("the last holder of a domain's lock failed");
        held.clear_poison()?;
    }
    Ok(held)
}

fn must_be_stored(domain: &Domain) -> Result<()> {
    match domain.stored {
        Some(_) => Ok(()),
        None => Err(fault(
            Code::OPERATION_INVALID,
            format!("domain '{}' has no definition: it goes with its guest", domain.def.name),
        )),
    }
}
