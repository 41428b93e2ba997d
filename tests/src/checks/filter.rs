//! What filters promise: definitions, uses, and rebuilding what is in force.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
