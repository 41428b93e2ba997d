//! Looks at what is in force: the entry points. None takes a lock of the host's but `reload`.

use super::{Nwfilter, sound};
use crate::engine::{Ports, unbound};
use crate::filters::Filters;
use crate::inspect::view::{self, Machine};
use crate::inspect::{count, facts, trial};
use crate::kernel::{Failure, Kernel};
use driver_api::driver::Inspect;
use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::inspect::{PortCounters, PortView, TestOutcome, TestRequest, TraceBatch};

/// So many looks make sure of a difference.
const LOOKS: u32 = 3;

impl Inspect for Nwfilter {
    fn facts(&self) -> Result<Vec<(String, String)>> {
        let mut found = match self.core.kernel() {
            Ok(kernel) => {
                let generation = kernel.generation().map(|number| number.to_string());
                let mut found = facts::kernel(kernel.facts());
                let more = [
                    ("tables lockstep_nwfilter", self.tables(&kernel)),
                    ("generation", generation.unwrap_or_else(|error| error.to_string())),
                    ("repairs", self.core.repairs().to_string()),
                ];
                found.extend(more.map(|(name, value)| (name.to_owned(), value)));
                found
            }
            Err(error) => vec![("kernel".to_owned(), format!("ports can not be filtered: {error}"))],
        };
        found.extend(facts::engine(&self.table(), &self.core.engine.ports()));
        Ok(found)
    }

    fn show_port(&self, port: &str) -> Result<PortView> {
        let ports = self.core.engine.ports();
        let bound = ports.get(port).ok_or_else(|| unbound(port))?;
        let machine = Machine {
            facts: self.core.kernel().ok().map(|kernel| kernel.facts()),
            has_device: self.core.has_device(port),
        };
        Ok(view::view(bound, &self.table(), self.core.engine.internal(), machine))
    }

    fn counters(&self, port: &str) -> Result<PortCounters> {
        let kernel = self.core.kernel()?;
        let mut looks = 0;
        let count = loop {
            looks += 1;
            let ports = self.core.engine.ports();
            match kernel.counters(&count::shared(&ports, port), port) {
                Ok(count) => break count.ok_or_else(|| unbound(port))?,
                // The rules are being replaced.
                Err(Failure::Stale(_)) if looks < LOOKS => {}
                Err(failure) => return Err(failure.into_error()),
            }
        };
        Ok(count::told(count, &self.table(), self.core.engine.internal()))
    }

    fn test(&self, request: &TestRequest) -> Result<Vec<TestOutcome>> {
        trial::test(&self.table(), request)
    }

    fn start_trace(&self, port: &str) -> Result<u64> {
        let ports = self.core.engine.ports();
        let bound = ports.get(port).ok_or_else(|| unbound(port))?;
        let kernel = self.core.kernel()?;
        let open = || kernel.trace(port).map_err(Failure::into_error);
        self.traces.start(port, bound.generation, open)
    }

    fn next_trace(&self, trace: u64) -> Result<TraceBatch> {
        let (filters, ports) = (self.table(), self.core.engine.ports());
        let is_bound = |port: &str, generation| is_bound(&ports, port, generation);
        let tables = [filters.as_ref(), self.core.engine.internal()];
        self.traces.next(trace, tables, is_bound)
    }

    fn stop_trace(&self, trace: u64) -> Result<()> {
        self.traces.stop(trace);
        Ok(())
    }

    fn reload(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        let mut filters = cx.filters()?;
        sound(&mut filters)?;
        let mut table = Filters::default();
        for parsed in self.core.engine.store.reread(&|name| self.mode(name, 0))? {
            table = self.take_in(&table, parsed)?.unwrap_or(table);
        }
        let mut update = filters.update_write()?;
        sound(&mut update)?;
        self.core.engine.reload(table)?;
        tracing::info!("filters and bindings read anew");
        Ok(())
    }
}

impl Nwfilter {
    /// Whether the kernel holds what it should. Nobody is kept from changing it meanwhile, so a difference counts only if
    /// it is there again and again.
    fn tables(&self, kernel: &Kernel) -> String {
        let mut looks = 0;
        loop {
            looks += 1;
            let desired = facts::desired(&self.core.engine.ports());
            match kernel.verify(&desired).map_err(Failure::into_error) {
                Ok(found) if found.is_empty() => return "as they should be".to_owned(),
                Ok(_) if looks < LOOKS => {}
                Ok(found) => {
                    let first = found.first().map_or_else(String::new, ToString::to_string);
                    return format!("{} differences, first: {first}", found.len());
                }
                Err(error) => return format!("can not be read: {error}"),
            }
        }
    }
}

fn is_bound(ports: &Ports, port: &str, generation: u64) -> bool {
    ports.get(port).is_some_and(|bound| bound.generation == generation)
}
