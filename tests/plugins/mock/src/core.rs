//! `Mock`: what every verb works on, and a driver's birth and death.

use crate::domain::{Domains, Starts, Store};
use crate::fault::{Part, fault};
use crate::filter::{FilterStore, Filters};
use driver_api::driver::{Config, Driver, DriverInfo};
use driver_api::error::{Code, Result};
use driver_api::host::Host;
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{After, Domain, Level, Unlocked, Virt, W};
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The driver. It has no threads of its own: a guest that lives in memory obeys before the call returns.
#[derive(Debug)]
pub struct Mock {
    pub(crate) host: Host,
    pub(crate) domains: Domains,
    pub(crate) starts: Starts,
    pub(crate) store: Store,
    pub(crate) filters: Filters,
    pub(crate) filter_store: FilterStore,
    /// The last domain id that was given out; a leaf.
    pub(crate) last_id: Mutex<i32>,
    closed: AtomicBool,
}

impl Driver for Mock {
    const INFO: DriverInfo = DriverInfo {
        name: "mock",
        title: "Mock",
        version: env!("CARGO_PKG_VERSION"),
        needs: &["lock/1"],
    };

    fn open(host: Host, config: Config) -> Result<Self> {
        if let Some((name, _)) = config.options.first() {
            let message = format!("the mock driver has no option '{name}': take it out of lockstep.toml");
            return Err(fault(Part::Domain, Code::CONFIG_UNSUPPORTED, message));
        }
        Ok(Self {
            host,
            domains: Domains::default(),
            starts: Starts::default(),
            store: Store::new(&config),
            filters: Filters::default(),
            filter_store: FilterStore::new(&config),
            last_id: Mutex::default(),
            closed: AtomicBool::new(false),
        })
    }

    fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        // Filters first: a guest that is found again may have ports that use them.
        self.load_filters(cx)?;
        self.load_domains(cx)
    }

    fn autostart(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        self.start_marked(cx)
    }

    fn close(&self, within: Duration) -> Result<()> {
        self.closed.store(true, Ordering::SeqCst);
        if self.starts.wait_for_all(within) {
            return Ok(());
        }
        let message = "a guest is still being started; the next host finds it started or off";
        Err(fault(Part::Domain, Code::OPERATION_TIMEOUT, message))
    }
}

impl Mock {
    /// Whether the driver is in service; asked first by every method that changes something.
    ///
    /// # Errors
    /// 55 once it was closed.
    pub(crate) fn in_service(&self, part: Part) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            let message = "the mock driver was closed and changes nothing any more";
            return Err(fault(part, Code::OPERATION_INVALID, message));
        }
        Ok(())
    }
}

/// Takes a domain's lock, with the table's held from before the wait.
///
/// What the lock protects is one published value, which is whole whatever became of the last holder; so a poison mark is
/// told and cleared.
pub(crate) fn seize<'a, L: Level>(cx: &'a mut Cx<'_, L>, uuid: Uuid) -> Result<Guard<'a, Domain, W>>
where
    Virt: After<L>,
    Domain: After<L>,
{
    let mut domain = cx.lookup(uuid)?;
    mend(&mut domain)?;
    Ok(domain)
}

/// Clears the poison mark of a lock whose last holder failed; nothing that locks protect here is ever half done.
pub(crate) fn mend<L: Level>(guard: &mut Guard<'_, L, W>) -> Result<()> {
    if guard.is_poisoned() {
        tracing::warn!(
            level = L::NAME,
            "the last holder of a lock failed; what it protects is whole"
        );
        guard.clear_poison()?;
    }
    Ok(())
}
