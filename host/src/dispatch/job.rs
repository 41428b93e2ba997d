//! Jobs on domains, as the lock manager knows them: it is asked and nobody waits.

use super::Dispatch;
use super::domain::{find, unknown_flags};
use crate::lock::status::JobStatus;
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::job::{DomainAbortJob, DomainGetJobInfo, DomainGetJobStats, JobInfo, JobStats, kind};
use crate::rpc::codec::typed_param::{TypedParam, Value};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::Result;
use driver_api::types::uuid::Uuid;

/// `virDomainGetJobStatsFlags`: a job that has ended, and it shall stay known.
const COMPLETED: u32 = 1;
const KEEP_COMPLETED: u32 = 2;

/// `virDomainJobOperation`.
fn operation(what: &str) -> i32 {
    i32::from(what == "start")
}

/// The job that runs on a domain of the client's driver.
pub(super) fn running(host: &Dispatch, call: &Call<'_>, uuid: Uuid) -> Result<Option<JobStatus>> {
    Ok(host.locks.job(host.plugin(call)?.number(), uuid))
}

fn running_on(host: &Dispatch, call: &Call<'_>, dom: &DomainRef) -> Result<Option<JobStatus>> {
    let uuid = find(host, call, dom)?.uuid;
    running(host, call, uuid)
}

pub(super) fn info(host: &Dispatch, call: &Call<'_>, args: DomainGetJobInfo) -> Result<JobInfo> {
    let job = running_on(host, call, &args.dom)?;
    Ok(JobInfo {
        kind: if job.is_some() { kind::UNBOUNDED } else { kind::NONE },
        time_elapsed: job.map_or(0, |job| job.age_ms),
        time_remaining: 0,
        data_total: 0,
        data_processed: 0,
        data_remaining: 0,
        mem_total: 0,
        mem_processed: 0,
        mem_remaining: 0,
        file_total: 0,
        file_processed: 0,
        file_remaining: 0,
    })
}

pub(super) fn stats(host: &Dispatch, call: &Call<'_>, args: DomainGetJobStats) -> Result<JobStats> {
    let unknown = args.flags & !(COMPLETED | KEEP_COMPLETED);
    if unknown != 0 {
        return Err(unknown_flags("a job's figures", unknown));
    }
    let job = running_on(host, call, &args.dom)?;
    // Figures of jobs that have ended are not kept: for them the answer is that there is none.
    let Some(job) = job.filter(|_| args.flags & COMPLETED == 0) else {
        return Ok(JobStats {
            kind: kind::NONE,
            params: List(Vec::new()),
        });
    };
    let param = |field: &str, value| TypedParam {
        name: field.to_owned(),
        value,
    };
    Ok(JobStats {
        kind: kind::UNBOUNDED,
        params: List(vec![
            param("operation", Value::Int(operation(&job.what))),
            param("time_elapsed", Value::Ulong(job.age_ms)),
        ]),
    })
}

pub(super) fn abort(host: &Dispatch, call: &Call<'_>, args: DomainAbortJob) -> Result<()> {
    let domain = find(host, call, &args.dom)?;
    let plugin = host.plugin(call)?.number();
    host.locks.job_abort(plugin, domain.uuid).map_err(|error| {
        driver_api::error::Error::from(error).within(format!("nothing of '{}' is stopped", domain.name))
    })
}
