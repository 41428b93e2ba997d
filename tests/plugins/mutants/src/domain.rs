//! `virt.lifecycle/1`, each method as the reference does it but for what the mutant does.

use super::which::on;
use super::{Mutant, crash, error, files, lock, recoded, shown};
use driver_api::driver::VirtDriver;
use driver_api::error::{Code, Error, Result};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, State};
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{GuestEvent, GuestId};
use driver_api::types::node::NodeInfo;
use driver_api::types::uuid::Uuid;

/// The text of one element of a document.
pub(super) fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// The levels of a document, as a reader without a limit finds them.
fn depth(xml: &str) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    for piece in xml.split('<').skip(1) {
        match piece.as_bytes().first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') | None => {}
            Some(_) if piece.split('>').next().is_some_and(|tag| tag.ends_with('/')) => {}
            Some(_) => depth += 1,
        }
        most = most.max(depth);
    }
    most
}

/// A document whose entities are put in, however many that makes.
fn expanded(xml: &str) -> String {
    let (Some(begin), Some(end)) = (xml.find("<!DOCTYPE"), xml.find("]>")) else {
        return xml.to_owned();
    };
    let declarations = &xml[begin..end];
    let mut text = format!("{}{}", &xml[..begin], &xml[end + 2..]);
    let entities: Vec<(&str, &str)> = declarations
        .split("<!ENTITY")
        .skip(1)
        .filter_map(|piece| {
            let name = piece.split_whitespace().next()?;
            let quote = piece.find(['"', '\''])?;
            let mark = piece[quote..].chars().next()?;
            let value = piece[quote + 1..].split(mark).next()?;
            Some((name, value))
        })
        .collect();
    for _ in 0..entities.len() {
        for (name, value) in &entities {
            if text.len() < 8 << 20 {
                text = text.replace(&format!("&{name};"), value);
            }
        }
    }
    text
}

/// What is wrong with an error on its way out.
fn told(error: Error) -> Error {
    match error.code() {
        Code::NO_DOMAIN if on("no_domain_is_an_internal_error") => recoded(error, 1),
        Code::OPERATION_INVALID if on("wrong_state_is_an_internal_error") => recoded(error, 1),
        Code::XML_ERROR if on("bad_document_is_an_internal_error") => recoded(error, 1),
        Code::OPERATION_FAILED if on("taken_name_is_a_system_error") => recoded(error, 38),
        Code::INVALID_ARG if on("unknown_flags_are_an_internal_error") => recoded(error, 1),
        _ if on("errors_without_words") => Error::new(error.code(), error.origin(), ""),
        _ => error,
    }
}

fn name_of(xml: &str) -> String {
    element(xml, "name").unwrap_or_default().to_owned()
}

impl Mutant {
    fn uuid_of(xml: &str) -> Uuid {
        element(xml, "uuid")
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or_default()
    }

    /// The way out of a method.
    fn done<T>(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, result: Result<T>) -> Result<T> {
        if result.is_err() {
            lock::after_failure(cx, uuid);
            if on("logs_every_refusal") {
                tracing::warn!(%uuid, "a client asked for what can not be done");
            }
        }
        result.map_err(told)
    }

    fn show(&self, brief: DomainBrief) -> DomainBrief {
        self.shown.lock().brief(brief)
    }

    fn stopped(&self, uuid: Uuid) {
        if on("leaves_a_ghost_of_what_was_undefined_while_it_ran") {
            return;
        }
        self.shown.lock().ghosts.remove(&uuid);
    }

    fn flags(given: u32) -> u32 {
        if on("takes_unknown_flags") {
            given & 3 & !(given & 0xffff_fff0)
        } else {
            given
        }
    }
}

impl VirtDriver for Mutant {
    fn capabilities(&self) -> Result<String> {
        if on("capabilities_are_no_xml") {
            return Ok("<guest><os_type>hvm".to_owned());
        }
        self.inner.capabilities()
    }

    fn version(&self) -> Result<u64> {
        self.inner.version()
    }

    fn node_info(&self) -> Result<NodeInfo> {
        self.inner.node_info()
    }

    fn list(&self) -> Vec<DomainBrief> {
        lock::in_read(&self.host);
        let mut all: Vec<DomainBrief> = self.inner.list().into_iter().map(|brief| self.show(brief)).collect();
        let ghosts: Vec<DomainBrief> = self.shown.lock().ghosts.values().cloned().collect();
        all.extend(
            ghosts
                .into_iter()
                .filter(|ghost| self.inner.by_uuid(ghost.uuid).is_none()),
        );
        if on("lists_only_what_runs") {
            all.retain(|brief| brief.id.is_some());
        }
        if on("lists_one_twice") && !all.is_empty() {
            all.push(all[0].clone());
        }
        all
    }

