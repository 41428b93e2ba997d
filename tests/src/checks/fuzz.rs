//! Documents, names and numbers that nobody sane would send.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
