//! Many threads, many domains, one driver.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
