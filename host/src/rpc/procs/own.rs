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
    // How filters are kept in force: facts with their values.
    read(1_000_004, "NWFILTER_GET_STATUS"),
    read(1_000_005, "NWFILTER_GET_PORT"),
    read(1_000_006, "NWFILTER_GET_COUNTERS"),
    // Verdicts on frames that the client brings; no port is touched.
    read(1_000_007, "NWFILTER_TEST"),
    // Reveals a guest's packets. Its answer can not be guessed, so that who can ask for more has been let in before.
    change(1_000_008, "NWFILTER_START_TRACE"),
    read(1_000_009, "NWFILTER_NEXT_TRACE"),
    read(1_000_010, "NWFILTER_STOP_TRACE"),
    change(1_000_011, "NWFILTER_RELOAD"),
    // A JSON document: what a running guest is kept in.
    read(1_000_012, "DOMAIN_GET_SECURITY"),
];
