//! `event/1` over the host's events.

use crate::plugin::desk::Desk;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::offer::{EventService, NoticeService};
use driver_api::types::domain::DomainEvent;
use driver_api::types::notice::DomainNotice;
use std::sync::Arc;

impl EventService for Desk {
    fn emit(&self, event: DomainEvent) -> Result<()> {
        self.events.raise(Arc::clone(&self.name), event);
        Ok(())
    }
}

impl NoticeService for Desk {
    /// Not offered yet: see `offers`.
    fn notify(&self, _: DomainNotice) -> Result<()> {
        Err(Error::new(
            Code::NO_SUPPORT,
            Origin::NONE,
            "this host does not offer 'notice/1'",
        ))
    }
}
