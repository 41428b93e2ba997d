//! `lock/1` over the lock manager: the plug-in's number comes from its desk, never from its call.

use crate::plugin::desk::Desk;
use driver_api::abi::lock::{Adopted, Call, Held, LockKey};
use driver_api::error::Result;
use driver_api::kit::offer::LockService;
use driver_api::types::uuid::Uuid;

impl LockService for Desk {
    fn acquire(&self, call: Call, key: LockKey, flags: u32, timeout_ms: u64) -> Result<Held> {
        Ok(self.locks.acquire(self.caller(call), key, flags, timeout_ms)?)
    }

    fn lookup(&self, call: Call, uuid: Uuid, flags: u32, timeout_ms: u64) -> Result<Held> {
        Ok(self.locks.lookup(self.caller(call), uuid, flags, timeout_ms)?)
    }

    fn acquire_domains(&self, call: Call, uuids: &[Uuid], flags: u32, timeout_ms: u64) -> Result<Vec<Held>> {
        Ok(self
            .locks
            .acquire_domains(self.caller(call), uuids, flags, timeout_ms)?)
    }

    fn release(&self, call: Call, handle: u64, unwinding: bool) -> Result<()> {
        Ok(self.locks.release(self.caller(call), handle, unwinding)?)
    }

    fn downgrade(&self, call: Call, handle: u64) -> Result<()> {
        Ok(self.locks.downgrade(self.caller(call), handle)?)
    }

    fn lend(&self, call: Call, handle: u64) -> Result<u64> {
        Ok(self.locks.lend(self.caller(call), handle)?)
    }

    fn adopt(&self, loan: u64) -> Result<Adopted> {
        Ok(self.locks.adopt(self.number, loan)?)
    }

    fn session_open(&self, name: &str) -> Result<Call> {
        Ok(self.locks.session_open(self.number, name)?)
    }

    fn session_close(&self, call: Call) -> Result<()> {
        self.locks.end_call(self.caller(call))?;
        Ok(())
    }

    fn clear_poison(&self, call: Call, handle: u64) -> Result<()> {
        Ok(self.locks.clear_poison(self.caller(call), handle)?)
    }

    fn job_begin(&self, call: Call, handle: u64, what: &str) -> Result<u64> {
        Ok(self.locks.job_begin(self.caller(call), handle, what)?)
    }

    fn job_cancel(&self, _call: Call, uuid: Uuid) -> Result<()> {
        Ok(self.locks.job_cancel(self.number, uuid)?)
    }

    fn job_cancelled(&self, job: u64) -> bool {
        self.locks.job_cancelled(job)
    }

    fn job_end(&self, job: u64) -> Result<()> {
        Ok(self.locks.job_end(self.number, job)?)
    }
}
