//! What bindings and filtered ports promise.

use crate::check::Check;

pub(crate) const CHECKS: &[Check] = &[];
