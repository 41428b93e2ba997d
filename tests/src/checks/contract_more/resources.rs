//! `virt.resources/1`.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{CAN_NOT, Picture, UNKNOWN_FLAG, VIRT, brief, either, expect_calm, running};
use crate::{ensure, ensure_eq};
use driver_api::abi::lock::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::loaded::Resources;
use driver_api::types::device::ParameterSet;
use driver_api::types::device::flags::{MEMORY_MAXIMUM, VCPU_MAXIMUM};
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::param::{Param, Value, find};
use driver_api::types::uuid::Uuid;

const RESOURCES: Check = Check {
    needs: &["virt.lifecycle/1", "virt.resources/1"],
    clause: "resources.limits",
    ..VIRT
};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-140",
        title: "memory that was set is what the domain has; more than its limit is refused with 8",
        why: "Whoever divides a machine's memory reads what he set, and must not give out what is not there.",
        fix: "Compare with the limit, store, publish the brief with the new number.",
        run: memory_is_set,
        ..RESOURCES
    },
    Check {
        id: "VIRT-141",
        title: "the number of processors is told, and one that can not be is refused",
        why: "A client that asks for 0 or a million processors must learn that it did not get them.",
        fix: "8 for no processor, 8 or 67 for more than there can be; publish what was set.",
        run: processors_are_set,
        ..RESOURCES
    },
    Check {
        id: "VIRT-142",
        title: "limits that were set read back, under the same name, with the same type",
        why: "Clients read a set, change one value and write all of it.",
        fix: "Answer the set from what you keep; those that a call does not name stay.",
        run: limits_read_back,
        ..RESOURCES
    },
    Check {
        id: "VIRT-143",
        title: "a set of limits is set as a whole or not at all",
        why: "A client that is told that it failed believes that the old limits hold.",
        fix: "Check every name, type and value before the first one is set.",
        run: all_or_none,
        ..RESOURCES
    },
    Check {
        id: "VIRT-144",
        title: "what can not be set is refused with its code, and nothing changes",
        clause: "errors.codes",
        why: "By the code a client tells a domain that is gone from a flag that is not known.",
        fix: "42 for no domain, 55 for AFFECT_LIVE of a domain that is off, 8 for unknown flags.",
        run: refuses,
        ..RESOURCES
    },
];

/// The sets that are a domain's own, not one of its devices'.
const OWN: [ParameterSet; 3] = [ParameterSet::Scheduler, ParameterSet::Memory, ParameterSet::Blkio];

fn set<T>(bench: &Bench, method: &str, work: impl FnOnce(Resources<'_>, Call) -> Result<T>) -> Result<T> {
    bench.call(method, |driver, call| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.resources/1 is not offered");
        work(driver.resources().ok_or_else(none)?, call)
    })
}

fn set_memory(bench: &Bench, uuid: Uuid, kib: u64, flags: u32) -> Result<()> {
    set(bench, "set_memory", |resources, call| {
        resources.set_memory(call, uuid, kib, flags)
    })
}

fn set_vcpus(bench: &Bench, uuid: Uuid, count: u32, flags: u32) -> Result<()> {
    set(bench, "set_vcpus", |resources, call| {
        resources.set_vcpus(call, uuid, count, flags)
    })
}

fn set_limits(bench: &Bench, uuid: Uuid, of: ParameterSet, params: &[Param], flags: u32) -> Result<()> {
    set(bench, "set_parameters", |resources, call| {
        resources.set_parameters(call, uuid, of, None, params.to_vec(), flags)
    })
}

fn look<T>(bench: &Bench, method: &str, work: impl FnOnce(Resources<'_>) -> Result<T>) -> Result<T> {
    bench.read(method, |driver| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.resources/1 is not offered");
        work(driver.resources().ok_or_else(none)?)
    })
}

fn vcpus(bench: &Bench, uuid: Uuid, flags: u32) -> Result<u32> {
    look(bench, "vcpus", |resources| resources.vcpus(uuid, flags))
}

fn limits(bench: &Bench, uuid: Uuid, of: ParameterSet, flags: u32) -> Result<Vec<Param>> {
    look(bench, "parameters", |resources| {
        resources.parameters(uuid, of, None, flags)
    })
}

