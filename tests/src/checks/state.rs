//! Walks through a domain's states beside a model of them.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
