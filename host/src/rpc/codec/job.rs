//! Jobs on domains: what runs, since when, and stopping it.

use super::domain::DomainRef;
use super::procedures;
use super::typed_param::TypedParam;
use crate::rpc::xdr::{List, xdr_struct};

/// `virDomainJobType`.
pub mod kind {
    /// No job runs.
    pub const NONE: i32 = 0;
    /// One runs, and nobody knows for how long.
    pub const UNBOUNDED: i32 = 2;
}

xdr_struct! {
    /// The result of [`DomainGetJobInfo`]: times in milliseconds, sizes in bytes, 0 for what is not known.
    JobInfo {
        kind: i32,
        time_elapsed: u64,
        time_remaining: u64,
        data_total: u64,
        data_processed: u64,
        data_remaining: u64,
        mem_total: u64,
        mem_processed: u64,
        mem_remaining: u64,
        file_total: u64,
        file_processed: u64,
        file_remaining: u64,
    }

    /// The result of [`DomainGetJobStats`].
    JobStats {
        kind: i32,
        params: List<TypedParam, 64>,
    }
}

procedures! {
    163 DomainGetJobInfo { dom: DomainRef } -> JobInfo;
    164 DomainAbortJob { dom: DomainRef } -> ();
    298 DomainGetJobStats { dom: DomainRef, flags: u32 } -> JobStats;
}
