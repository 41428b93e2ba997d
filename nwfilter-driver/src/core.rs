//! `Core`: the engine and the host together, which the driver's own threads hold on to as well.

use crate::binding::{BindingDef, Maker};
use crate::engine::backend::{Backend, Gate};
use crate::engine::{Engine, Pupil};
use crate::filters::Filters;
use crate::guardian::Guardian;
use crate::kernel::Kernel;
use crate::learn::Learn;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::host::Host;
use driver_api::lock::level::Update;
use driver_api::lock::token::Cx;
use driver_api::types::filter::PortRequest;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What every entry point and every thread works on.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) engine: Engine,
    host: Host,
    gate: Arc<Gate>,
    learn: OnceLock<Arc<Learn>>,
    guardian: Mutex<Option<Guardian>>,
    repairs: AtomicU64,
}

impl Core {
    pub(crate) fn new(engine: Engine, host: Host, gate: Arc<Gate>) -> Self {
        Self {
            engine,
            host,
            gate,
            learn: OnceLock::new(),
            guardian: Mutex::new(None),
            repairs: AtomicU64::new(0),
        }
    }

    /// The kernel's filter tables, opened when they are first needed.
    ///
    /// # Errors
    /// 63 when this host can not get at them.
    pub(crate) fn kernel(&self) -> Result<Arc<Kernel>> {
        self.gate.kernel()
    }

    /// Holds on to who learns addresses until [`Core::close`].
    pub(crate) fn keep(&self, learn: Arc<Learn>) {
        if self.learn.set(learn).is_err() {
            tracing::debug!("the driver was brought up twice");
        }
    }

    /// Has the kernel's tables watched, if this host can get at them.
    pub(crate) fn guard(self: &Arc<Self>) {
        let watch = self.kernel().and_then(|kernel| {
            let message = "changes of the kernel's filter tables are not told";
            let failed = |error| Error::new(Code::SYSTEM_ERROR, Origin::NWFILTER, message).because(error);
            kernel.watch().map_err(failed)
        });
        let guardian = match watch {
            Ok(watch) => Guardian::start(watch, Arc::downgrade(self)),
            Err(error) => {
                tracing::debug!(%error, "nobody watches the kernel's filter tables");
                return;
            }
        };
        match guardian {
            Ok(guardian) => *self.guardian.lock() = Some(guardian),
            Err(error) => tracing::warn!(%error, "nobody watches the kernel's filter tables"),
        }
    }

    /// Makes the rules anew if somebody else changed them; in what they differed.
    pub(crate) fn repair(&self) -> Result<Vec<String>> {
        self.host.session("repair", |cx| {
            let _filters_stay = cx.update_read()?;
            let found = self.engine.repair()?;
            if !found.is_empty() {
                self.repairs.fetch_add(1, Ordering::Relaxed);
            }
            Ok(found)
        })
    }

    /// Whether there is a device of this name now.
    pub(crate) fn has_device(&self, port: &str) -> bool {
        self.gate.has_device(port)
    }

    /// How often [`Core::repair`] had to.
    pub(crate) fn repairs(&self) -> u64 {
        self.repairs.load(Ordering::Relaxed)
    }

    /// Ends the driver's threads; rules stay in force.
    pub(crate) fn close(&self) {
        let guardian = self.guardian.lock().take();
        drop(guardian);
        if let Some(learn) = self.learn.get() {
            learn.close();
        }
    }

    /// The ports of guests that use one of these filters.
    fn filtered_ports(&self, cx: &mut Cx<'_, Update>, filters: &BTreeSet<String>) -> Result<Vec<PortRequest>> {
        let filters: Vec<String> = filters.iter().cloned().collect();
        match self.host.filtered_ports(cx, &filters) {
            // The host itself offers no such service: there are no other drivers.
            Err(error) if (error.code(), error.origin()) == (Code::NO_SUPPORT, Origin::NONE) => Ok(Vec::new()),
            found => found,
        }
    }

    /// Binds the ports that a virt driver says are filtered by one of these, and that have no binding: each is a fault
    /// somewhere, which must not leave a guest unfiltered.
    pub(crate) fn adopt(&self, cx: &mut Cx<'_, Update>, filters: &BTreeSet<String>) -> Result<()> {
        let known = self.engine.ports();
        for request in self.filtered_ports(cx, filters)? {
            let (port, filter) = (&request.port, &request.filter);
            match known.get(port) {
                Some(bound) if bound.record.def.filter == *filter => {}
                Some(bound) => {
                    let has = &bound.record.def.filter;
                    tracing::warn!(
                        port,
                        filter,
                        has,
                        "a guest's port has another filter than its driver says"
                    );
                }
                None => {
                    tracing::warn!(port, filter, owner = %request.owner, "a guest's port was not filtered, it is bound now");
                    let bound = BindingDef::try_from(&request).and_then(|def| self.engine.create(def, Maker::Guest));
                    if let Err(error) = bound {
                        tracing::error!(port, filter, %error, "a guest's port is not filtered: stop the guest and start it again");
                    }
                }
            }
        }
        Ok(())
    }

    /// Refuses to take a filter away that a guest's port should have.
    pub(crate) fn unused(&self, cx: &mut Cx<'_, Update>, table: &Filters, name: &str) -> Result<()> {
        let users = self.filtered_ports(cx, &table.dependents(name))?;
        let Some(user) = users.first() else { return Ok(()) };
        let message = format!(
            "filter '{name}' is in use by port '{}' of domain '{}': stop it first",
            user.port, user.owner_name
        );
        Err(Error::new(Code::OPERATION_INVALID, Origin::NWFILTER, message))
    }

    /// Whether a virt driver says that a guest of its has this port, with this filter.
    pub(crate) fn is_guests(&self, cx: &mut Cx<'_, Update>, port: &str, filter: &str) -> Result<bool> {
        let ports = self.filtered_ports(cx, &BTreeSet::from([filter.to_owned()]))?;
        Ok(ports.iter().any(|request| request.port == port))
    }
}

impl Pupil for Core {
    fn learned(&self, port: &str, generation: u64, addresses: &[IpAddr]) -> Result<()> {
        self.host.session("learned", |cx| {
            let _filters_stay = cx.update_read()?;
            self.engine.learned(port, generation, addresses)
        })
    }
}
