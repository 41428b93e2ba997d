//! Coming up: definitions from disk, guests that outlived the last host, and the domains to be started with this one.

use super::machine::{Phase, Verb};
use super::record::{Port, Record, Run};
use super::status::Status;
use super::store::{Found, file_name};
use super::table::Entry;
use crate::core::{Core, fault, seize};
use crate::def::DomainDef;
use crate::mconsole::client::{Command, DEADLINE, Failure};
use crate::plan::nics;
use crate::pulse::sample::release;
use crate::run::start::Wish;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEventKind, Lifecycle, Reason, detail};
use driver_api::types::guest::{ConsoleSpec, GuestId, Started};
use driver_api::types::uuid::Uuid;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Another one at each boot of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A guest that a status document and the host both know.
struct Survivor {
    entry: Arc<Entry>,
    started: Started,
    status: Status,
    def: Arc<DomainDef>,
}

impl Core {
    /// Loads every definition and takes over every guest that is to be kept.
    pub(crate) fn bring_up(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        for found in self.whole_definitions()? {
            if let Err(error) = self.load_definition(cx, &found.path, &found.text) {
                self.store.set_aside(&found.path, &error);
            }
        }
        self.store.sweep_links();
        let mut statuses: HashMap<Uuid, Status> = self.store.statuses()?.into_iter().collect();
        // Before anything is started that could be given one of them.
        let devices = statuses.values().flat_map(Status::taken);
        for device in devices.filter(|device| !device.is_empty()) {
            self.names.take(device, Duration::ZERO);
        }
        let mut survivors = Vec::new();
        for started in self.host.survivors(cx)? {
            // A domain may have a second guest that is no more than a left-over: of a start or a restart that the last
            // host did not finish, or of an end that it did not clean up.
            let own = |status: &Status| status.guest == started.guest && status.phase != Phase::Restarting;
            let Some(status) = statuses.get(&started.domain).filter(|status| own(status)) else {
                self.disown(cx, &started);
                continue;
            };
            match self.claim(cx, &started, status) {
                Ok(survivor) => survivors.push(survivor),
                Err(error) => {
                    tracing::warn!(uuid = %started.domain, guest = started.guest, %error, "a guest can not be taken over");
                    self.store.remove_status(started.domain);
                    self.dismiss(cx, &started);
                    self.close_devices(cx, &status.taken().collect::<Vec<_>>());
                }
            }
            statuses.remove(&started.domain);
        }
        self.adopt_all(cx, survivors);
        self.end_orphans(cx);
        for (uuid, status) in statuses {
            if status.phase == Phase::Starting {
                self.clear_start(cx, uuid, &status);
            } else if status.phase == Phase::Restarting && status.autodestroy {
                self.mourn(cx, uuid, &status, Reason::SHUTOFF_DESTROYED, detail::STOPPED_DESTROYED);
            } else if status.phase != Phase::Restarting {
                self.mourn(cx, uuid, &status, Reason::SHUTOFF_FAILED, detail::STOPPED_FAILED);
            } else if let Err(error) = self.go_on_restarting(cx, uuid, &status) {
                tracing::warn!(%uuid, %error, "a guest that was being restarted is lost");
                self.mourn(cx, uuid, &status, Reason::SHUTOFF_FAILED, detail::STOPPED_FAILED);
            }
        }
        if let Err(error) = self.take_pulse() {
            tracing::error!(%error, "guests that hang are not noticed");
        }
        Ok(())
    }

