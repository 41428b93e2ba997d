//! What a driver leaves behind.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