    fn by_uuid(&self, uuid: Uuid) -> Option<DomainBrief> {
        lock::in_read(&self.host);
        let ghost = self.shown.lock().ghosts.get(&uuid).cloned();
        self.inner.by_uuid(uuid).map(|brief| self.show(brief)).or(ghost)
    }

    fn by_name(&self, name: &str) -> Option<DomainBrief> {
        if on("finds_names_by_their_beginning") {
            return self
                .list()
                .into_iter()
                .find(|brief| !name.is_empty() && brief.name.starts_with(name));
        }
        if on("does_not_find_names") {
            return None;
        }
        self.list().into_iter().find(|brief| brief.name == name)
    }

    fn by_id(&self, id: i32) -> Option<DomainBrief> {
        self.list().into_iter().find(|brief| brief.id == Some(id))
    }

    fn cpu_time(&self, uuid: Uuid) -> Result<u64> {
        if on("tells_time_of_nobody") {
            return Ok(self.inner.cpu_time(uuid).unwrap_or(0));
        }
        self.inner.cpu_time(uuid).map_err(told)
    }

    fn dump_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        lock::in_read(&self.host);
        let flags = if on("shows_secrets") { flags | 1 } else { flags };
        let xml = self.inner.dump_xml(uuid, Self::flags(flags)).map_err(told)?;
        let shown = self.shown.lock();
        if on("shows_the_first_definition_for_ever")
            && let Some(first) = shown.first_xml.get(&uuid)
        {
            return Ok(first.clone());
        }
        if on("drops_what_it_does_not_know") {
            return Ok(known_only(&xml));
        }
        if on("does_not_escape") {
            return Ok(xml.replace("&lt;", "<").replace("&amp;", "&"));
        }
        if on("shows_the_definition_as_what_runs") && flags & 2 == 0 {
            drop(shown);
            return self.inner.dump_xml(uuid, 2).map_err(told);
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
        let (uuid, name) = (Self::uuid_of(xml), name_of(xml));
        lock::before("define", cx, uuid)?;
        if on("overflows_its_stack") {
            let _deep = crash::descend(depth(xml) * 16);
        }
        if on("logs_secrets") {
            tracing::info!(document = xml, "domain defined");
        }
        if on("follows_paths_in_names") && name.contains('/') {
            files::follow_name(&self.config, &name, xml);
            return self.inner.define(cx, &xml.replace('/', "_").replace("<_", "</"), flags);
        }
        if on("multiplies_numbers_without_a_check")
            && let Some(count) = xml.split_once("<memory").and_then(|(_, rest)| rest.split_once('>'))
            && count.1.split('<').next().is_some_and(|text| text.trim().len() > 18)
        {
            panic!("attempt to multiply with overflow");
        }
        let expanded_xml = if on("expands_entities") {
            expanded(xml)
        } else {
            xml.to_owned()
        };
        if on("writes_definitions_in_place") && self.inner.by_uuid(uuid).is_some() {
            files::torn_define(&self.config, uuid, xml);
        }
        let known = self.inner.by_name(&name);
        if on("takes_a_name_twice")
            && let Some(known) = known.filter(|known| known.uuid != uuid && uuid != Uuid::default())
        {
            let twin = DomainBrief {
                uuid,
                id: None,
                state: State::Shutoff,
                ..known
            };
            self.shown.lock().ghosts.insert(uuid, twin.clone());
            return Ok(twin);
        }
        if on("changes_the_uuid_of_a_name")
            && let Some(known) = self
                .inner
                .by_name(&name)
                .filter(|known| known.uuid != uuid && uuid != Uuid::default())
        {
            let xml = xml.replace(&uuid.to_string(), &known.uuid.to_string());
            return self.inner.define(cx, &xml, flags);
        }
        let defined = self.inner.define(cx, &expanded_xml, Self::flags(flags));
        if let Ok(brief) = &defined {
            files::after_define(&self.config, brief.uuid);
            if on("shows_the_first_definition_for_ever")
                && let Ok(xml) = self.inner.dump_xml(brief.uuid, 2)
            {
                self.shown.lock().first_xml.entry(brief.uuid).or_insert(xml);
            }
        }
        if on("shows_what_could_not_be_defined") && defined.is_err() && !name.is_empty() {
            let uuid = if uuid == Uuid::default() {
                Uuid::from_bytes([9; 16])
            } else {
                uuid
            };
            if let Some(ghost) = ghost(uuid, &name).filter(|_| self.inner.by_uuid(uuid).is_none()) {
                self.shown.lock().ghosts.insert(uuid, ghost);
            }
        }
        if on("loses_the_old_definition_when_a_new_one_is_bad")
            && defined.is_err()
            && self.inner.by_uuid(uuid).is_some()
        {
            drop(self.inner.undefine(cx, uuid, 0));
        }
        let defined = defined.map(|brief| self.show(brief));
        self.done(cx, uuid, defined)
    }