    /// Ends the guests that were to end with a client's connection: those ended with the last host.
    fn end_orphans(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>) {
        for entry in self.table.entries() {
            if !entry.load().is_some_and(|record| record.autodestroy) {
                continue;
            }
            tracing::info!(dom = %entry.name, "its client went with the last host: the guest is ended");
            if let Err(error) = self.destroy(cx, &entry, false) {
                tracing::warn!(dom = %entry.name, %error, "a guest that should have ended with its client runs on");
            }
        }
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
    fn claim(&self, cx: &mut Cx<'_, Unlocked>, started: &Started, status: &Status) -> Result<Survivor> {
        let (entry, def) = self.place_of(cx, started.domain, status)?;
        Ok(Survivor {
            entry,
            started: started.clone(),
            status: status.clone(),
            def,
        })
    }

    /// The place of the domain that a status document tells of, and what it runs with.
    fn place_of(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, status: &Status) -> Result<(Arc<Entry>, Arc<DomainDef>)> {
        let def = Arc::new(status.definition()?);
        if def.uuid != uuid {
            return Err(fault(Code::INTERNAL, "its status document tells of another domain"));
        }
        Ok((self.reserve(cx, def.uuid, &def.name)?, def))
    }

    /// Ends a guest of which no status document tells, and says so where its domain is defined.
    fn disown(&self, cx: &mut Cx<'_, Unlocked>, started: &Started) {
        self.dismiss(cx, started);
        let Ok(entry) = self.table.entry(started.domain) else {
            return;
        };
        let noted = seize(cx, entry.uuid).map(|mut domain| {
            if let Some(record) = entry.load().filter(|record| record.phase == Phase::Off) {
                let mut record = Record::clone(&record);
                record.reason = Reason::SHUTOFF_DAEMON;
                entry.publish(&mut domain, Some(record));
            }
        });
        if let Err(error) = noted {
            tracing::warn!(dom = %entry.name, %error, "why the domain is off could not be noted");
        }
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
                .map(|survivor| {
                    scope.spawn(|| {
                        let monitor = survivor.run().monitor;
                        monitor.remove_replies();
                        monitor.ask(Command::Version, DEADLINE)
                    })
                })
                .collect();
            asked.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
        });
        for (survivor, answer) in survivors.into_iter().zip(answers) {
            let mut kernel = None;
            match answer {
                Ok(Ok(version)) => kernel = release(&version),
                Ok(Err(Failure::Stranger(pid))) => {
                    tracing::error!(dom = %survivor.entry.name, pid, "another process answers for the guest");
                    self.store.remove_status(survivor.entry.uuid);
                    self.dismiss(cx, &survivor.started);
                    self.close_devices(cx, &survivor.status.taken().collect::<Vec<_>>());
                    continue;
                }
                // It ended meanwhile, or is frozen: the first is told by its exit, the second is no reason to end it.
                Ok(Err(failure)) => {
                    tracing::warn!(dom = %survivor.entry.name, %failure, "a guest that is taken over does not answer");
                }
                Err(_) => {}
            }
            if let Err(error) = self.adopt(cx, &survivor) {
                tracing::error!(dom = %survivor.entry.name, %error, "the guest could not be taken over");
            }
            let guest = GuestId(survivor.started.guest);
            self.pulse.book.note(guest, |vitals| vitals.kernel = kernel);
        }
    }

    fn adopt(&self, cx: &mut Cx<'_, Unlocked>, survivor: &Survivor) -> Result<()> {
        let entry = &survivor.entry;
        let guest = GuestId(survivor.started.guest);
        self.id_is_taken(survivor.status.id);
        {
            let mut domain = seize(cx, entry.uuid)?;
            let mut record = inherited(entry, &survivor.def, &survivor.status);
            record.phase = match survivor.status.phase {
                Phase::Paused => Phase::Paused,
                _ => Phase::Running,
            };
            record.intent = survivor.status.intent;
            record.run = Some(survivor.run());
            self.pulse.book.begin(guest);
            entry.publish(&mut domain, Some(record));
        }
        tracing::info!(dom = %entry.name, id = survivor.status.id, guest = guest.0, "a guest was taken over");
        self.mailbox.settle(guest, entry.uuid, None);
        self.host.watch(cx, guest)?;
        self.clear_remnants(cx, entry, &survivor.run(), &survivor.status.remnants);
        Ok(())
    }

    /// Starts a guest again that had ended to be restarted when the last host died.
    fn go_on_restarting(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, status: &Status) -> Result<()> {
        let (entry, def) = self.place_of(cx, uuid, status)?;
        self.id_is_taken(status.id);
        let arriving: Vec<&str> = status.taken().skip(status.devices.len()).collect();
        self.close_devices(cx, &arriving);
        {
            let mut domain = seize(cx, uuid)?;
            let mut record = inherited(&entry, &def, status);
            record.phase = Phase::Restarting;
            record.balloon = None;
            record.remnants = Arc::default();
            self.begin_boot(uuid);
            entry.publish(&mut domain, Some(record));
        }
        tracing::info!(dom = %entry.name, id = status.id, "a restart that was interrupted goes on");
        self.restart_later(cx, &entry, status.reason);
        Ok(())
    }

    /// Clears away what a start left that the last host did not live to finish; its guest was ended already.
    fn clear_start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, status: &Status) {
        tracing::warn!(%uuid, "a start was not finished");
        self.id_is_taken(status.id);
        self.close_devices(cx, &status.taken().collect::<Vec<_>>());
        self.store.remove_status(uuid);
    }

    /// Deals with a guest that was running and of which nothing is left: how it ended is told by whoever knows.
    fn mourn(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, status: &Status, reason: Reason, detail: u32) {
        tracing::warn!(%uuid, guest = status.guest, "a guest is gone without a trace");
        self.id_is_taken(status.id);
        self.store.remove_status(uuid);
        self.close_devices(cx, &status.taken().collect::<Vec<_>>());
        let Ok(entry) = self.table.entry(uuid) else { return };
        self.rest(cx, &entry, Phase::Off, reason);
        self.emit(&entry, None, &[DomainEventKind::Lifecycle(Lifecycle::Stopped, detail)]);
    }

    /// Starts every domain that is to be started with the host; one that fails does not keep the others from it.
    ///
    /// Once a boot of the machine: a host that is restarted must not start again what somebody has shut down since.
    pub(crate) fn autostart(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>) {
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        if self.store.has_autostarted(boot.trim()) {
            tracing::info!("domains have been started with the host since the machine booted");
            return;
        }
        for entry in self.table.entries() {
            if self.is_closing() {
                // The next host goes on.
                return;
            }
            self.autostart_one(cx, &entry);
        }
        if let Err(error) = self.store.save_autostarted(boot.trim()) {
            tracing::warn!(%error, "the next host will start domains again that were shut down");
        }
    }

    fn autostart_one(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>) {
        let once = self.store.is_autostarted_once(&entry.name);
        let Some(record) = entry.load().filter(|record| record.autostart || once) else {
            return;
        };
        // Before it is used: it must not be used again, whatever comes of it.
        if once && let Err(error) = self.store.set_autostart_once(&entry.name, false) {
            tracing::error!(dom = %entry.name, %error, "a domain that was to be started once will be started again");
        }
        if record.phase.permits(Verb::Start).is_ok()
            && let Err(error) = self.start(cx, entry, &Wish::default())
        {
            tracing::error!(dom = %entry.name, %error, "autostart failed");
        }
    }

    /// The definitions, without those that an interrupted renaming left under the old name.
    fn whole_definitions(&self) -> Result<Vec<Found>> {
        let mut found = self.store.definitions()?;
        for (old, new) in renamed(&found) {
            tracing::info!(from = %old, to = %new, "a renaming that was interrupted is finished");
            let ended = self.store.copy_autostart(&old, &new);
            match ended.and_then(|()| self.store.remove_definition(&old)) {
                Ok(()) => found.retain(|found| found.path.file_name() != Some(OsStr::new(&file_name(&old)))),
                Err(error) => tracing::error!(dom = %old, %error, "what was renamed is left under its old name, too"),
            }
        }
        Ok(found)
    }
}

