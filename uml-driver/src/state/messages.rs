//! What an administrator should know of a domain, in sentences, and whether its kernel answers.

use super::machine::Phase;
use super::record::Record;
use crate::core::{Core, fault};
use driver_api::error::{Code, Result};
use driver_api::types::device::Control;
use driver_api::types::uuid::Uuid;
use std::time::Instant;

impl Core {
    /// Whether the guest's kernel answers.
    pub(crate) fn control(&self, uuid: Uuid) -> Result<Control> {
        let record = self.table.record(uuid)?;
        if !record.phase.is_active() {
            let message = format!(
                "domain '{}' is not running and its kernel can not answer",
                record.current.name
            );
            return Err(fault(Code::OPERATION_INVALID, message));
        }
        Ok(self.silence(&record).map_or(Control::Ok, Control::Silent))
    }

    /// For how many milliseconds the guest's kernel has owed an answer; a stopped one owes none.
    fn silence(&self, record: &Record) -> Option<u64> {
        let run = record.run.as_ref().filter(|_| record.phase == Phase::Running)?;
        let since = self.pulse.book.of(run.guest).silent?;
        let long = Instant::now().saturating_duration_since(since);
        Some(u64::try_from(long.as_millis()).unwrap_or(u64::MAX))
    }

    /// Everything that is to be known of a domain.
    pub(crate) fn messages(&self, uuid: Uuid) -> Result<Vec<String>> {
        let record = self.table.record(uuid)?;
        let mut messages = Vec::new();
        if let Some(silence) = self.silence(&record) {
            messages.push(format!(
                "hung: the guest's kernel has not answered for {} s; 'reset' or 'destroy' need no answer",
                silence / 1000
            ));
        }
        messages.extend(record.last_end.as_deref().map(ToOwned::to_owned));
        if record.crashes > 0 && record.run.is_some() {
            messages.push(format!(
                "restarted after {} crashes in a row, at most {} are ('crash_restarts')",
                record.crashes, self.options.crash_restarts
            ));
        }
        if let Some(run) = &record.run {
            let missing = run.not_isolated.iter();
            messages.extend(missing.map(|missing| format!("not fully isolated: {missing}")));
        }
        let def = record.next.as_ref().unwrap_or(&record.current);
        let refused = def.unsupported();
        messages.extend(refused.iter().map(|what| format!("can not be started with {what}")));
        messages.extend(def.notes());
        Ok(messages)
    }
}
