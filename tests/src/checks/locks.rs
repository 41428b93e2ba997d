//! The order of the locks and how long they are held.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
