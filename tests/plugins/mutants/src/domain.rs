//! `virt.lifecycle/1`, each method as the reference does it but for what the mutant does.

use super::document::{known_only, without_attributes, without_id};
use super::which::on;
use super::{Mutant, conduct, error, lock, recoded, shown};
use driver_api::driver::VirtDriver;
use driver_api::error::{Code, Error, Result};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, State};
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{GuestEvent, GuestId};
use driver_api::types::node::NodeInfo;
use driver_api::types::uuid::Uuid;

/// What is wrong with an error on its way out.
fn told(error: Error) -> Error {
    match error.code() {
        Code::NO_DOMAIN if on("no_domain_is_an_internal_error") => recoded(error, 1),
        Code::OPERATION_INVALID if on("wrong_state_is_an_internal_error") => recoded(error, 1),
        Code::XML_ERROR if on("bad_document_is_an_internal_error") => recoded(error, 1),
        Code::OPERATION_FAILED if on("taken_name_is_a_system_error") => recoded(error, 38),
        _ => error,
    }
}

impl Mutant {
    /// The way out of a method.
    pub(super) fn done<T>(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, result: Result<T>) -> Result<T> {
        if result.is_err() {
            lock::after_failure(cx, uuid);
            if on("logs_every_refusal") {
                tracing::warn!(%uuid, "a client asked for what can not be done");
            }
        }
        result.map_err(told)
    }

    pub(super) fn show(&self, brief: DomainBrief) -> DomainBrief {
        self.shown.lock().brief(brief)
    }

    fn stopped(&self, uuid: Uuid) {
        if on("leaves_a_ghost_of_what_was_undefined_while_it_ran") {
            return;
        }
        self.shown.lock().ghosts.remove(&uuid);
    }

    /// Every domain, as this mutant sees them.
    fn listed(&self) -> Vec<DomainBrief> {
        lock::in_read(&self.host);
        let mut all: Vec<DomainBrief> = self.inner.list().into_iter().map(|brief| self.show(brief)).collect();
        let ghosts: Vec<DomainBrief> = self.shown.lock().ghosts.values().cloned().collect();
        all.extend(
            ghosts
                .into_iter()
                .filter(|ghost| self.inner.by_uuid(ghost.uuid).is_none()),
        );
        if on("lists_as_many_as_there_is_room_for") {
            all.truncate(256);
        }
        if on("lists_one_twice") && !all.is_empty() {
            all.push(all[0].clone());
        }
        all
    }

    pub(super) fn flags(given: u32) -> u32 {
        if on("takes_unknown_flags") {
            given & 3 & !(given & 0xffff_fff0)
        } else {
            given
        }
    }
}

impl VirtDriver for Mutant {
    fn capabilities(&self) -> Result<String> {
        self.inner.capabilities()
    }

    fn version(&self) -> Result<u64> {
        self.inner.version()
    }

    fn node_info(&self) -> Result<NodeInfo> {
        self.inner.node_info()
    }

    fn list(&self) -> Vec<DomainBrief> {
        let _place = on("lists_for_few_at_once").then(shown::place);
        self.listed()
    }

    fn by_uuid(&self, uuid: Uuid) -> Option<DomainBrief> {
        lock::in_read(&self.host);
        let ghost = self.shown.lock().ghosts.get(&uuid).cloned();
        self.inner.by_uuid(uuid).map(|brief| self.show(brief)).or(ghost)
    }

    fn by_name(&self, name: &str) -> Option<DomainBrief> {
        if on("finds_names_by_their_beginning") {
            return self
                .listed()
                .into_iter()
                .find(|brief| !name.is_empty() && brief.name.starts_with(name));
        }
        self.listed().into_iter().find(|brief| brief.name == name)
    }

    fn by_id(&self, id: i32) -> Option<DomainBrief> {
        if on("panics_at_odd_look_ups") && id < 0 {
            panic!("a mutant counts on ids that are positive");
        }
        self.listed().into_iter().find(|brief| brief.id == Some(id))
    }

