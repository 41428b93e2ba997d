//! Coming up: definitions from disk, guests that outlived the last host, and the domains to be started with this one.

use super::machine::{Phase, Verb};
use super::record::{Record, Run};
use super::status::Status;
use super::store::file_name;
use super::table::Entry;
use crate::core::{Core, fault, seize};
use crate::def::DomainDef;
use crate::mconsole::client::{Command, DEADLINE, Failure};
use crate::run::start::Wish;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEventKind, Lifecycle, Reason, detail};
use driver_api::types::guest::{ConsoleSpec, GuestId, Started};
use driver_api::types::uuid::Uuid;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// A guest that a status document and the host both know.
struct Survivor {
    entry: Arc<Entry>,
    started: Started,
    status: Status,
    def: Arc<DomainDef>,
}

impl Core {
    /// Loads every definition and takes over every guest that is to be kept.
    pub(crate) fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        for found in self.store.definitions()? {
            if let Err(error) = self.load_definition(cx, &found.path, &found.text) {
                self.store.set_aside(&found.path, &error);
            }
        }
        let mut statuses: HashMap<Uuid, Status> = self.store.statuses()?.into_iter().collect();
        let mut survivors = Vec::new();
        for started in self.host.survivors(cx)? {
            // A domain may have two: the last host died before it had forgotten the one that ended earlier.
            let its = |status: &Status| status.guest == started.guest;
            if !statuses.get(&started.domain).is_some_and(its) {
                // Nobody was told of it: the last host ended between its start and its first answer.
                self.dismiss(cx, &started);
                continue;
            }
            let Some(status) = statuses.remove(&started.domain) else {
                continue;
            };
            match self.claim(cx, &started, status) {
                Ok(survivor) => survivors.push(survivor),
                Err(error) => {
                    tracing::warn!(uuid = %started.domain, guest = started.guest, %error, "a guest can not be taken over");
                    self.store.remove_status(started.domain);
                    self.dismiss(cx, &started);
                }
            }
        }
        self.adopt_all(cx, survivors);
        for (uuid, status) in statuses {
            self.mourn(cx, uuid, &status);
        }
        Ok(())
    }

    fn load_definition(&self, cx: &mut Cx<'_, Unlocked>, path: &Path, text: &str) -> Result<()> {
        let def = Arc::new(DomainDef::from_xml(text.as_bytes())?);
        let wanted = file_name(&def.name);
        if path.file_name() != Some(std::ffi::OsStr::new(&wanted)) {
            let message = format!("it defines domain '{}' and should be called '{wanted}'", def.name);
            return Err(fault(Code::XML_ERROR, message));
        }
        let entry = self.reserve(cx, def.uuid, &def.name)?;
        let mut domain = seize(cx, def.uuid)?;
        let mut record = Record::idle(Arc::clone(&def), Some(def));
        record.autostart = self.store.is_autostarted(&entry.name);
        entry.publish(&mut domain, Some(record));
        Ok(())
    }

    /// Finds the place of a guest that is still there.
    fn claim(&self, cx: &mut Cx<'_, Unlocked>, started: &Started, status: Status) -> Result<Survivor> {
        let def = Arc::new(DomainDef::from_xml(status.xml.as_bytes())?);
        if def.uuid != started.domain {
            return Err(fault(Code::INTERNAL, "its status document tells of another domain"));
        }
        let entry = self.reserve(cx, def.uuid, &def.name)?;
        Ok(Survivor {
            entry,
            started: started.clone(),
            status,
            def,
        })
    }

    /// Ends a guest that belongs to nobody.
    fn dismiss(&self, cx: &mut Cx<'_, Unlocked>, started: &Started) {
        let guest = GuestId(started.guest);
        tracing::warn!(uuid = %started.domain, guest = guest.0, "a guest without a domain is ended");
        if let Err(error) = self.host.kill(cx, guest) {
            tracing::debug!(guest = guest.0, %error, "the guest could not be killed: it may be gone already");
        }
        self.mailbox.close(guest, false);
        if let Err(error) = self.host.forget(cx, guest) {
            tracing::warn!(guest = guest.0, %error, "the guest's run folder is left");
        }
    }

    fn adopt_all(&self, cx: &mut Cx<'_, Unlocked>, survivors: Vec<Survivor>) {
        // All at once: a frozen guest costs its deadline, and there may be many.
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asked: Vec<_> = survivors
                .iter()
                .map(|survivor| scope.spawn(|| survivor.run().monitor.ask(Command::Version, DEADLINE)))
                .collect();
            asked.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
        });
        for (survivor, answer) in survivors.into_iter().zip(answers) {
            match answer {
                Ok(Err(Failure::Stranger(pid))) => {
                    tracing::error!(dom = %survivor.entry.name, pid, "another process answers for the guest");
                    self.store.remove_status(survivor.entry.uuid);
                    self.dismiss(cx, &survivor.started);
                    continue;
                }
                // It ended meanwhile, or is frozen: the first is told by its exit, the second is no reason to end it.
                Ok(Err(failure)) => {
                    tracing::warn!(dom = %survivor.entry.name, %failure, "a guest that is taken over does not answer");
                }
                _ => {}
            }
            if let Err(error) = self.adopt(cx, &survivor) {
                tracing::error!(dom = %survivor.entry.name, %error, "the guest could not be taken over");
            }
        }
    }

    fn adopt(&self, cx: &mut Cx<'_, Unlocked>, survivor: &Survivor) -> Result<()> {
        let entry = &survivor.entry;
        let guest = GuestId(survivor.started.guest);
        self.id_is_taken(survivor.status.id);
        {
            let mut domain = seize(cx, entry.uuid)?;
            let mut record = match entry.load() {
                Some(record) => Record::clone(&record),
                None => Record::idle(Arc::clone(&survivor.def), None),
            };
            record.updated = record.next.as_ref().is_some_and(|next| **next != *survivor.def);
            record.current = Arc::clone(&survivor.def);
            record.phase = match survivor.status.phase {
                Phase::Paused => Phase::Paused,
                _ => Phase::Running,
            };
            record.reason = survivor.status.reason;
            record.intent = survivor.status.intent;
            record.id = survivor.status.id;
            record.run = Some(survivor.run());
            entry.publish(&mut domain, Some(record));
        }
        tracing::info!(dom = %entry.name, id = survivor.status.id, guest = guest.0, "a guest was taken over");
        self.mailbox.settle(guest, entry.uuid, None);
        self.host.watch(cx, guest)
    }

    /// Deals with a guest that was running and of which nothing is left to tell how it ended.
    fn mourn(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, status: &Status) {
        tracing::warn!(%uuid, guest = status.guest, "a guest is gone without a trace");
        self.id_is_taken(status.id);
        self.store.remove_status(uuid);
        let Ok(entry) = self.table.entry(uuid) else { return };
        self.rest(cx, &entry, Phase::Off, Reason::SHUTOFF_FAILED);
        let stopped = DomainEventKind::Lifecycle(Lifecycle::Stopped, detail::STOPPED_FAILED);
        self.emit(&entry, None, &[stopped]);
    }

    /// Starts every domain that is to be started with the host; one that fails does not keep the others from it.
    pub(crate) fn autostart(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>) {
        for entry in self.table.entries() {
            let wanted = entry
                .load()
                .is_some_and(|r| r.autostart && r.phase.permits(Verb::Start).is_ok());
            if wanted && let Err(error) = self.start(cx, &entry, &Wish::default()) {
                tracing::error!(dom = %entry.name, %error, "autostart failed");
            }
        }
    }
}

impl Survivor {
    fn run(&self) -> Run {
        let consoles = self.status.consoles.iter().map(|alias| ConsoleSpec {
            alias: alias.clone(),
            ..ConsoleSpec::default()
        });
        Run::new(
            self.status.id,
            &self.started,
            self.status.socket.clone(),
            consoles.collect(),
        )
    }
}

#[cfg(test)]
mod tests;
