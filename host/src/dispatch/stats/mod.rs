//! Figures of domains: what a driver tells under libvirt's names, and the older procedures that are parts of it.

pub(super) mod address;
pub(super) mod block;
pub(super) mod bulk;
pub(super) mod cpu;
mod cpuset;
pub(super) mod interface;
pub(super) mod memory;
pub(super) mod vcpu;

use super::Dispatch;
use super::domain::{find, running};
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::stats::UNKNOWN;
use crate::server::Call;
use driver_api::error::Result;
use driver_api::types::device::stats;
use driver_api::types::domain::DomainBrief;
use driver_api::types::param::{self, Param, Value};

/// One domain with its figures.
#[derive(Debug)]
struct Figures {
    domain: DomainBrief,
    params: Vec<Param>,
}

impl Figures {
    /// The figures of some groups (`driver_api::types::device::stats`), as far as they are known.
    fn of(host: &Dispatch, call: &Call<'_>, domain: DomainBrief, groups: u32) -> Result<Self> {
        let told = host.stats(call, "stats", |stats| stats.stats(domain.uuid, groups))?;
        let params = match told {
            Some(params) => params,
            None => brief(&domain, groups, || {
                host.read(call, "cpu_time", |virt| virt.cpu_time(domain.uuid))
            })?,
        };
        Ok(Self { domain, params })
    }

    /// The same of a domain that must be running.
    fn live(host: &Dispatch, call: &Call<'_>, dom: &DomainRef, groups: u32) -> Result<Self> {
        let domain = find(host, call, dom)?;
        running(&domain)?;
        Self::of(host, call, domain, groups)
    }

    fn value(&self, name: &str) -> Option<&Value> {
        param::find(&self.params, name)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.value(name)?.as_u64()
    }

    /// A figure where the protocol has a number for those that are not known.
    fn or_unknown(&self, name: &str) -> i64 {
        self.value(name).and_then(Value::as_i64).unwrap_or(UNKNOWN)
    }

    /// How many there are of a group; `None` when the driver does not tell of them.
    fn count(&self, group: &str) -> Option<u64> {
        self.number(&format!("{group}.count"))
    }

    /// The place of the one in a group that is called so in one of these fields.
    fn place(&self, group: &str, fields: &[&str], called: &str) -> Option<u64> {
        let is_called = |place: u64, field: &&str| {
            let value = self.value(&format!("{group}.{place}.{field}"));
            value.and_then(Value::as_text) == Some(called)
        };
        (0..self.count(group)?).find(|place| fields.iter().any(|field| is_called(*place, field)))
    }
}

/// What can be told of a domain whose driver measures nothing.
fn brief(domain: &DomainBrief, groups: u32, cpu_time: impl FnOnce() -> Result<u64>) -> Result<Vec<Param>> {
    let mut params = Vec::new();
    if groups & stats::STATE != 0 {
        params.push(Param::new("state.state", (domain.state as u32).cast_signed()));
        params.push(Param::new("state.reason", domain.reason.0.cast_signed()));
    }
    if groups & stats::CPU_TOTAL != 0 && domain.id.is_some() {
        params.push(Param::new("cpu.time", cpu_time()?));
    }
    if groups & stats::BALLOON != 0 {
        params.push(Param::new("balloon.current", domain.memory_kib));
        params.push(Param::new("balloon.maximum", domain.max_memory_kib));
    }
    if groups & stats::VCPU != 0 {
        params.push(Param::new("vcpu.current", domain.vcpus));
        params.push(Param::new("vcpu.maximum", domain.vcpus));
    }
    Ok(params)
}

#[cfg(test)]
mod testing {
    use super::Figures;
    use driver_api::types::domain::{DomainBrief, Reason, State};
    use driver_api::types::param::Param;
    use driver_api::types::uuid::Uuid;

    /// A running domain that a driver tells these figures of.
    pub(super) fn figures(params: Vec<Param>) -> Figures {
        Figures {
            domain: DomainBrief {
                uuid: Uuid::default(),
                name: "vm".to_owned(),
                id: Some(1),
                state: State::Running,
                reason: Reason::RUNNING_BOOTED,
                persistent: true,
                autostart: false,
                updated: false,
                max_memory_kib: 2048,
                memory_kib: 1024,
                vcpus: 1,
                os_type: "hvm".to_owned(),
            },
            params,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::figures;
    use super::*;

    #[test]
    fn a_driver_that_measures_nothing_leaves_what_every_domain_has() {
        let mut domain = figures(Vec::new()).domain;
        let all = brief(&domain, u32::MAX, || Ok(5)).unwrap();
        let names: Vec<&str> = all.iter().map(|param| param.name.as_str()).collect();
        let expected = [
            "state.state",
            "state.reason",
            "cpu.time",
            "balloon.current",
            "balloon.maximum",
            "vcpu.current",
            "vcpu.maximum",
        ];
        assert_eq!(names, expected);
        assert_eq!(all[2].value, Value::Ulong(5));
        domain.id = None;
        assert_eq!(brief(&domain, stats::CPU_TOTAL, || Ok(5)).unwrap(), []);
        assert_eq!(brief(&domain, stats::BLOCK, || Ok(5)).unwrap(), []);
    }

    #[test]
    fn a_place_is_found_by_any_of_its_names() {
        let figures = figures(vec![
            Param::new("block.count", 2_u32),
            Param::new("block.0.name", "ubda"),
            Param::new("block.1.name", "ubdb"),
            Param::new("block.1.path", "/b"),
        ]);
        let place = |called| figures.place("block", &["name", "path"], called);
        assert_eq!((place("ubda"), place("/b"), place("ubdc")), (Some(0), Some(1), None));
        assert_eq!(figures.place("net", &["name"], "ubda"), None);
    }
}
