//! The host's end of `event/1`.

use super::{HostServices, enter, offer};
use crate::abi::domain::EventRecord;
use crate::abi::event::EventV1;
use crate::abi::lock::HostObj;
use crate::abi::value::Fault;
use crate::error::Result;
use crate::types::domain::DomainEvent;
use abi_stable::std_types::RResult;

/// What the host does for `event/1`.
pub trait EventService: Send + Sync + 'static {
    /// Queues an event of the driver; it leaves once the calling thread holds no lock.
    ///
    /// # Errors
    /// 1 when it can not be queued.
    fn emit(&self, event: DomainEvent) -> Result<()>;
}

pub(super) fn table<S: HostServices>() -> &'static EventV1 {
    const { &EventV1 { emit: emit::<S> } }
}

offer! {
    fn emit(host; event: EventRecord) -> () { host.emit(event.try_into()?) }
}
