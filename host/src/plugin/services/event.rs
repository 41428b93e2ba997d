//! `event/1` over the host's events.

use crate::plugin::desk::Desk;
use driver_api::error::Result;
use driver_api::kit::offer::EventService;
use driver_api::types::domain::DomainEvent;
use std::sync::Arc;

impl EventService for Desk {
    fn emit(&self, event: DomainEvent) -> Result<()> {
        self.events.raise(Arc::clone(&self.name), event);
        Ok(())
    }
}
