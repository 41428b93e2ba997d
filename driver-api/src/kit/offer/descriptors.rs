//! The host's end of `descriptors/1`.

use super::{HostServices, enter, offer};
use crate::abi::descriptors::DescriptorsV1;
use crate::abi::guest::{SpecRecord, StartedRecord};
use crate::abi::lock::{Call, HostObj};
use crate::abi::value::{Fault, unsound};
use crate::error::Result;
use crate::types::guest::{GuestSpec, Started};
use abi_stable::std_types::{RResult, RVec};
use std::os::fd::BorrowedFd;

/// What the host does for `descriptors/1`.
pub trait DescriptorService: Send + Sync + 'static {
    /// [`crate::host::Host::spawn_with`].
    ///
    /// # Errors
    /// As there.
    fn spawn_with(&self, call: Call, spec: &GuestSpec, descriptors: &[BorrowedFd<'_>]) -> Result<Started>;
}

pub(super) fn table<S: HostServices>() -> &'static DescriptorsV1 {
    const {
        &DescriptorsV1 {
            spawn_with: spawn_with::<S>,
        }
    }
}

/// A descriptor that the driver keeps open until its call returns.
pub(super) fn lent<'a>(number: i32) -> Result<BorrowedFd<'a>> {
    if number < 0 {
        return Err(unsound(&format!("descriptor {number}, which can not be open")));
    }
    // SAFETY: it is not -1, and the driver's half of each table keeps it open until this call, which uses it nowhere
    // else, has returned.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

offer! {
    fn spawn_with(host; call: Call, spec: SpecRecord, descriptors: RVec<i32>) -> StartedRecord {
        let descriptors: Vec<BorrowedFd<'_>> = descriptors.into_iter().map(lent).collect::<Result<_>>()?;
        host.spawn_with(call, &spec.try_into()?, &descriptors).map(Into::into)
    }
}
