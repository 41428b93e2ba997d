//! The host's end of `notice/1`.

use super::{HostServices, enter, offer};
use crate::abi::lock::HostObj;
use crate::abi::notice::{NoticeRecord, NoticeV1};
use crate::abi::value::Fault;
use crate::error::Result;
use crate::types::notice::DomainNotice;
use abi_stable::std_types::RResult;

/// What the host does for `notice/1`.
pub trait NoticeService: Send + Sync + 'static {
    /// Queues a notice of the driver, in order with the thread's events; it leaves once the calling thread holds no lock.
    ///
    /// # Errors
    /// 1 when it can not be queued.
    fn notify(&self, notice: DomainNotice) -> Result<()>;
}

pub(super) fn table<S: HostServices>() -> &'static NoticeV1 {
    const { &NoticeV1 { notify: notify::<S> } }
}

offer! {
    fn notify(host; notice: NoticeRecord) -> () { host.notify(notice.try_into()?) }
}
