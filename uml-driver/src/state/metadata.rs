//! Changing a domain's notes: in what runs, in the definition, or in both.

use super::record::Record;
use super::scope::Scope;
use crate::core::{Core, seize};
use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::metadata::MetadataChange;
use driver_api::types::notice::{DomainNotice, Notice};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

impl Core {
    /// Changes one note where the flags say; 0 means what runs if it runs, else the definition.
    pub(crate) fn set_metadata(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        change: &MetadataChange<'_>,
        given: u32,
    ) -> Result<()> {
        let entry = self.table.entry(uuid)?;
        let mut domain = seize(cx, uuid)?;
        let record = entry.record()?;
        let active = record.phase.is_active();
        let Scope { live, config } = Scope::of(&entry, &record, given, "metadata")?;
        let stored = record.next.as_ref().filter(|_| config);
        let next = stored.map(|def| def.with_metadata(change)).transpose()?.map(Arc::new);
        let current = match &next {
            _ if live => Some(Arc::new(record.current.with_metadata(change)?)),
            // What does not run, or is only about to, shows its definition.
            Some(next) if !active && record.next.as_ref() == Some(&record.current) => Some(Arc::clone(next)),
            _ => None,
        };
        let mut after = Record::clone(&record);
        if let Some(next) = next {
            self.store.save_definition(&entry.name, &next.to_xml(None))?;
            after.next = Some(next);
        }
        let mut only_stored = after.clone();
        only_stored.updated = only_stored.differs();
        after.current = current.unwrap_or(after.current);
        after.updated = after.differs();
        // What is on the disk already is shown, whatever becomes of the status document.
        let id = after.shown_id();
        let published = self.publish(&entry, &mut domain, after);
        published.inspect_err(|_| entry.publish(&mut domain, Some(only_stored)))?;
        drop(domain);
        let (kind, _, _, uri) = change.parts();
        self.host.notify(DomainNotice {
            uuid,
            name: entry.name.clone(),
            id,
            notice: Notice::MetadataChanged {
                kind,
                uri: uri.map(ToOwned::to_owned),
            },
        });
        Ok(())
    }
}

impl Record {
    /// Whether its next start would run something else than it has now.
    pub(crate) fn differs(&self) -> bool {
        self.next.as_ref().is_some_and(|next| *next != self.current)
    }
}

#[cfg(test)]
mod tests;
