//! What a driver logs, where, and how much.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
