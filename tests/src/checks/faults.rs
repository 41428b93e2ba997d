//! A host that fails, is slow, has no disk left, or is killed.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
