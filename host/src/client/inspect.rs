//! What the host says of filters in force.

use super::connection::Connection;
use super::error::Result;
use crate::rpc::codec::inspect::{
    NwfilterGetCounters, NwfilterGetPort, NwfilterGetStatus, NwfilterNextTrace, NwfilterReload, NwfilterStartTrace,
    NwfilterStopTrace, NwfilterTest,
};
use driver_api::types::inspect::{PortCounters, PortView, TestOutcome, TestRequest, TraceBatch};

#[allow(
    clippy::missing_errors_doc,
    reason = "all of them fail with what the host says, or with a broken connection"
)]
impl Connection {
    /// How filters are kept in force: facts with their values.
    pub fn filter_status(&mut self) -> Result<Vec<(String, String)>> {
        self.host_call(&NwfilterGetStatus {}).map(|facts| facts.0)
    }

    /// What is in force on a port.
    pub fn filter_port(&mut self, port: &str) -> Result<PortView> {
        let port = port.to_owned();
        self.host_call(&NwfilterGetPort { port })
    }

    /// How often the rules of a port matched.
    pub fn filter_counters(&mut self, port: &str) -> Result<PortCounters> {
        let port = port.to_owned();
        self.host_call(&NwfilterGetCounters { port })
    }

    /// What a filter does with frames.
    pub fn filter_test(&mut self, request: TestRequest) -> Result<Vec<TestOutcome>> {
        self.host_call(&NwfilterTest { request }).map(|outcomes| outcomes.0)
    }

    /// Begins to trace a port's packets; answers the number of the trace.
    pub fn start_filter_trace(&mut self, port: &str) -> Result<u64> {
        let port = port.to_owned();
        self.host_call(&NwfilterStartTrace { port })
    }

    /// What was traced since the last time.
    pub fn next_filter_trace(&mut self, trace: u64) -> Result<TraceBatch> {
        self.host_call(&NwfilterNextTrace { trace })
    }

    /// Ends a trace.
    pub fn stop_filter_trace(&mut self, trace: u64) -> Result<()> {
        self.host_call(&NwfilterStopTrace { trace })
    }

    /// Has the filter driver read everything anew.
    pub fn reload_filters(&mut self) -> Result<()> {
        self.host_call(&NwfilterReload {})
    }
}
