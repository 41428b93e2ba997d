//! The host's services as a driver finds them: one frozen table each, asked for by name.

use super::lock::Call;
use crate::error::{Code, Error, Origin, Result};
use crate::lock::guard::Loan;
use crate::lock::level::{Level, Unlocked};
use crate::lock::token::Cx;
use crate::types::domain::DomainEvent;
use crate::types::filter::PortRequest;
use crate::types::guest::{GuestId, GuestSpec, Started};

/// Placeholder until the tables land.
#[derive(Debug)]
pub struct Services;

fn missing<T>(what: &str) -> Result<T> {
    Err(Error::new(
        Code::NO_SUPPORT,
        Origin::NONE,
        format!("the host offers no {what}"),
    ))
}

impl Services {
    pub(crate) fn emit(&self, _event: &DomainEvent) {}
    pub(crate) fn spawn(&self, _call: Call, _spec: &GuestSpec) -> Result<Started> {
        missing("spawn/1")
    }
    pub(crate) fn survivors(&self, _call: Call) -> Result<Vec<Started>> {
        missing("spawn/1")
    }
    pub(crate) fn watch(&self, _call: Call, _guest: GuestId) -> Result<()> {
        missing("spawn/1")
    }
    pub(crate) fn kill(&self, _call: Call, _guest: GuestId) -> Result<()> {
        missing("spawn/1")
    }
    pub(crate) fn forget(&self, _call: Call, _guest: GuestId) -> Result<()> {
        missing("spawn/1")
    }
    pub(crate) fn console_tail(&self, _guest: GuestId, _bytes: u32) -> Result<String> {
        missing("spawn/1")
    }
    pub(crate) fn cpu_time(&self, _guest: GuestId) -> Result<u64> {
        missing("spawn/1")
    }
    pub(crate) fn attach_port(&self, _call: Call, _request: &PortRequest) -> Result<()> {
        missing("ports/1")
    }
    pub(crate) fn detach_port(&self, _call: Call, _port: &str) -> Result<()> {
        missing("ports/1")
    }
    pub(crate) fn session<T>(&self, _name: &str, _work: impl FnOnce(&mut Cx<'_, Unlocked>) -> Result<T>) -> Result<T> {
        missing("lock/1")
    }
    pub(crate) fn with_loan<L: Level, T>(
        &self,
        _loan: Loan<L>,
        _work: impl FnOnce(&mut Cx<'_, L>) -> Result<T>,
    ) -> Result<T> {
        missing("lock/1")
    }
}