    fn create(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<DomainBrief> {
        self.enter("create");
        let created = self.inner.create(cx, xml, flags);
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
        if on("undefine_ends_the_guest") && before.as_ref().is_some_and(|brief| brief.id.is_some()) {
            drop(self.inner.destroy(cx, uuid, 0));
        }
        if on("undefines_nothing") && before.is_some() {
            return Ok(());
        }
        if on("undefine_of_nobody_succeeds") && before.is_none() {
            return Ok(());
        }
        if on("leaves_a_ghost_of_what_was_undefined_while_it_ran")
            && let Some(brief) = before.filter(|brief| brief.id.is_some())
        {
            let ghost = DomainBrief {
                id: None,
                state: State::Shutoff,
                persistent: false,
                ..brief
            };
            self.shown.lock().ghosts.insert(uuid, ghost);
        }
        self.shown.lock().first_xml.remove(&uuid);
        self.stopped(uuid);
        let undefined = self.inner.undefine(cx, uuid, Self::flags(flags));
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
        if on("undefines_what_it_could_not_start")
            && started.is_err()
            && self.inner.by_uuid(uuid).is_some_and(|brief| brief.id.is_none())
        {
            drop(self.inner.undefine(cx, uuid, 0));
        }
        let started = started.map(|brief| self.show(brief));
        self.done(cx, uuid, started)
    }

    fn shutdown(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()> {
        self.enter("shutdown");
        if on("shutdown_does_nothing") && self.inner.by_uuid(uuid).is_some_and(|brief| brief.id.is_some()) {
            return Ok(());
        }
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
        let running = self.inner.by_uuid(uuid).is_some_and(|brief| brief.id.is_some());
        if on("destroy_does_nothing") && running {
            return Ok(());
        }
        if on("destroy_of_what_is_off_succeeds") && !running && self.inner.by_uuid(uuid).is_some() {
            return Ok(());
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
        if on("resumes_what_is_not_paused")
            && self
                .inner
                .by_uuid(uuid)
                .is_some_and(|brief| brief.state == State::Running)
        {
            return Ok(());
        }
        let done = self.inner.resume(cx, uuid);
        self.done(cx, uuid, done)
    }

    fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on_or_off: bool) -> Result<()> {
        self.enter("set_autostart");
        lock::before("set_autostart", cx, uuid)?;
        if on("autostart_is_not_stored") && self.inner.by_uuid(uuid).is_some_and(|brief| brief.persistent) {
            let mut shown = self.shown.lock();
            shown.marked.retain(|marked| *marked != uuid);
            if on_or_off {
                shown.marked.push(uuid);
            }
            return Ok(());
        }
        let done = self.inner.set_autostart(cx, uuid, on_or_off);
        self.done(cx, uuid, done)
    }

    fn guest_event(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, event: GuestEvent) {
        self.inner.guest_event(cx, guest, event);
    }

    fn filtered_ports(&self, cx: &mut Cx<'_, Update>, filters: &[String]) -> Result<Vec<PortRequest>> {
        if on("tells_no_filtered_ports") {
            return Ok(Vec::new());
        }
        if on("filtered_ports_fails") {
            return Err(error(Code::INTERNAL, "a mutant does not know its ports"));
        }
        self.inner.filtered_ports(cx, filters)
    }
}

/// A domain that nobody defined.
fn ghost(uuid: Uuid, name: &str) -> Option<DomainBrief> {
    Some(DomainBrief {
        uuid,
        name: name.chars().take(60).collect(),
        id: None,
        state: State::Shutoff,
        reason: driver_api::types::domain::Reason::UNKNOWN,
        persistent: true,
        autostart: false,
        updated: false,
        max_memory_kib: 1024,
        memory_kib: 1024,
        vcpus: 1,
        os_type: "hvm".to_owned(),
    })
}

/// A document without the elements that a driver with a short list would not know.
fn known_only(xml: &str) -> String {
    use driver_api::kit::xml::{Limits, Node, parse};
    const KNOWN: [&str; 14] = [
        "name",
        "uuid",
        "memory",
        "currentMemory",
        "vcpu",
        "os",
        "devices",
        "title",
        "description",
        "metadata",
        "cputune",
        "memtune",
        "blkiotune",
        "features",
    ];
    let Ok(mut root) = parse(xml.as_bytes(), driver_api::error::Origin::XML, &Limits::default()) else {
        return xml.to_owned();
    };
    root.children
        .retain(|node| matches!(node, Node::Element(child) if KNOWN.contains(&child.name.as_str())));
    root.to_string()
}
