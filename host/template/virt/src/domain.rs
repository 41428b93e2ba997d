//! `Domain`: one domain as it was at one moment.

use crate::document::Document;
use crate::fault;
use driver_api::error::{Code, Error, Result};
use driver_api::types::domain::{DomainBrief, Reason, State};
use std::sync::Arc;

/// One domain at one moment. It is never changed: the next moment is another value.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    /// What runs, or would run.
    pub(crate) current: Arc<Document>,
    /// What is kept on disk; a transient domain has nothing there.
    pub(crate) kept: Option<Arc<Document>>,
    pub(crate) autostart: bool,
    pub(crate) id: Option<i32>,
    pub(crate) state: State,
    pub(crate) reason: Reason,
}

impl Domain {
    pub(crate) fn off(document: Arc<Document>) -> Self {
        Self {
            current: document,
            kept: None,
            autostart: false,
            id: None,
            state: State::Shutoff,
            reason: Reason::UNKNOWN,
        }
    }

    pub(crate) fn brief(&self) -> DomainBrief {
        DomainBrief {
            uuid: self.current.uuid,
            name: self.current.name.clone(),
            id: self.id,
            state: self.state,
            reason: self.reason,
            persistent: self.kept.is_some(),
            autostart: self.autostart,
            updated: self
                .kept
                .as_ref()
                .is_some_and(|kept| !Arc::ptr_eq(kept, &self.current)),
            max_memory_kib: self.current.max_memory_kib,
            memory_kib: self.current.memory_kib,
            vcpus: self.current.vcpus,
            os_type: self.current.os_type.clone(),
        }
    }

    pub(crate) fn refused(&self, why: &str) -> Error {
        let message = format!("domain '{}' {why}", self.current.name);
        fault(Code::OPERATION_INVALID, message)
    }

    pub(crate) fn running(&self) -> Result<()> {
        match self.state {
            State::Running => Ok(()),
            State::Paused => Err(self.refused("is paused and can not react: resume it first")),
            _ => Err(self.refused("is not running")),
        }
    }
}
