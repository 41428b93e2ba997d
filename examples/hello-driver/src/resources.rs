//! `virt.resources/1`: numbers that are kept and read back, since nothing here uses any memory or time.

use crate::{Hello, invalid, wrong_state};
use driver_api::driver::Resources;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::ParameterSet;
use driver_api::types::device::flags::{MEMORY_MAXIMUM, VCPU_MAXIMUM};
use driver_api::types::domain::DomainBrief;
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::notice::Notice;
use driver_api::types::param::{Param, Value, find};
use driver_api::types::uuid::Uuid;

/// One limit that was set: of which set, of which device, and what.
pub(crate) type Limit = (ParameterSet, Option<String>, Param);

/// The limits of a set and what they are until somebody sets them.
fn defaults(set: ParameterSet) -> Vec<Param> {
    match set {
        ParameterSet::Scheduler => vec![Param::new("cpu_shares", 1024_u64), Param::new("vcpu_quota", -1_i64)],
        ParameterSet::Memory => vec![Param::new("hard_limit", 1024_u64)],
        ParameterSet::Blkio => vec![Param::new("weight", 500_u32), Param::new("device_weight", "")],
        ParameterSet::Interface => vec![Param::new("inbound.average", 0_u32)],
        ParameterSet::BlockIo => vec![Param::new("total_bytes_sec", 0_u64), Param::new("group_name", "none")],
    }
}

impl Hello {
    /// The domain if it is where the flags say; what runs is what is defined.
    fn affected(&self, uuid: Uuid, flags: u32, others: u32) -> Result<DomainBrief> {
        let unknown = flags & !(AFFECT_LIVE | AFFECT_CONFIG | others);
        if unknown != 0 {
            return Err(invalid(format!("unknown flags {unknown:#x} for a domain's resources")));
        }
        let brief = self.get(uuid)?;
        if flags & AFFECT_LIVE != 0 && brief.id.is_none() {
            return Err(wrong_state(&brief, "is not running"));
        }
        Ok(brief)
    }

    /// Changes the memory of what runs and of what is defined, in their documents too.
    fn keep_memory(&self, uuid: Uuid, kib: u64, most: u64) -> Result<DomainBrief> {
        self.with(uuid, |extras| {
            for definition in extras.defined.iter_mut().chain(&mut extras.live) {
                definition.set_memory(kib, most);
            }
        });
        self.change(uuid, |brief| (brief.memory_kib, brief.max_memory_kib) = (kib, most))
    }

    fn has_device(&self, brief: &DomainBrief, device: &str) -> Result<()> {
        let known = self.with(brief.uuid, |extras| {
            extras.devices.iter().any(|known| known.target() == Some(device))
        });
        if known {
            return Ok(());
        }
        Err(invalid(format!("domain '{}' has no device '{device}'", brief.name)))
    }
}

impl Resources for Hello {
    fn set_memory(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, kib: u64, flags: u32) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        let brief = self.affected(uuid, flags, MEMORY_MAXIMUM)?;
        if flags & MEMORY_MAXIMUM != 0 {
            return self.keep_memory(uuid, brief.memory_kib.min(kib), kib).map(drop);
        }
        if kib > brief.max_memory_kib {
            let (name, most) = (&brief.name, brief.max_memory_kib);
            return Err(invalid(format!(
                "{kib} KiB are more than the {most} KiB that domain '{name}' can have"
            )));
        }
        let brief = self.keep_memory(uuid, kib, brief.max_memory_kib)?;
        if brief.id.is_some() {
            self.notify(&brief, Notice::BalloonChanged { actual_kib: kib });
        }
        Ok(())
    }

    fn set_vcpus(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, count: u32, flags: u32) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        let brief = self.affected(uuid, flags, VCPU_MAXIMUM)?;
        if count == 1 {
            return Ok(());
        }
        let message = format!("domain '{}' has one processor and can not have {count}", brief.name);
        Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, message))
    }

    fn vcpus(&self, uuid: Uuid, flags: u32) -> Result<u32> {
        self.affected(uuid, flags, VCPU_MAXIMUM).map(|brief| brief.vcpus)
    }

    fn parameters(&self, uuid: Uuid, set: ParameterSet, device: Option<&str>, flags: u32) -> Result<Vec<Param>> {
        let brief = self.affected(uuid, flags, 0)?;
        if let Some(device) = device {
            self.has_device(&brief, device)?;
        }
        let own = self.with(uuid, |extras| extras.limits.clone());
        let of_set = own
            .into_iter()
            .filter(|(of, on, _)| *of == set && on.as_deref() == device);
        let own: Vec<Param> = of_set.map(|(_, _, param)| param).collect();
        let known = defaults(set).into_iter();
        Ok(known
            .map(|default| match find(&own, &default.name) {
                Some(value) => Param::new(default.name, value.clone()),
                None => default,
            })
            .collect())
    }

    fn set_parameters(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        set: ParameterSet,
        device: Option<&str>,
        params: &[Param],
        flags: u32,
    ) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        let brief = self.affected(uuid, flags, 0)?;
        if let Some(device) = device {
            self.has_device(&brief, device)?;
        }
        let known = defaults(set);
        for param in params {
            let wanted = find(&known, &param.name);
            let same_type = |value: &Value| std::mem::discriminant(value) == std::mem::discriminant(&param.value);
            if !wanted.is_some_and(same_type) {
                return Err(invalid(format!("there is no limit '{}' of that type here", param.name)));
            }
        }
        self.with(uuid, |extras| {
            for param in params {
                let same = |(of, on, known): &Limit| *of == set && on.as_deref() == device && known.name == param.name;
                extras.limits.retain(|limit| !same(limit));
                extras.limits.push((set, device.map(str::to_owned), param.clone()));
            }
        });
        let params = params.to_vec();
        self.notify(&brief, Notice::Tuned { params });
        Ok(())
    }
}
