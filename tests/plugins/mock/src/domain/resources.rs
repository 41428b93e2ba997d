//! `virt.resources/1`: memory, processors and limits, kept in the documents and read back from there.

use super::def::{Def, MOST_VCPUS, alias, mac, target};
use super::edit::{change_child, set_attr, set_text};
use super::limits::{self, Limit};
use super::model::{Domain, Scope};
use crate::core::Mock;
use crate::fault::{Part, fault, known_flags, senseless};
use driver_api::driver::Resources;
use driver_api::error::{Code, Result};
use driver_api::kit::xml::Element;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::ParameterSet;
use driver_api::types::device::flags::{MEMORY_MAXIMUM, VCPU_GUEST, VCPU_HOTPLUGGABLE, VCPU_MAXIMUM};
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::notice::Notice;
use driver_api::types::param::{Param, Value};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

const PART: Part = Part::Domain;
const SCOPE: u32 = AFFECT_LIVE | AFFECT_CONFIG;
/// A guest in memory has the processors that its document says, whoever is asked.
const VCPUS: u32 = SCOPE | VCPU_MAXIMUM | VCPU_GUEST | VCPU_HOTPLUGGABLE;

fn set_kib(root: &mut Element, name: &str, kib: u64) {
    change_child(root, name, |element| {
        set_attr(element, "unit", "KiB");
        set_text(element, &kib.to_string());
    });
}

/// The definition that a read with these flags is about.
fn looked_at(domain: &Domain, flags: u32) -> Result<Arc<Def>> {
    if flags & SCOPE == SCOPE {
        return Err(senseless(
            PART,
            "either what runs or the definition can be looked at, not both",
        ));
    }
    let scope = Scope::of(domain, flags)?;
    Ok(Arc::clone(if scope.live {
        &domain.def
    } else {
        domain.persistent()?
    }))
}

fn is_meant(device: &Element, called: &str) -> bool {
    target(device) == Some(called) || alias(device) == Some(called) || mac(device) == Some(called)
}

/// Where the limits of a set stand in a definition.
fn owner<'a>(def: &'a Def, set: ParameterSet, called: Option<&str>) -> Result<&'a Element> {
    let Some(kind) = limits::device_of(set) else {
        return Ok(&def.element);
    };
    let called = called.ok_or_else(|| senseless(PART, format!("the limits of which <{kind}> is not said")))?;
    let mut devices = def.devices_named(kind).map(|(_, device)| device);
    devices.find(|device| is_meant(device, called)).ok_or_else(|| {
        senseless(
            PART,
            format!("domain '{}' has no <{kind}> that is called '{called}'", def.name),
        )
    })
}

impl Resources for Mock {
    fn set_memory(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, kib: u64, flags: u32) -> Result<()> {
        known_flags(PART, "setmem", flags, SCOPE | MEMORY_MAXIMUM)?;
        if kib == 0 {
            return Err(senseless(PART, "a domain can not be without memory"));
        }
        let most = flags & MEMORY_MAXIMUM != 0;
        let changed = self.change(cx, uuid, flags, |def, side| {
            if most {
                if side == super::change::Side::Live {
                    let message = format!(
                        "the most memory that domain '{}' can have is set while it is off",
                        def.name
                    );
                    return Err(fault(PART, Code::OPERATION_INVALID, message));
                }
                return def.with(|root| {
                    set_kib(root, "memory", kib);
                    set_kib(root, "currentMemory", kib.min(def.memory_kib));
                });
            }
            if kib > def.max_memory_kib {
                let (name, most) = (&def.name, def.max_memory_kib);
                let message = format!("{kib} KiB are more than the {most} KiB that domain '{name}' can have");
                return Err(senseless(PART, message));
            }
            def.with(|root| set_kib(root, "currentMemory", kib))
        })?;
        if changed.scope.live {
            self.notify(&changed.after, Notice::BalloonChanged { actual_kib: kib });
        }
        Ok(())
    }

    fn set_vcpus(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, count: u32, flags: u32) -> Result<()> {
        known_flags(PART, "setvcpus", flags, VCPUS)?;
        if count == 0 {
            return Err(senseless(PART, "a domain can not be without a processor"));
        }
        let most = flags & VCPU_MAXIMUM != 0;
        self.change(cx, uuid, flags, |def, side| {
            if most && side == super::change::Side::Live {
                let message = format!(
                    "the most processors that domain '{}' can have are set in its definition",
                    def.name
                );
                return Err(senseless(PART, message));
            }
            let limit = if most { MOST_VCPUS } else { def.max_vcpus };
            if count > limit {
                let message = format!("domain '{}' can have {limit} processors and not {count}", def.name);
                return Err(fault(PART, Code::CONFIG_UNSUPPORTED, message));
            }
            let (max, now) = if most {
                (count, def.vcpus.min(count))
            } else {
                (def.max_vcpus, count)
            };
            def.with(|root| {
                change_child(root, "vcpu", |element| {
                    set_attr(element, "current", &now.to_string());
                    set_text(element, &max.to_string());
                });
            })
        })?;
        Ok(())
    }

    fn vcpus(&self, uuid: Uuid, flags: u32) -> Result<u32> {
        known_flags(PART, "vcpucount", flags, VCPUS)?;
        let def = looked_at(&*self.domains.get(uuid)?, flags)?;
        Ok(if flags & VCPU_MAXIMUM != 0 {
            def.max_vcpus
        } else {
            def.vcpus
        })
    }

    fn parameters(&self, uuid: Uuid, set: ParameterSet, device: Option<&str>, flags: u32) -> Result<Vec<Param>> {
        known_flags(PART, "a look at limits", flags, SCOPE)?;
        let def = looked_at(&*self.domains.get(uuid)?, flags)?;
        let owner = owner(&def, set, device)?;
        Ok(limits::of(set).iter().map(|limit| limit.read(owner)).collect())
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
        known_flags(PART, "a change of limits", flags, SCOPE)?;
        let values = params
            .iter()
            .map(|param| value(set, param))
            .collect::<Result<Vec<_>>>()?;
        let changed = self.change(cx, uuid, flags, |def, _| {
            owner(def, set, device)?;
            def.with_limits(set, &values, |other| {
                device.is_some_and(|device| is_meant(other, device))
            })
        })?;
        if changed.scope.live {
            self.notify(
                &changed.after,
                Notice::Tuned {
                    params: params.to_vec(),
                },
            );
        }
        Ok(())
    }
}

/// The limit that a parameter means, with its value in the limit's own type.
fn value(set: ParameterSet, param: &Param) -> Result<(&'static Limit, Value)> {
    let known = limits::of(set).iter().find(|limit| limit.name == param.name);
    let limit = known.ok_or_else(|| {
        let names: Vec<&str> = limits::of(set).iter().map(|limit| limit.name).collect();
        let message = format!(
            "a mock guest has no limit '{}', it has {}",
            param.name.escape_debug(),
            names.join(", ")
        );
        fault(PART, Code::CONFIG_UNSUPPORTED, message)
    })?;
    let fits = limit.fit(&param.value);
    let value =
        fits.ok_or_else(|| senseless(PART, format!("the limit '{}' can not be {:?}", limit.name, param.value)))?;
    Ok((limit, value))
}
