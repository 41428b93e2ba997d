//! What outlives the host: definitions, guests, and nothing half written.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
