//! Coming up: definitions from disk, guests that outlived the last host, and the domains that start with this one.

use crate::core::{Core, sound};
use crate::def::DomainDef;
use crate::start::Wish;
use crate::store::Note;
use crate::table::{Domain, Phase, Run};
use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{Lifecycle, Reason, detail};
use driver_api::types::guest::{GuestId, Started};
use driver_api::types::uuid::Uuid;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long it may take until the end of a guest is told that ended while no host ran.
const NEWS: Duration = Duration::from_secs(2);

impl Core {
    /// Loads every definition and takes over every guest that is known.
    pub(crate) fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        for (def, autostart) in self.store.definitions()? {
            let (uuid, def) = (def.uuid, Arc::new(def));
            if let Err(error) = self.table.check_names(&def) {
                tracing::error!(%uuid, %error, "a definition is left out");
                continue;
            }
            let domain = Domain { autostart, ..Domain::off(Arc::clone(&def), Some(def)) };
            self.add(cx, uuid, domain)?;
        }
        let mut notes: HashMap<Uuid, Note> = self.store.notes()?.into_iter().collect();
        self.begin_ids(self.store.next_id());
        notes.values().for_each(|note| self.begin_ids(note.id.saturating_add(1)));
        for started in self.host.survivors(cx)? {
            let known = notes.get(&started.domain).is_some_and(|note| note.guest == Some(started.guest));
            match known.then(|| notes.remove(&started.domain)).flatten() {
                Some(note) => {
                    let uuid = started.domain;
                    if let Err(error) = self.adopt(cx, started, &note) {
                        tracing::error!(%uuid, %error, "a guest of the last host can not be taken over");
                    }
                }
                // Of a start that the last host did not live to finish.
                None => self.discard(cx, &started.domain.to_string(), GuestId(started.guest)),
            }
        }
        for (uuid, note) in notes {
            tracing::warn!(%uuid, "nothing is left of a guest that was there");
            if let Some(domain) = self.inherit(cx, uuid, &note, None)? {
                self.rest(cx, uuid, Reason::SHUTOFF_FAILED);
                self.tell(&domain, Lifecycle::Stopped, detail::STOPPED_FAILED);
            }
        }
        Ok(())
    }

    /// Takes over a guest of the last host; one that has ended meanwhile says so as soon as it is watched.
    fn adopt(&self, cx: &mut Cx<'_, Unlocked>, started: Started, note: &Note) -> Result<()> {
        let (uuid, guest) = (started.domain, GuestId(started.guest));
        let run = Run { guest, ptys: started.ptys };
        let Some(domain) = self.inherit(cx, uuid, note, Some(run))? else {
            self.discard(cx, &uuid.to_string(), guest);
            return Ok(());
        };
        self.host.watch(cx, guest)?;
        if note.autodestroy {
            tracing::info!(dom = %domain.def.name, "its client went with the last host: the guest is ended");
            if let Err(error) = self.destroy(cx, uuid) {
                tracing::warn!(dom = %domain.def.name, %error, "the guest runs on");
            }
            return Ok(());
        }
        match self.is_paused(uuid) {
            Ok(true) => {
                let pause = |domain: &mut Domain| (domain.phase, domain.reason) = (Phase::Paused, Reason::PAUSED_USER);
                // It may have ended just now.
                let _over = self.advance(cx, uuid, pause);
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(dom = %domain.def.name, %error, "a guest of the last host is gone, or does not answer");
                // Clients that come now are told what has become of it.
                self.table.wait_until_off(uuid, NEWS);
            }
        }
        Ok(())
    }

    /// Shows a domain as its note says; `None` when that makes no sense, and then the note is gone.
    fn inherit(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        note: &Note,
        run: Option<Run>,
    ) -> Result<Option<Arc<Domain>>> {
        let def = match DomainDef::from_xml(&note.xml) {
            Ok(def) => Arc::new(def),
            Err(error) => {
                tracing::error!(%uuid, %error, "a guest of the last host can not be understood and is ended");
                self.store.remove_note(uuid);
                return Ok(None);
            }
        };
        let before = self.table.get(uuid).ok();
        let domain = Domain {
            autostart: before.as_ref().is_some_and(|before| before.autostart),
            phase: if run.is_some() { Phase::Running } else { Phase::Ending },
            reason: Reason::RUNNING_BOOTED,
            id: note.id,
            run,
            devices: note.devices.clone(),
            autodestroy: note.autodestroy,
            ..Domain::off(def, before.and_then(|before| before.stored.clone()))
        };
        self.add(cx, uuid, domain)?;
        self.table.get(uuid).map(Some)
    }

    fn add(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, domain: Domain) -> Result<()> {
        let mut table = cx.virt_write()?;
        let mut held = sound(table.domain_write(uuid)?)?;
        self.table.publish(&mut held, uuid, Some(domain));
        Ok(())
    }

    /// Starts every domain that starts with the host; one that fails does not keep the others from it.
    pub(crate) fn autostart(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        if !self.store.is_first_host()? {
            return Ok(());
        }
        for domain in self.table.all().into_iter().filter(|domain| domain.autostart && domain.phase == Phase::Off) {
            if let Err(error) = self.start(cx, domain.def.uuid, Wish::default()) {
                tracing::error!(dom = %domain.def.name, %error, "autostart failed");
            }
        }
        Ok(())
    }
}
