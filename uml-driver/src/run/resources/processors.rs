//! Processors: how many a domain has and may have, and that a UML kernel without SMP has one.

use crate::core::{Core, fault, refused};
use crate::def::DomainDef;
use crate::run::plug::startable;
use crate::state::record::Record;
use crate::state::scope::Scope;
use crate::state::table::Entry;
use driver_api::error::{Code, Error, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::flags::{VCPU_GUEST, VCPU_MAXIMUM};
use driver_api::types::domain::flags::AFFECT_CONFIG;
use driver_api::types::uuid::Uuid;
use std::path::Path;

impl Core {
    /// How many processors a domain has or may have.
    pub(crate) fn vcpus(&self, uuid: Uuid, flags: u32) -> Result<u32> {
        no_agent(flags)?;
        let entry = self.table.entry(uuid)?;
        let record = entry.record()?;
        let scope = Scope::of(&entry, &record, flags, "processors")?;
        if scope.live && scope.config {
            return Err(fault(
                Code::INVALID_ARG,
                "the processors of what runs and of the definition are two questions: ask one",
            ));
        }
        let def = match &record.next {
            Some(next) if scope.config => next,
            _ => &record.current,
        };
        Ok(if flags & VCPU_MAXIMUM == 0 {
            def.vcpu.current
        } else {
            def.vcpu.max
        })
    }

    /// Sets how many processors a domain has or may have.
    pub(crate) fn set_vcpus(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, count: u32, flags: u32) -> Result<()> {
        no_agent(flags)?;
        let entry = self.table.entry(uuid)?;
        let record = entry.record()?;
        let scope = Scope::of(&entry, &record, flags, "processors")?;
        let maximum = flags & VCPU_MAXIMUM != 0;
        if count == 0 {
            let message = format!("domain '{}' can not do without a processor", entry.name);
            return Err(fault(Code::INVALID_ARG, message));
        }
        let within = |error: Error| error.within(format!("cannot set the processors of domain '{}'", entry.name));
        if scope.live {
            self.check_live(&entry, &record, count, maximum).map_err(within)?;
        }
        if !scope.config {
            return Ok(());
        }
        if count > 1
            && let Some(next) = &record.next
        {
            self.has_smp(next, count).map_err(within)?;
        }
        let edit = |def: &DomainDef, _: Option<&DomainDef>| with_vcpus(def, count, maximum);
        let session = self.open_session(cx, &entry, AFFECT_CONFIG, ("set vcpus", "processors"), &edit);
        session.map(drop).map_err(within)
    }

    /// Whether the kernel can have more than one processor.
    fn has_smp(&self, def: &DomainDef, count: u32) -> Result<()> {
        let Some(path) = def.kernel() else { return Ok(()) };
        if self.prober.probe(Path::new(path))?.has("SMP") {
            return Ok(());
        }
        let message = format!("the UML kernel '{path}' was built without SMP: it has one processor, not {count}");
        Err(fault(Code::CONFIG_UNSUPPORTED, message))
    }

    /// Whether what runs has so many already: it can get no other number.
    fn check_live(&self, entry: &Entry, record: &Record, count: u32, maximum: bool) -> Result<()> {
        let vcpu = &record.current.vcpu;
        if maximum {
            return Err(refused(
                entry,
                "is running, and the most that it may have can not be changed then: change the definition",
            ));
        }
        if count > vcpu.max {
            let message = format!("{count} are more than the maximum, {}", vcpu.max);
            return Err(fault(Code::INVALID_ARG, message));
        }
        if count == vcpu.current {
            return Ok(());
        }
        self.has_smp(&record.current, count)?;
        let message = "a UML kernel gets and loses no processors while it runs: change the definition";
        Err(fault(Code::OPERATION_UNSUPPORTED, message))
    }
}

/// The number of processors that the guest itself uses is its agent's matter.
fn no_agent(flags: u32) -> Result<()> {
    match flags & VCPU_GUEST {
        0 => Ok(()),
        _ => Err(fault(
            Code::ARGUMENT_UNSUPPORTED,
            "the processors that a guest uses can not be asked for or set: it has no agent for that",
        )),
    }
}

/// The definition with another number.
fn with_vcpus(def: &DomainDef, count: u32, maximum: bool) -> Result<DomainDef> {
    let (max, current) = (def.vcpu.max, def.vcpu.current);
    let mut after = def.clone();
    match maximum {
        true if count < current => {
            let message = format!("the maximum of {count} is less than the {current} that it begins with");
            return Err(fault(Code::INVALID_ARG, message));
        }
        false if count > max => {
            return Err(fault(
                Code::INVALID_ARG,
                format!("{count} are more than the maximum, {max}"),
            ));
        }
        true => after.vcpu.max = count,
        false => after.vcpu.current = count,
    }
    startable(def, after.renumbered()?)
}
