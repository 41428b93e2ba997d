//! What a filter driver tells of what is in force.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
