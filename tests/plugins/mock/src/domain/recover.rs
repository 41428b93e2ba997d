//! What a new host does first: definitions are read, what ran is found again, and what is marked is started.

use super::boot::Wish;
use super::def::Def;
use super::define::lifecycle;
use super::model::{Domain, Run};
use super::ports;
use super::store::Mark;
use crate::core::Mock;
use crate::fault::{Part, fault};
use crate::file;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{Lifecycle, Reason, detail};
use std::path::Path;
use std::sync::Arc;

impl Mock {
    /// Reads everything that is on the disk. A single bad file is set aside and named in a warning.
    pub(crate) fn load_domains(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        self.store.prepare()?;
        *self.last_id.lock() = self.store.last_id();
        for (path, read) in self.store.definitions()? {
            let taken = read.and_then(|def| self.take_in(&path, def));
            if let Err(error) = taken {
                file::set_aside(&path, &error);
            }
        }
        for (path, read) in self.store.runs()? {
            let found = read.and_then(|(def, run)| self.find_again(&path, def, run));
            if let Err(error) = found {
                file::set_aside(&path, &error);
            }
        }
        self.end_abandoned(cx);
        self.filter_again(cx);
        tracing::info!(domains = self.domains.all().len(), "domains loaded");
        Ok(())
    }

    fn take_in(&self, path: &Path, def: Def) -> Result<()> {
        check_place(path, &def)?;
        // Says whether the name is another's; nobody else claims one yet.
        drop(self.domains.claim(def.uuid, &def.name)?);
        let uuid = def.uuid;
        let def = Arc::new(def);
        let idle = Domain::idle(Arc::clone(&def), Some(def));
        self.domains.publish(Domain {
            autostart: self.store.is_marked(uuid, Mark::Always),
            autostart_once: self.store.is_marked(uuid, Mark::Once),
            ..idle
        });
        Ok(())
    }

    fn find_again(&self, path: &Path, def: Def, run: Run) -> Result<()> {
        check_place(path, &def)?;
        drop(self.domains.claim(def.uuid, &def.name)?);
        if self.domains.by_id(run.id).is_some() {
            let message = format!("the id {} is another domain's", run.id);
            return Err(fault(Part::Domain, Code::INTERNAL, message));
        }
        let known = self.domains.find(def.uuid);
        let def = Arc::new(def);
        let domain = known.map_or_else(|| Domain::idle(Arc::clone(&def), None), |known| Domain::clone(&known));
        {
            let mut last = self.last_id.lock();
            *last = (*last).max(run.id);
        }
        self.domains.publish(Domain {
            def,
            run: Some(run),
            ..domain
        });
        Ok(())
    }

    /// What was to end with its client has none any more.
    fn end_abandoned(&self, cx: &mut Cx<'_, Unlocked>) {
        for domain in self.domains.all() {
            if domain.run.is_some_and(|run| run.autodestroy)
                && let Err(error) = self.end(cx, domain.uuid())
            {
                tracing::warn!(dom = %domain.name(), %error, "a domain whose client is gone could not be ended");
            }
        }
    }

    /// Asks for the filters of what runs again: in force already they change nothing.
    fn filter_again(&self, cx: &mut Cx<'_, Unlocked>) {
        let running = self.domains.all().into_iter().filter(|domain| domain.run.is_some());
        let filtered = running.filter(|domain| {
            let mut interfaces = domain.def.devices_named("interface");
            interfaces.any(|(_, device)| ports::request(&domain.def, device).is_some())
        });
        for domain in filtered {
            let attached = cx
                .update_read()
                .and_then(|mut update| self.attach_ports(&mut update, &domain.def));
            if let Err(error) = attached {
                tracing::warn!(dom = %domain.name(), %error, "the ports of a domain that was found again are not filtered: it is ended");
                self.end_unfiltered(cx, &domain);
            }
        }
    }

    /// A filtered port is never open: without its filter a guest does not go on.
    fn end_unfiltered(&self, cx: &mut Cx<'_, Unlocked>, domain: &Domain) {
        let ended = self.stop(cx, domain.uuid(), Reason::SHUTOFF_FAILED, |_| Ok(()));
        match ended {
            Ok(ended) => self.tell(&ended.brief(), &[lifecycle(Lifecycle::Stopped, detail::STOPPED_FAILED)]),
            Err(error) => tracing::error!(dom = %domain.name(), %error, "it could not be ended"),
        }
    }

    /// Starts what is marked to be started with the host. One that fails keeps no other from it.
    pub(crate) fn start_marked(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        for domain in self.domains.all() {
            if domain.autostart_once
                && let Err(error) = self.mark(cx, domain.uuid(), Mark::Once, false)
            {
                tracing::warn!(dom = %domain.name(), %error, "it would be started the next time too");
            }
            if domain.run.is_some() || !(domain.autostart || domain.autostart_once) {
                continue;
            }
            if let Err(error) = self.boot(cx, domain.uuid(), &Wish::default()) {
                tracing::error!(dom = %domain.name(), %error, "autostart failed");
            }
        }
        Ok(())
    }
}

/// Whether a file is where this driver would have put it.
fn check_place(path: &Path, def: &Def) -> Result<()> {
    if file::stem(path) == def.uuid.to_string() {
        return Ok(());
    }
    let message = format!("it is not named by the UUID of its domain, {}", def.uuid);
    Err(fault(Part::Domain, Code::XML_ERROR, message))
}