    fn cpu_time(&self, uuid: Uuid) -> Result<u64> {
        if on("tells_time_of_what_is_off") {
            return self
                .inner
                .cpu_time(uuid)
                .map(|time| if time == 0 { 1_000_000 } else { u64::MAX - time });
        }
        self.inner.cpu_time(uuid).map_err(told)
    }

    fn dump_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        lock::in_read(&self.host);
        let xml = self.inner.dump_xml(uuid, Self::flags(flags)).map_err(told)?;
        let lies = self.lent.lock().as_ref().and_then(conduct::Lent::changed);
        if let Some(lies) = lies {
            return Ok(lies);
        }
        let shown = self.shown.lock();
        if on("shows_the_first_definition_for_ever")
            && let Some(first) = shown.first_xml.get(&uuid)
        {
            return Ok(first.clone());
        }
        if let Some(old) = shown.old_documents.get(&uuid) {
            return Ok(old.clone());
        }
        if on("hides_the_id_of_what_runs") {
            return Ok(without_id(&xml));
        }
        if on("drops_attributes") {
            return Ok(without_attributes(&xml));
        }
        if on("drops_what_it_does_not_know") {
            return Ok(known_only(&xml));
        }
        if on("does_not_escape") {
            return Ok(xml.replace("&lt;", "<").replace("&amp;", "&"));
        }
        match (
            self.inner.by_uuid(uuid).and_then(|brief| brief.id),
            shown.ids.get(&uuid),
        ) {
            (Some(real), Some(id)) => Ok(xml.replacen(&format!(" id='{real}'"), &format!(" id='{id}'"), 1)),
            _ => Ok(xml),
        }
    }

    fn define(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<DomainBrief> {
        self.enter("define");
        *self.lent.lock() = conduct::Lent::of(xml);
        self.define_wrongly(cx, xml, flags)
    }

    fn create(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<DomainBrief> {
        self.enter("create");
        let created = self.inner.create(cx, xml, flags);
        if on("defines_what_it_could_not_create") && created.is_err() {
            drop(self.inner.define(cx, xml, 0));
        }
        if on("keeps_transient_domains")
            && let Ok(brief) = &created
        {
            drop(self.inner.define(cx, xml, 0));
            return Ok(brief.clone());
        }
        if let Ok(brief) = &created {
            self.shown.lock().started(brief.uuid, brief.id);
        }
        let created = created.map(|brief| self.show(brief));
        self.done(cx, Self::uuid_of(xml), created)
    }

    fn undefine(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()> {
        self.enter("undefine");
        let before = self.inner.by_uuid(uuid);
        if on("undefines_nothing") && before.is_some() {
            return Ok(());
        }
        if on("leaves_a_ghost_of_what_was_undefined_while_it_ran")
            && let Some(brief) = before.clone().filter(|brief| brief.id.is_some())
        {
            let ghost = DomainBrief {
                id: None,
                state: State::Shutoff,
                persistent: false,
                ..brief
            };
            self.shown.lock().ghosts.insert(uuid, ghost);
        }
        if on("keeps_the_mark_of_what_is_undefined")
            && let Some(brief) = before.as_ref().filter(|brief| brief.autostart)
        {
            self.shown.lock().marked.push(brief.uuid);
        }
        self.shown.lock().first_xml.remove(&uuid);
        self.stopped(uuid);
        let undefined = self.inner.undefine(cx, uuid, Self::flags(flags));
        if on("keeps_a_lock_in_a_thread")
            && let Err(error) = &undefined
            && error.code() == Code::NO_DOMAIN
        {
            lock::tidy_up_later(&self.host, uuid);
        }
        self.done(cx, uuid, undefined)
    }

    fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<DomainBrief> {
        self.enter("start");
        lock::before_start(&self.host, cx, uuid)?;
        if on("starts_twice")
            && let Some(brief) = self.inner.by_uuid(uuid).filter(|brief| brief.id.is_some())
        {
            return Ok(brief);
        }
        if on("does_not_know_autodestroy") && flags & 2 != 0 {
            return Err(error(Code::INVALID_ARG, "unknown flags 0x2"));
        }
        if on("starts_only_once") && self.shown.lock().last.contains_key(&uuid) {
            return Err(error(Code::INTERNAL, "a mutant starts a domain once and never again"));
        }
        let flags = if on("does_not_start_paused") { flags & !1 } else { flags };
        let raced = on("gives_ids_without_a_lock").then(shown::id_without_a_lock);
        let started = self.inner.start(cx, uuid, Self::flags(flags));
        if let Ok(brief) = &started {
            let mut shown = self.shown.lock();
            shown.started(uuid, brief.id);
            if let Some(id) = raced {
                shown.ids.insert(uuid, id);
            }
        }
        let started = started.map(|brief| self.show(brief));
        self.done(cx, uuid, started)
    }

    fn shutdown(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()> {
        self.enter("shutdown");
        let done = self.inner.shutdown(cx, uuid, Self::flags(flags));
        if done.is_ok() {
            self.stopped(uuid);
        }
        self.done(cx, uuid, done)
    }

    fn reboot(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()> {
        self.enter("reboot");
        lock::before("reboot", cx, uuid)?;
        let done = self.inner.reboot(cx, uuid, Self::flags(flags));
        if on("changes_the_id_at_a_reboot") && done.is_ok() {
            self.shown.lock().ids.insert(uuid, shown::id_without_a_lock() + 1000);
        }
        self.done(cx, uuid, done)
    }

    fn destroy(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()> {
        self.enter("destroy");
        if on("destroys_nothing_that_is_paused")
            && self
                .inner
                .by_uuid(uuid)
                .is_some_and(|brief| brief.state == State::Paused)
        {
            return Err(error(Code::OPERATION_INVALID, "it is paused"));
        }
        let done = self.inner.destroy(cx, uuid, Self::flags(flags));
        if done.is_ok() {
            self.stopped(uuid);
        }
        self.done(cx, uuid, done)
    }

    fn suspend(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.enter("suspend");
        lock::before("suspend", cx, uuid)?;
        if on("suspend_does_nothing") && self.inner.by_uuid(uuid).is_some_and(|brief| brief.id.is_some()) {
            return Ok(());
        }
        let done = self.inner.suspend(cx, uuid);
        self.done(cx, uuid, done)
    }

    fn resume(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.enter("resume");
        let done = self.inner.resume(cx, uuid);
        conduct::look_after(&self.host, uuid);
        self.done(cx, uuid, done)
    }

    fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on_or_off: bool) -> Result<()> {
        self.enter("set_autostart");
        lock::before("set_autostart", cx, uuid)?;
        if on("marks_what_is_transient") && self.inner.by_uuid(uuid).is_some_and(|brief| !brief.persistent) {
            return Ok(());
        }
        let done = self.inner.set_autostart(cx, uuid, on_or_off);
        self.done(cx, uuid, done)
    }

    fn guest_event(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, event: GuestEvent) {
        self.inner.guest_event(cx, guest, event);
    }

    fn filtered_ports(&self, cx: &mut Cx<'_, Update>, filters: &[String]) -> Result<Vec<PortRequest>> {
        if on("tells_ports_that_nobody_asked_for") {
            return Ok(vec![PortRequest {
                port: "mock99".to_owned(),
                mac: "52:54:00:00:00:99".to_owned(),
                filter: "nobodys".to_owned(),
                parameters: Vec::new(),
                owner: Uuid::from_bytes([6; 16]),
                owner_name: "nobody".to_owned(),
            }]);
        }
        self.inner.filtered_ports(cx, filters)
    }
}