fn memory_is_set(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let most = brief(&bench, uuid)?.max_memory_kib;
    let less = most - most / 4;
    set_memory(&bench, uuid, less, 0).succeeds(format_args!("set_memory to {less} of {most} KiB"))?;
    ensure_eq!(brief(&bench, uuid)?.memory_kib, less, "the brief after set_memory: KiB");
    let printed = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    let before = Picture::of(&bench)?;
    for much in [most + 1, most * 1024, u64::MAX] {
        let what = format!("set_memory to {much} of {most} KiB");
        set_memory(&bench, uuid, much, 0).fails_with(&[Code::INVALID_ARG], &what)?;
        before.expect_same(&bench, &what)?;
    }
    // The document tells it too, so that it is not lost with the next `virsh edit`.
    bench.define(&printed).succeeds("define of what dump_xml printed")?;
    ensure_eq!(
        brief(&bench, uuid)?.memory_kib,
        less,
        "the brief after define of what dump_xml printed: KiB"
    );
    set_memory(&bench, uuid, most, 0).succeeds("set_memory to all of it")?;
    ensure_eq!(brief(&bench, uuid)?.memory_kib, most, "the brief after set_memory: KiB");
    let more = most + 4096;
    let raised = set_memory(&bench, uuid, more, MEMORY_MAXIMUM);
    raised.succeeds("set_memory with MEMORY_MAXIMUM of a domain that is off")?;
    ensure_eq!(
        brief(&bench, uuid)?.max_memory_kib,
        more,
        "the brief after set_memory with MEMORY_MAXIMUM: KiB"
    );
    expect_calm(&bench)
}

fn processors_are_set(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let count = vcpus(&bench, uuid, 0).succeeds("vcpus")?;
    ensure_eq!(count, brief(&bench, uuid)?.vcpus, "vcpus, beside the brief");
    let most = vcpus(&bench, uuid, VCPU_MAXIMUM).succeeds("vcpus with VCPU_MAXIMUM")?;
    ensure!(
        most >= count,
        "vcpus with VCPU_MAXIMUM: expected {count} or more, found {most}"
    );
    set_vcpus(&bench, uuid, count, 0).succeeds("set_vcpus to what it has")?;
    ensure_eq!(
        vcpus(&bench, uuid, 0).succeeds("vcpus")?,
        count,
        "vcpus after set_vcpus"
    );
    let before = Picture::of(&bench)?;
    let codes = [Code::INVALID_ARG, Code::CONFIG_UNSUPPORTED];
    for wrong in [0, 1_000_000, u32::MAX] {
        let what = format!("set_vcpus to {wrong}");
        set_vcpus(&bench, uuid, wrong, 0).fails_with(&codes, &what)?;
        before.expect_same(&bench, &what)?;
    }
    expect_calm(&bench)
}

/// Another value of the same type that most limits of a weight or share can have.
fn other(param: &Param) -> Option<Param> {
    if !["cpu_shares", "weight"].contains(&param.name.as_str()) {
        return None;
    }
    let value = match param.value {
        Value::Uint(value) => Value::Uint(if value == 300 { 400 } else { 300 }),
        Value::Ulong(value) => Value::Ulong(if value == 300 { 400 } else { 300 }),
        _ => return None,
    };
    Some(Param {
        name: param.name.clone(),
        value,
    })
}

