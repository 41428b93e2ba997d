//! Errors of this driver: each names its object and says what helps.

use driver_api::error::{Code, Error, Origin, Result};
use std::error::Error as Cause;

/// `VIR_FROM_QEMU`.
pub(crate) const ORIGIN: Origin = Origin(10);
/// `VIR_ERR_OPERATION_ABORTED`.
pub(crate) const ABORTED: Code = Code(78);

pub(crate) fn fault(code: Code, message: impl Into<String>) -> Error {
    Error::new(code, ORIGIN, message)
}

/// Something that the machine refuses.
pub(crate) fn system(message: impl Into<String>, cause: impl Into<Box<dyn Cause + Send + Sync>>) -> Error {
    fault(Code::SYSTEM_ERROR, message).because(cause)
}

/// Refuses the flag bits outside of `known`.
pub(crate) fn known_flags(given: u32, known: u32) -> Result<()> {
    match given & !known {
        0 => Ok(()),
        rest => Err(fault(Code::INVALID_ARG, format!("the qemu driver does not know the flags {rest:#x}"))),
    }
}
