//! Figures of a domain under libvirt's names, put together of what is known: nothing here waits or speaks to a guest.

pub(crate) mod address;
mod balloon;
mod block;
mod interface;
mod lease;

use crate::core::Core;
use crate::pulse::vitals::Vitals;
use crate::state::record::Record;
use driver_api::error::Result;
use driver_api::types::device::stats as group;
use driver_api::types::guest::GuestId;
use driver_api::types::param::{Param, Value, find};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

/// libvirt's `VIR_VCPU_RUNNING`.
const VCPU_RUNNING: i32 = 1;

/// What figures are made of, as it was at one moment.
struct Source<'a> {
    core: &'a Core,
    record: Arc<Record>,
    /// What the host counts of its processes; empty when it does not run.
    usage: Vec<Param>,
    /// What its kernel and its agent said.
    vitals: Vitals,
}

/// Adds the figures of one group.
type Part = fn(&Source<'_>, &mut Figures);

/// The list under construction.
#[derive(Default)]
struct Figures(Vec<Param>);

impl Figures {
    fn put(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.push(Param::new(name, value));
    }

    /// What is not known is left out.
    fn put_known(&mut self, name: impl Into<String>, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }
}

impl Source<'_> {
    fn guest(&self) -> Option<GuestId> {
        self.record.run.as_ref().map(|run| run.guest)
    }

    fn used(&self, name: &str) -> Option<u64> {
        find(&self.usage, name).and_then(Value::as_u64)
    }

    fn cpu_time(&self) -> Option<u64> {
        let asked = || self.core.host.cpu_time(self.guest()?).ok();
        self.used("cpu.time").or_else(asked)
    }
}

impl Core {
    /// The figures of some groups; 0 asks for all of them.
    pub(crate) fn figures(&self, uuid: Uuid, groups: u32) -> Result<Vec<Param>> {
        let record = self.table.record(uuid)?;
        let guest = record.run.as_ref().map(|run| run.guest);
        let groups = if groups == 0 { u32::MAX } else { groups };
        let (mut usage, mut vitals) = (Vec::new(), Vitals::default());
        if let Some(guest) = guest {
            let counted = group::CPU_TOTAL | group::BALLOON | group::VCPU | group::INTERFACE;
            if groups & counted != 0 {
                // A host that counts nothing, or a guest that ends at this moment, has no figures.
                usage = self.host.usage(guest).unwrap_or_default();
            }
            if groups & (group::BALLOON | group::BLOCK) != 0 {
                self.pulse.want(guest);
            }
            vitals = self.pulse.book.of(guest);
        }
        let source = Source {
            core: self,
            record,
            usage,
            vitals,
        };
        let parts: [(u32, Part); 7] = [
            (group::STATE, state),
            (group::CPU_TOTAL, cpu),
            (group::BALLOON, balloon::put),
            (group::VCPU, vcpu),
            (group::INTERFACE, interface::put),
            (group::BLOCK, block::put),
            (group::VM, inside),
        ];
        let mut figures = Figures::default();
        for (_, put) in parts.into_iter().filter(|(group, _)| groups & group != 0) {
            put(&source, &mut figures);
        }
        Ok(figures.0)
    }
}

fn state(source: &Source<'_>, figures: &mut Figures) {
    let number = |number: u32| i32::try_from(number).unwrap_or(0);
    figures.put("state.state", number(source.record.phase.state() as u32));
    figures.put("state.reason", number(source.record.reason.0));
}

fn cpu(source: &Source<'_>, figures: &mut Figures) {
    figures.put_known("cpu.time", source.cpu_time());
    figures.put_known("cpu.user", source.used("cpu.user"));
    figures.put_known("cpu.system", source.used("cpu.system"));
}

fn vcpu(source: &Source<'_>, figures: &mut Figures) {
    let vcpu = &source.record.current.vcpu;
    figures.put("vcpu.current", vcpu.current);
    figures.put("vcpu.maximum", vcpu.max);
    // A UML kernel has one processor: all that the guest uses, it uses there.
    if source.guest().is_some() {
        figures.put("vcpu.0.state", VCPU_RUNNING);
        figures.put_known("vcpu.0.time", source.cpu_time());
    }
}

/// What its kernel and its agent tell of the guest as a whole.
fn inside(source: &Source<'_>, figures: &mut Figures) {
    figures.put_known("vm.kernel.release", source.vitals.kernel.as_deref());
    let Some(agent) = &source.vitals.agent else { return };
    figures.put_known("vm.agent.hostname", agent.hostname.clone());
    for (minutes, load) in ["1m", "5m", "15m"].into_iter().zip(agent.load.into_iter().flatten()) {
        figures.put(format!("vm.agent.load.{minutes}"), load);
    }
}

#[cfg(test)]
mod tests;
