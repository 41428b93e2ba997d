//! Values of the frozen tables: faults and the R-types of plain records.

use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// An error on its way across the boundary.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct Fault {
    /// libvirt's code.
    pub code: u32,
    /// libvirt's domain.
    pub origin: u32,
    /// The whole chain in words, outermost first.
    pub message: RString,
}

impl From<crate::error::Error> for Fault {
    fn from(error: crate::error::Error) -> Self {
        Self {
            code: error.code().0,
            origin: error.origin().0,
            message: error.to_string().into(),
        }
    }
}

impl From<Fault> for crate::error::Error {
    fn from(fault: Fault) -> Self {
        Self::new(
            crate::error::Code(fault.code),
            crate::error::Origin(fault.origin),
            fault.message.into_string(),
        )
    }
}
