//! `event/1` and `notice/1` over the host's events.

use crate::plugin::desk::Desk;
use driver_api::error::Result;
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
    fn notify(&self, notice: DomainNotice) -> Result<()> {
        self.events.raise(Arc::clone(&self.name), notice);
        Ok(())
    }
}
