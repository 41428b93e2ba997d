//! What each method of the optional virt interfaces promises.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