fn limits_read_back(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    for of in OWN {
        let known = match limits(&bench, uuid, of, 0) {
            Ok(known) => known,
            Err(error) => {
                Err::<(), _>(error).fails_with(&[Code::NO_SUPPORT], format_args!("parameters of the set {of:?}"))?;
                continue;
            }
        };
        let mut names: Vec<&str> = known.iter().map(|param| param.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        ensure_eq!(
            names.len(),
            known.len(),
            "parameters of the set {of:?}: each name once, in {known:?}"
        );
        for param in known.iter().filter_map(other) {
            let name = param.name.clone();
            let set = set_limits(&bench, uuid, of, std::slice::from_ref(&param), 0);
            set.succeeds(format_args!("set_parameters of {param:?} in the set {of:?}"))?;
            let now = limits(&bench, uuid, of, 0).succeeds("parameters")?;
            ensure_eq!(
                find(&now, &name),
                Some(&param.value),
                "parameters of {of:?} after it was set: '{name}'"
            );
            for old in known.iter().filter(|old| old.name != name) {
                let kept = find(&now, &old.name);
                ensure_eq!(
                    kept,
                    Some(&old.value),
                    "parameters of {of:?} after '{name}' was set: '{}'",
                    old.name
                );
            }
            let back = known.iter().find(|old| old.name == name).cloned();
            let back: Vec<Param> = back.into_iter().collect();
            if find(&back, &name)
                .and_then(Value::as_u64)
                .is_some_and(|value| value > 1)
            {
                set_limits(&bench, uuid, of, &back, 0).succeeds("set_parameters back")?;
            }
        }
    }
    expect_calm(&bench)
}

fn all_or_none(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let unknown = Param::new("suite_limit", 1_u64);
    let codes = [Code::INVALID_ARG, Code::NO_SUPPORT, Code::CONFIG_UNSUPPORTED];
    for of in OWN {
        let known = limits(&bench, uuid, of, 0).unwrap_or_default();
        let before = Picture::of(&bench)?;
        let alone = set_limits(&bench, uuid, of, std::slice::from_ref(&unknown), 0);
        alone.fails_with(
            &codes,
            format_args!("set_parameters of a limit that {of:?} does not have"),
        )?;
        for good in known.iter().filter_map(other) {
            let text = Param::new(good.name.clone(), "many");
            for wrong in [unknown.clone(), text] {
                let what = format!("set_parameters of {good:?} and {wrong:?}");
                let both = set_limits(&bench, uuid, of, &[good.clone(), wrong], 0);
                both.fails_with(&codes, &what)?;
                let now = limits(&bench, uuid, of, 0).succeeds("parameters")?;
                ensure_eq!(now, known, "parameters of {of:?} after the refused {what}");
            }
        }
        before.expect_same(&bench, "refused calls of set_parameters")?;
    }
    expect_calm(&bench)
}

/// Every method.
fn each(bench: &Bench, uuid: Uuid, flags: u32) -> [(&'static str, Result<()>); 5] {
    let shares = [Param::new("cpu_shares", 512_u64)];
    [
        ("set_memory", set_memory(bench, uuid, 16 * 1024, flags)),
        ("set_vcpus", set_vcpus(bench, uuid, 1, flags)),
        ("vcpus", vcpus(bench, uuid, flags).map(drop)),
        (
            "parameters",
            limits(bench, uuid, ParameterSet::Scheduler, flags).map(drop),
        ),
        (
            "set_parameters",
            set_limits(bench, uuid, ParameterSet::Scheduler, &shares, flags),
        ),
    ]
}

fn refuses(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    for (what, answer) in each(&bench, uuid, 0) {
        answer.fails_with(
            &[Code::NO_DOMAIN],
            format_args!("{what} for a domain that there is not"),
        )?;
    }
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let before = Picture::of(&bench)?;
    let wrong = |code| either(&[code, Code::NO_SUPPORT], CAN_NOT);
    for (what, answer) in each(&bench, uuid, UNKNOWN_FLAG) {
        answer.fails_with(&[Code::INVALID_ARG], format_args!("{what} with an unknown flag"))?;
    }
    for (what, answer) in each(&bench, uuid, AFFECT_LIVE) {
        let codes = wrong(Code::OPERATION_INVALID);
        answer.fails_with(&codes, format_args!("{what} with AFFECT_LIVE of a domain that is off"))?;
    }
    before.expect_same(&bench, "refused changes of resources")?;
    if ctx.fixtures().domain.transient && ctx.fixtures().domain.startable {
        bench.create(&ctx.domain(2)).succeeds("create")?;
        for (what, answer) in each(&bench, ctx.uuid(2), AFFECT_CONFIG) {
            let codes = wrong(Code::OPERATION_INVALID);
            answer.fails_with(&codes, format_args!("{what} with AFFECT_CONFIG of a transient domain"))?;
        }
        bench.destroy(ctx.uuid(2)).succeeds("destroy")?;
    }
    running(ctx, &bench, 1)?;
    let before = Picture::of(&bench)?;
    let much = brief(&bench, uuid)?.max_memory_kib + 1;
    let answer = set_memory(&bench, uuid, much, AFFECT_LIVE);
    answer.fails_with(&[Code::INVALID_ARG], "set_memory of more than the limit, and it runs")?;
    before.expect_same(&bench, "set_memory of more than the limit")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}
