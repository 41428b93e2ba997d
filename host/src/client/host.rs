//! What the host says of itself beyond libvirt's protocol: its drivers, its locks, its log.

use super::connection::Connection;
use super::error::{Error, Result};
use crate::lock::status::Status;
use crate::rpc::codec::Procedure;
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::lockstep::{DomainGetSecurity, HostGetLocks, HostGetPlugins, HostSetLogFilter};
use crate::rpc::header::OWN_PROGRAM;
use crate::supervisor::Security;
use serde::de::DeserializeOwned;
use serde_json::Value;

impl Connection {
    /// Every driver with its state, as the host documents it.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn plugins(&mut self) -> Result<Value> {
        self.host_call(&HostGetPlugins {}).and_then(|text| document(&text))
    }

    /// Every lock that is held or waited for, as the host documents it.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn locks(&mut self) -> Result<Status> {
        self.host_call(&HostGetLocks {}).and_then(|text| document(&text))
    }

    /// What the running guest of a domain is kept in.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn security(&mut self, dom: DomainRef) -> Result<Security> {
        self.host_call(&DomainGetSecurity { dom })
            .and_then(|text| document(&text))
    }

    /// Replaces the filter of the host's log until it stops.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn set_log_filter(&mut self, filter: &str) -> Result<()> {
        self.host_call(&HostSetLogFilter {
            filter: filter.to_owned(),
        })
    }

    pub(super) fn host_call<P: Procedure>(&mut self, args: &P) -> Result<P::Ret> {
        self.call_at(OWN_PROGRAM, P::NUMBER, args).map(|(ret, _)| ret)
    }
}

fn document<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Protocol(format!("not the document that was asked for: {error}")))
}
