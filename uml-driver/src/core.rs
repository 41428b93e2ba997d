//! `Core`: what every verb works on: the host, the table, the store, and the threads of the driver.

use crate::link::HostLink;
use crate::net::{Names, Network};
use crate::options::Options;
use crate::probe::Prober;
use crate::pulse::Pulse;
use crate::run::mailbox::{Boot, Mailbox};
use crate::state::machine::Phase;
use crate::state::record::Record;
use crate::state::store::Store;
use crate::state::table::{Entry, Table};
use crate::workers::Workers;
use driver_api::driver::Config;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{After, Domain, Level, Unlocked, Virt, W};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEvent, DomainEventKind};
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The driver behind its trait.
#[derive(Debug)]
pub struct Core {
    pub(crate) host: Box<dyn HostLink>,
    pub(crate) store: Store,
    pub(crate) table: Table,
    pub(crate) mailbox: Mailbox,
    pub(crate) workers: Workers,
    pub(crate) pulse: Pulse,
    pub(crate) prober: Prober,
    pub(crate) options: Options,
    pub(crate) network: Box<dyn Network>,
    /// The names of its guests' devices.
    pub(crate) names: Names,
    /// Who waits for which domain's guest to boot.
    boots: Mutex<HashMap<Uuid, Arc<Boot>>>,
    last_id: Mutex<i32>,
    /// The host stops: no start is waited for any more.
    closing: AtomicBool,
}

/// An error of this driver.
pub(crate) fn fault(code: Code, message: impl Into<String>) -> Error {
    Error::new(code, Origin::UML, message)
}

/// "That cannot be done to this domain now" (55).
pub(crate) fn refused(entry: &Entry, why: &str) -> Error {
    fault(Code::OPERATION_INVALID, format!("domain '{}' {why}", entry.name))
}

/// Takes a domain's lock, with the table's held from before the wait.
///
/// What the lock protects is one published snapshot, which is whole whatever became of the last holder; so a poison
/// mark is only logged.
pub(crate) fn seize<'a, L: Level>(cx: &'a mut Cx<'_, L>, uuid: Uuid) -> Result<Guard<'a, Domain, W>>
where
    Virt: After<L>,
    Domain: After<L>,
{
    let mut domain = cx.lookup(uuid)?;
    if domain.is_poisoned() {
        tracing::warn!(%uuid, "the last holder of this domain's lock failed; its state is whole");
        domain.clear_poison()?;
    }
    Ok(domain)
}

impl Core {
    /// A driver without domains.
    ///
    /// # Errors
    /// 67 for an option that is none, 38 when its folders can not be made.
    pub fn new(host: Box<dyn HostLink>, network: Box<dyn Network>, config: &Config) -> Result<Self> {
        let options = Options::from_pairs(&config.options)?;
        let store = Store::open(&config.conf_dir, &config.run_dir)?;
        Ok(Self {
            host,
            last_id: Mutex::new(store.last_id()),
            store,
            table: Table::default(),
            mailbox: Mailbox::default(),
            workers: Workers::default(),
            pulse: Pulse::new()?,
            prober: Prober::new(config.privileged),
            options,
            network,
            names: Names::default(),
            boots: Mutex::default(),
            closing: AtomicBool::new(false),
        })
    }

    /// Raises an event of a domain; `id` is the one that it has now.
    pub(crate) fn emit(&self, entry: &Entry, id: Option<i32>, kinds: &[DomainEventKind]) {
        for kind in kinds {
            self.host.emit(&DomainEvent {
                uuid: entry.uuid,
                name: entry.name.clone(),
                id,
                kind: *kind,
            });
        }
    }

    /// The next domain id: positive, never given out before since the machine booted.
    pub(crate) fn next_id(&self) -> Result<i32> {
        let mut last = self.last_id.lock();
        let next = last
            .checked_add(1)
            .ok_or_else(|| fault(Code::INTERNAL, "all domain ids are used up: reboot the machine"))?;
        self.store.save_last_id(next)?;
        *last = next;
        Ok(next)
    }

    /// Ids up to this one are taken.
    pub(crate) fn id_is_taken(&self, id: i32) {
        let mut last = self.last_id.lock();
        *last = (*last).max(id);
    }

    /// Whoever boots this domain's guest can be woken through the answer.
    pub(crate) fn begin_boot(&self, uuid: Uuid) -> Arc<Boot> {
        let boot = Arc::new(Boot::default());
        self.boots.lock().insert(uuid, Arc::clone(&boot));
        boot
    }

    /// The boot that is under way.
    pub(crate) fn boot_of(&self, uuid: Uuid) -> Arc<Boot> {
        Arc::clone(self.boots.lock().entry(uuid).or_default())
    }

    /// The boot is over, well or not.
    pub(crate) fn end_boot(&self, uuid: Uuid) {
        self.boots.lock().remove(&uuid);
    }

    /// Asks whoever boots this domain's guest to stop.
    pub(crate) fn cancel_boot(&self, uuid: Uuid) {
        if let Some(boot) = self.boots.lock().get(&uuid) {
            boot.cancel();
        }
    }

    /// Makes `record` what everybody sees, and what a next host would find.
    ///
    /// # Errors
    /// 38 when the status document can not be written; nothing is changed then.
    pub(crate) fn publish(&self, entry: &Entry, held: &mut Guard<'_, Domain, W>, record: Record) -> Result<()> {
        if let Some(status) = record.status() {
            self.store.save_status(entry.uuid, &status)?;
        }
        entry.publish(held, Some(record));
        Ok(())
    }

    /// Removes the place of a domain that is gone. Failing leaves an empty place, which nobody sees and which the next
    /// definition of that name takes over.
    pub(crate) fn sweep(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>) {
        let swept = cx.virt_write().and_then(|mut virt| self.table.sweep(&mut virt, entry));
        if let Err(error) = swept {
            tracing::warn!(dom = %entry.name, %error, "the place of a domain that is gone could not be removed");
        }
    }

    /// The place for a domain of this name and UUID.
    ///
    /// # Errors
    /// 9 when either belongs to another domain.
    pub(crate) fn reserve(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, name: &str) -> Result<Arc<Entry>> {
        let mut virt = cx.virt_write()?;
        self.table.reserve(&mut virt, uuid, name)
    }

    /// Whether the host stops.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Cancels the starts that are under way and waits for the driver's own threads.
    ///
    /// # Errors
    /// 68 when one is still busy.
    pub fn close(&self, within: Duration) -> Result<()> {
        // Who starts a domain looks at this after it has announced the start, so none is missed.
        self.closing.store(true, Ordering::SeqCst);
        for entry in self.table.entries() {
            if entry.load().is_some_and(|record| record.phase == Phase::Starting) {
                self.cancel_boot(entry.uuid);
            }
        }
        let deadline = Instant::now() + within;
        let restarted = self.workers.join(within);
        if !self.pulse.end(deadline.saturating_duration_since(Instant::now())) {
            return Err(fault(
                Code::OPERATION_TIMEOUT,
                "guests are still being asked for a sign of life",
            ));
        }
        if restarted {
            return Ok(());
        }
        let late = "a guest is still being restarted; the next host goes on with that";
        Err(fault(Code::OPERATION_TIMEOUT, late))
    }
}
