//! Looking: lists, look-ups, and facts of the driver as a whole.

use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{CAN_NOT, VIRT, either, expect_calm, expect_state, remove, running, tree};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::domain::State;
use driver_api::types::uuid::Uuid;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-020",
        title: "every domain is listed once, and found by UUID and by its whole name",
        clause: "lifecycle.lookup",
        why: "The host looks up before most calls and tells clients what it found.",
        fix: "Answer list and look-ups from one table; compare whole names.",
        run: all_are_found,
        ..VIRT
    },
    Check {
        id: "VIRT-021",
        title: "what is not there is not found, whatever is asked for",
        clause: "lifecycle.lookup",
        why: "Clients look for a free name by looking it up.",
        fix: "Answer `None` for what no domain is called; an id belongs to active domains only.",
        run: nobody_is_found,
        ..VIRT
    },
    Check {
        id: "VIRT-022",
        title: "domains that run and domains that do not are both listed",
        clause: "lifecycle.list",
        why: "A domain that is missing in a list is taken for gone.",
        fix: "List every domain; the host sorts out what a client wants to see.",
        run: both_kinds_are_listed,
        ..VIRT
    },
    Check {
        id: "VIRT-023",
        title: "processor time is 0 for a domain that is off and never goes back while it runs",
        clause: "lifecycle.lookup",
        why: "Tools show the difference of two readings; one that goes back becomes a huge number.",
        fix: "Sum up what the kernel counts for all processes of the guest (`Host::cpu_time`).",
        run: time_is_told,
        ..VIRT
    },
    Check {
        id: "VIRT-024",
        title: "capabilities are elements named guest, the version is a number, the machine's facts are whole",
        clause: "strings.utf8",
        why: "The host puts `capabilities` into its own document; a broken part breaks it for all drivers.",
        fix: "Answer a row of complete <guest> elements and nothing else.",
        run: facts_are_whole,
        ..VIRT
    },
];

fn all_are_found(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let empty = bench.list().succeeds("list")?;
    ensure!(
        empty.is_empty(),
        "list of a new host: expected no domain, found {empty:?}"
    );
    for n in 1..=5 {
        bench.define(&ctx.domain(n)).succeeds("define")?;
        let list = bench.list().succeeds("list")?;
        ensure_eq!(list.len(), n, "list after {n} definitions: the number of domains");
        for known in 1..=n {
            expect_state(&bench, ctx.uuid(known), State::Shutoff, "define")?;
        }
    }
    bench.undefine(ctx.uuid(3)).succeeds("undefine")?;
    let list = bench.list().succeeds("list")?;
    ensure_eq!(
        list.len(),
        4,
        "list after one of five was undefined: the number of domains"
    );
    for known in [1, 2, 4, 5] {
        expect_state(&bench, ctx.uuid(known), State::Shutoff, "undefine of another one")?;
    }
    expect_calm(&bench)
}

fn nobody_is_found(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let name = ctx.name(1);
    let others = [
        String::new(),
        name[..name.len() - 1].to_owned(),
        format!("{name}0"),
        format!(" {name}"),
        name.to_uppercase(),
        "*".to_owned(),
        ctx.uuid(1).to_string(),
    ];
    for other in others {
        let found = bench.by_name(&other).succeeds("by_name")?;
        ensure!(found.is_none(), "by_name('{other}'): expected nothing, found {found:?}");
    }
    for other in [Uuid::default(), ctx.uuid(2)] {
        let found = bench.by_uuid(other).succeeds("by_uuid")?;
        ensure!(found.is_none(), "by_uuid('{other}'): expected nothing, found {found:?}");
    }
    for id in [i32::MIN, -1, 0, 1, 2, i32::MAX] {
        let found = bench.by_id(id).succeeds("by_id")?;
        ensure!(
            found.is_none(),
            "by_id({id}), and nothing runs: expected nothing, found {found:?}"
        );
    }
    expect_calm(&bench)
}

fn both_kinds_are_listed(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    running(ctx, &bench, 2)?;
    bench.define(&ctx.domain(3)).succeeds("define")?;
    expect_state(&bench, ctx.uuid(1), State::Shutoff, "start of another one")?;
    let found = expect_state(&bench, ctx.uuid(2), State::Running, "start")?;
    expect_state(&bench, ctx.uuid(3), State::Shutoff, "start of another one")?;
    remove(&bench, ctx.uuid(2))?;
    if let Some(id) = found.id {
        let late = bench.by_id(id).succeeds("by_id")?;
        ensure!(
            late.is_none(),
            "by_id({id}) of a domain that is gone: expected nothing, found {late:?}"
        );
    }
    expect_calm(&bench)
}

fn time_is_told(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let time = || bench.look("cpu_time", |virt| virt.cpu_time(uuid));
    time().fails_with(&[Code::NO_DOMAIN], "cpu_time of a domain that there is not")?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    ensure_eq!(time().succeeds("cpu_time")?, 0, "cpu_time of a domain that is off");
    running(ctx, &bench, 1)?;
    let mut last = 0;
    for _ in 0..20 {
        let now = time().succeeds("cpu_time of a domain that runs")?;
        ensure!(
            now >= last,
            "cpu_time of a domain that runs: expected {last} or more, found {now}"
        );
        last = now;
    }
    bench.destroy(uuid).succeeds("destroy")?;
    ensure_eq!(
        time().succeeds("cpu_time")?,
        0,
        "cpu_time of a domain that is off again"
    );
    expect_calm(&bench)
}

fn facts_are_whole(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let capabilities = bench
        .look("capabilities", |virt| virt.capabilities())
        .succeeds("capabilities")?;
    let root = tree(&format!("<host>{capabilities}</host>"))
        .map_err(|failure| failure.when("capabilities as part of the host's document"))?;
    let mut names = root.elements().map(|element| element.name.as_str());
    let other = names.find(|name| *name != "guest");
    ensure!(
        other.is_none(),
        "capabilities: expected elements <guest>, found {other:?}"
    );
    ensure!(
        root.elements().count() > 0,
        "capabilities: expected at least one <guest>, found none"
    );
    match bench.look("version", |virt| virt.version()) {
        Ok(_) => {}
        Err(error) => {
            Err::<(), _>(error).fails_with(&[Code::INTERNAL], "version that can not be told")?;
        }
    }
    match bench.look("node_info", |virt| virt.node_info()) {
        Ok(node) => {
            let length = node.model.len();
            ensure!(
                length <= 31,
                "node_info: the model: expected at most 31 bytes, found {length}"
            );
            ensure!(
                node.cpus > 0 && node.memory_kib > 0,
                "node_info: expected processors and memory, found {node:?}"
            );
        }
        Err(error) => {
            let codes = either(&[Code::SYSTEM_ERROR], CAN_NOT);
            Err::<(), _>(error).fails_with(&codes, "node_info that can not be told")?;
        }
    }
    expect_calm(&bench)
}
