//! How a driver ends, and what it says after that.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
