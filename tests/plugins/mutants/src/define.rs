//! A definition, as the reference makes it but for what the mutant does.

use super::document::{depth, element, expanded, ghost};
use super::which::on;
use super::{Mutant, crash, error, files, lock};
use driver_api::driver::{Control, VirtDriver};
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, State};
use driver_api::types::uuid::Uuid;

impl Mutant {
    /// What the document says, as far as it can be read.
    pub(super) fn uuid_of(xml: &str) -> Uuid {
        element(xml, "uuid")
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or_default()
    }

    pub(super) fn define_wrongly(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<DomainBrief> {
        let (uuid, name) = (Self::uuid_of(xml), element(xml, "name").unwrap_or_default().to_owned());
        lock::before("define", cx, uuid)?;
        let _inside = lock::inside(cx, uuid);
        if on("overflows_its_stack") {
            let _deep = crash::descend(depth(xml) * 16);
        }
        if on("reads_long_documents_slowly") && xml.len() > 1 << 18 {
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        if on("takes_odd_uuids_for_others")
            && let Some(text) = element(xml, "uuid").filter(|text| uuid != Uuid::default() && *text != uuid.to_string())
        {
            let other = Uuid::from_bytes([5; 16]).to_string();
            return self.inner.define(cx, &xml.replacen(text, &other, 1), flags);
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
        if on("refuses_the_same_again") && self.inner.by_uuid(uuid).is_some_and(|known| known.name == name) {
            return Err(error(Code::OPERATION_FAILED, "that domain is there already"));
        }
        if on("gives_all_the_same_uuid") && element(xml, "uuid").is_none() && element(xml, "name").is_some() {
            let fixed = format!("</name><uuid>{}</uuid>", Uuid::from_bytes([7; 16]));
            return self.inner.define(cx, &xml.replacen("</name>", &fixed, 1), flags);
        }
        if on("renames_by_a_definition")
            && let Some(known) = self
                .inner
                .by_uuid(uuid)
                .filter(|known| known.name != name && known.id.is_none())
        {
            drop(self.inner.rename(cx, known.uuid, &name));
        }
        let expanded_xml = if on("expands_entities") {
            expanded(xml)
        } else {
            xml.to_owned()
        };
        if on("writes_definitions_in_place") && self.inner.by_uuid(uuid).is_some_and(|known| known.name == name) {
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
        let defined = self.inner.define(cx, &expanded_xml, Self::flags(flags));
        if let Ok(brief) = &defined {
            files::after_define(&self.config, brief.uuid);
            if on("shows_the_first_definition_for_ever")
                && let Ok(xml) = self.inner.dump_xml(brief.uuid, 2)
            {
                self.shown.lock().first_xml.entry(brief.uuid).or_insert(xml);
            }
        }
        if on("takes_documents_that_are_none")
            && let Err(error) = &defined
            && error.code() == Code::XML_ERROR
            && !name.is_empty()
            && let Some(ghost) = ghost(Uuid::from_bytes([8; 16]), &name)
        {
            return Ok(ghost);
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
        let defined = defined.map(|brief| self.show(brief));
        self.done(cx, uuid, defined)
    }
}
