//! Giving a domain another name: its file under the new name first, then nothing under the old one.

use super::machine::Verb;
use super::record::Record;
use super::table::Entry;
use crate::core::{Core, fault, refused};
use crate::def::DomainDef;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, DomainEventKind, Lifecycle, detail};
use std::sync::Arc;

impl Core {
    /// Renames a domain at rest. Its console logs keep the name under which they were written.
    pub(crate) fn rename(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>, name: &str) -> Result<DomainBrief> {
        let renamed = {
            // Held over the writes: neither name may belong to anybody else until both files tell the same.
            let mut virt = cx.virt_write()?;
            self.table.rename(&mut virt, entry, name, |record| {
                let def = new_definition(entry, record, name)?;
                self.store
                    .rename_definition(&entry.name, name, &def.to_xml(None))
                    .map_err(|error| error.within(format!("cannot rename domain '{}' to '{name}'", entry.name)))?;
                let def = Arc::new(def);
                Ok(Record {
                    current: Arc::clone(&def),
                    next: Some(def),
                    ..record.clone()
                })
            })?
        };
        let brief = renamed.record()?.brief();
        let lifecycle = |event, detail| [DomainEventKind::Lifecycle(event, detail)];
        self.emit(entry, None, &lifecycle(Lifecycle::Undefined, detail::UNDEFINED_RENAMED));
        self.emit(&renamed, None, &lifecycle(Lifecycle::Defined, detail::DEFINED_RENAMED));
        Ok(brief)
    }
}

fn new_definition(entry: &Entry, record: &Record, name: &str) -> Result<DomainDef> {
    let Some(def) = &record.next else {
        return Err(refused(entry, "is transient and can not be renamed"));
    };
    if record.phase.permits(Verb::Start).is_err() {
        return Err(refused(
            entry,
            "is not at rest and can not be renamed: shut it down first",
        ));
    }
    if entry.name == name {
        let message = format!("domain '{name}' is called so already");
        return Err(fault(Code::OPERATION_INVALID, message));
    }
    let def = DomainDef {
        name: name.to_owned(),
        ..DomainDef::clone(def)
    };
    // Read as a new host would read it from the disk: so a name that is none is refused in the same words.
    DomainDef::from_xml(def.to_xml(None).as_bytes())
}