/// Pairs of names of one domain whose definitions differ in nothing else: the older file's first.
fn renamed(found: &[Found]) -> Vec<(String, String)> {
    let mut seen: HashMap<Uuid, (DomainDef, Option<SystemTime>)> = HashMap::new();
    let mut pairs = Vec::new();
    for found in found {
        let Ok(def) = DomainDef::from_xml(found.text.as_bytes()) else {
            continue;
        };
        // A file under another name than its own is a copy that somebody made.
        if found.path.file_name() != Some(OsStr::new(&file_name(&def.name))) {
            continue;
        }
        let time = std::fs::metadata(&found.path).and_then(|meta| meta.modified()).ok();
        let Some((other, before)) = seen.remove(&def.uuid) else {
            seen.insert(def.uuid, (def, time));
            continue;
        };
        let same_name = DomainDef {
            name: other.name.clone(),
            ..def.clone()
        };
        if same_name != other {
            seen.insert(other.uuid, (other, before));
            continue;
        }
        let (old, new, time) = if time >= before {
            (other, def, time)
        } else {
            (def, other, before)
        };
        pairs.push((old.name.clone(), new.name.clone()));
        seen.insert(new.uuid, (new, time));
    }
    pairs
}

/// The ports that a guest has from the last host.
fn inherited_ports(entry: &Entry, def: &DomainDef, status: &Status) -> Arc<[Port]> {
    // It was started with this definition, so it can be planned.
    let nics = nics(def).unwrap_or_default();
    let ports = nics.iter().zip(&status.devices);
    ports.map(|(nic, device)| Port::new(device, nic, entry)).collect()
}

/// What a domain's record and the status document of its guest say together.
fn inherited(entry: &Entry, def: &Arc<DomainDef>, status: &Status) -> Record {
    let mut record = match entry.load() {
        Some(record) => Record::clone(&record),
        None => Record::idle(Arc::clone(def), None),
    };
    record.updated = record.next.as_ref().is_some_and(|next| **next != **def);
    record.current = Arc::clone(def);
    record.reason = status.reason;
    record.id = status.id;
    record.autodestroy = status.autodestroy;
    record.ports = inherited_ports(entry, def, status);
    record.balloon = status.balloon;
    record.remnants = status.remnants.as_slice().into();
    record
}

impl Survivor {
    fn run(&self) -> Run {
        let known = !self.status.lines.is_empty();
        let consoles = self.status.consoles.iter().filter(|_| !known).map(|alias| ConsoleSpec {
            alias: alias.clone(),
            ..ConsoleSpec::default()
        });
        let mut run = Run::new(
            self.status.id,
            &self.started,
            self.status.socket.clone(),
            consoles.collect(),
            self.status.devices.clone(),
        );
        self.status.lines.iter().cloned().for_each(|line| run.note_line(line));
        run
    }
}

#[cfg(test)]
mod tests;
