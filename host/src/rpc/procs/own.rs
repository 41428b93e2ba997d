//! Rows of the host's own program: what `lockstep` shows and libvirt's protocol has no procedure for.

use super::{Proc, change, read};

/// Numbered far above libvirt's, so that a number alone still names one procedure of either program.
pub(super) const ROWS: &[Proc] = &[
    // A JSON document: every driver with its state.
    read(1_000_001, "HOST_GET_PLUGINS"),
    // A JSON document: every lock that is held or waited for.
    read(1_000_002, "HOST_GET_LOCKS"),
    // Replaces the filter of the log until the host stops.
    change(1_000_003, "HOST_SET_LOG_FILTER"),
];
