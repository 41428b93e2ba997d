//! `virt.devices/1`: with the devices of the author's fixtures.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::checks::domains::{BAD_DOCUMENT, CAN_NOT, Picture, UNKNOWN_FLAG, VIRT, either, expect_calm, running, tree};
use crate::{ensure, ensure_eq};
use driver_api::abi::lock::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::loaded::Devices;
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE, XML_INACTIVE};
use driver_api::types::notice::Notice;
use driver_api::types::uuid::Uuid;
use std::time::Duration;

const DEVICES: Check = Check {
    needs: &["virt.lifecycle/1", "virt.devices/1"],
    clause: "devices.change",
    ..VIRT
};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-130",
        title: "a device that is put into what runs is there until it is taken out, and both is told",
        why: "A client shows devices by what it is told; one that is there and not shown is never taken out.",
        fix: "Plug, publish the live document with it, raise `DeviceAdded` with the alias; the same backwards.",
        run: comes_and_goes,
        ..DEVICES
    },
    Check {
        id: "VIRT-131",
        title: "what was put into what runs only is gone at the next start",
        why: "Nobody asked for the device to be part of the definition.",
        fix: "Change the live document only; the next start begins with the definition.",
        run: is_gone_at_the_next_start,
        ..DEVICES
    },
    Check {
        id: "VIRT-132",
        title: "a change of the definition is for the next start, a change of both is made to both",
        why: "Half a change is found at the next boot, when nobody remembers.",
        fix: "Validate against both, plug, store, publish; unplug when the definition can not be stored.",
        run: goes_where_it_belongs,
        ..DEVICES
    },
    Check {
        id: "VIRT-133",
        title: "a change that can not be made is refused with its code, and nothing changes",
        why: "By the code a client tells a device that is gone already (99) from one that is held (9).",
        fix: "42, 55, 27 for an element that is none, 99 for a device that there is not, 8 for unknown flags.",
        run: refuses,
        ..DEVICES
    },
];

fn device(ctx: &Ctx) -> Outcome<String> {
    let devices = &ctx.fixtures().domain.devices;
    let template = devices.first().ok_or_else(|| Failure::no_fixture("'domain.devices'"))?;
    // Something for a disk to lead to.
    let disk = ctx.root().join("disk.img");
    let made = std::fs::File::create(&disk).and_then(|file| file.set_len(1 << 20));
    made.map_err(|error| Failure::new(format!("the suite: '{}': {error}", disk.display())))?;
    Ok(ctx.domain_as(template, &ctx.name(1), ctx.uuid(1)))
}

fn change(bench: &Bench, method: &str, work: impl FnOnce(Devices<'_>, Call) -> Result<()>) -> Result<()> {
    bench.call(method, |driver, call| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.devices/1 is not offered");
        work(driver.devices().ok_or_else(none)?, call)
    })
}

fn attach(bench: &Bench, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
    change(bench, "attach_device", |devices, call| {
        devices.attach_device(call, uuid, xml, flags)
    })
}

fn detach(bench: &Bench, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
    change(bench, "detach_device", |devices, call| {
        devices.detach_device(call, uuid, xml, flags)
    })
}

/// How many devices of the element's kind a document has.
fn count(bench: &Bench, uuid: Uuid, xml: &str, flags: u32) -> Outcome<usize> {
    let kind = tree(xml)?.name;
    let root = tree(&bench.dump_xml(uuid, flags).succeeds("dump_xml")?)?;
    let devices = root.children_named("devices");
    Ok(devices.map(|devices| devices.children_named(&kind).count()).sum())
}

fn notices(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for notice in bench.recording().notices {
        match notice.notice {
            Notice::DeviceAdded { alias } => added.push(alias),
            Notice::DeviceRemoved { alias } => removed.push(alias),
            _ => {}
        }
    }
    (added, removed)
}

fn comes_and_goes(ctx: &Ctx) -> Outcome {
    let device = device(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    running(ctx, &bench, 1)?;
    let before = count(&bench, uuid, &device, 0)?;
    let defined = bench.dump_xml(uuid, XML_INACTIVE).succeeds("dump_xml")?;
    attach(&bench, uuid, &device, 0).succeeds("attach_device to what runs")?;
    ensure_eq!(
        count(&bench, uuid, &device, 0)?,
        before + 1,
        "dump_xml after attach_device: devices of its kind"
    );
    let now = bench.dump_xml(uuid, XML_INACTIVE).succeeds("dump_xml")?;
    ensure_eq!(
        now,
        defined,
        "dump_xml with XML_INACTIVE after attach_device to what runs"
    );
    let (added, _) = notices(&bench);
    ensure!(
        added.len() == 1 && !added[0].is_empty(),
        "attach_device: expected one notice 'DeviceAdded' with an alias, found {added:?}"
    );
    let picture = Picture::of(&bench)?;
    let again = attach(&bench, uuid, &device, 0);
    again.fails_with(&[Code::OPERATION_FAILED], "attach_device of a device that is there")?;
    picture.expect_same(&bench, "attach_device of a device that is there")?;
    detach(&bench, uuid, &device, 0).succeeds("detach_device")?;
    ensure_eq!(
        count(&bench, uuid, &device, 0)?,
        before,
        "dump_xml after detach_device: devices of its kind"
    );
    // A guest may take its time to let go; what is gone is told when it is gone.
    let _settled = bench.wait(Duration::from_secs(5), |bench| !notices(bench).1.is_empty());
    let (_, removed) = notices(&bench);
    ensure_eq!(
        removed,
        added,
        "the aliases in notices 'DeviceRemoved', beside those in 'DeviceAdded'"
    );
    let gone = detach(&bench, uuid, &device, 0);
    gone.fails_with(&[Code::DEVICE_MISSING], "detach_device of a device that is gone")?;
    attach(&bench, uuid, &device, 0).succeeds("attach_device once more")?;
    let (added, _) = notices(&bench);
    let alias = added.last().cloned().unwrap_or_default();
    let by_alias = change(&bench, "detach_alias", |devices, call| {
        devices.detach_alias(call, uuid, &alias, 0)
    });
    by_alias.succeeds(format_args!("detach_alias '{alias}'"))?;
    ensure_eq!(
        count(&bench, uuid, &device, 0)?,
        before,
        "dump_xml after detach_alias: devices of its kind"
    );
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn is_gone_at_the_next_start(ctx: &Ctx) -> Outcome {
    let device = device(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let idle = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    running(ctx, &bench, 1)?;
    let before = count(&bench, uuid, &device, 0)?;
    attach(&bench, uuid, &device, AFFECT_LIVE).succeeds("attach_device with AFFECT_LIVE")?;
    ensure_eq!(
        count(&bench, uuid, &device, 0)?,
        before + 1,
        "dump_xml after attach_device: devices of its kind"
    );
    bench.destroy(uuid).succeeds("destroy")?;
    let after = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    ensure_eq!(
        after,
        idle,
        "dump_xml of a domain that is off, beside that from before its run"
    );
    bench.start(uuid).succeeds("start")?;
    ensure_eq!(
        count(&bench, uuid, &device, 0)?,
        before,
        "dump_xml after the next start: devices of its kind"
    );
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn goes_where_it_belongs(ctx: &Ctx) -> Outcome {
    let device = device(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    running(ctx, &bench, 1)?;
    let counts = || -> Outcome<(usize, usize)> {
        Ok((
            count(&bench, uuid, &device, 0)?,
            count(&bench, uuid, &device, XML_INACTIVE)?,
        ))
    };
    let (live, defined) = counts()?;
    let picture = Picture::of(&bench)?;
    if let Err(error) = attach(&bench, uuid, &device, AFFECT_CONFIG) {
        // A driver whose definitions have no devices says so, for the definition alone and for both.
        Err::<(), _>(error).fails_with(CAN_NOT, "attach_device with AFFECT_CONFIG")?;
        let both = attach(&bench, uuid, &device, AFFECT_LIVE | AFFECT_CONFIG);
        both.fails_with(CAN_NOT, "attach_device to both")?;
        picture.expect_same(&bench, "refused calls of attach_device")?;
        bench.destroy(uuid).succeeds("destroy")?;
        return expect_calm(&bench);
    }
    ensure_eq!(
        counts()?,
        (live, defined + 1),
        "devices (live, defined) after attach_device with AFFECT_CONFIG"
    );
    let picture = Picture::of(&bench)?;
    let both = attach(&bench, uuid, &device, AFFECT_LIVE | AFFECT_CONFIG);
    both.fails_with(
        &[Code::OPERATION_FAILED],
        "attach_device to both, and the definition has it",
    )?;
    picture.expect_same(&bench, "attach_device to both that fails for one")?;
    detach(&bench, uuid, &device, AFFECT_CONFIG).succeeds("detach_device with AFFECT_CONFIG")?;
    ensure_eq!(
        counts()?,
        (live, defined),
        "devices (live, defined) after detach_device with AFFECT_CONFIG"
    );
    let both = AFFECT_LIVE | AFFECT_CONFIG;
    attach(&bench, uuid, &device, both).succeeds("attach_device to both")?;
    ensure_eq!(
        counts()?,
        (live + 1, defined + 1),
        "devices (live, defined) after attach_device to both"
    );
    detach(&bench, uuid, &device, both).succeeds("detach_device from both")?;
    ensure_eq!(
        counts()?,
        (live, defined),
        "devices (live, defined) after detach_device from both"
    );
    bench.destroy(uuid).succeeds("destroy")?;
    attach(&bench, uuid, &device, 0).succeeds("attach_device to a domain that is off")?;
    ensure_eq!(
        count(&bench, uuid, &device, 0)?,
        defined + 1,
        "devices of a domain that is off after attach_device"
    );
    detach(&bench, uuid, &device, 0).succeeds("detach_device from a domain that is off")?;
    ensure_eq!(
        count(&bench, uuid, &device, 0)?,
        defined,
        "devices of a domain that is off after detach_device"
    );
    expect_calm(&bench)
}

/// Every method, with an element or an alias.
fn each(bench: &Bench, uuid: Uuid, xml: &str, alias: &str, flags: u32) -> [(&'static str, Result<()>); 4] {
    let update = change(bench, "update_device", |devices, call| {
        devices.update_device(call, uuid, xml, flags)
    });
    let by_alias = change(bench, "detach_alias", |devices, call| {
        devices.detach_alias(call, uuid, alias, flags)
    });
    [
        ("attach_device", attach(bench, uuid, xml, flags)),
        ("detach_device", detach(bench, uuid, xml, flags)),
        ("detach_alias", by_alias),
        ("update_device", update),
    ]
}

fn refuses(ctx: &Ctx) -> Outcome {
    let device = device(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    for (what, answer) in each(&bench, uuid, &device, "suite0", 0) {
        answer.fails_with(
            &[Code::NO_DOMAIN],
            format_args!("{what} for a domain that there is not"),
        )?;
    }
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let before = Picture::of(&bench)?;
    for (what, answer) in each(&bench, uuid, &device, "suite0", AFFECT_LIVE) {
        answer.fails_with(
            &[Code::OPERATION_INVALID],
            format_args!("{what} with AFFECT_LIVE of a domain that is off"),
        )?;
    }
    before.expect_same(&bench, "changes with AFFECT_LIVE of a domain that is off")?;
    running(ctx, &bench, 1)?;
    let before = Picture::of(&bench)?;
    for (what, answer) in each(&bench, uuid, &device, "suite0", UNKNOWN_FLAG) {
        answer.fails_with(&[Code::INVALID_ARG], format_args!("{what} with an unknown flag"))?;
    }
    let missing = each(&bench, uuid, &device, "suite0", AFFECT_LIVE).into_iter();
    // The device itself was attached by the first of them.
    for (what, answer) in missing.filter(|(what, _)| *what == "detach_alias") {
        answer.fails_with(
            &[Code::DEVICE_MISSING],
            format_args!("{what} of an alias that there is not"),
        )?;
    }
    let _settled = bench.wait(Duration::from_secs(5), |bench| !notices(bench).1.is_empty());
    let bad = either(BAD_DOCUMENT, &[Code::INVALID_ARG]);
    for xml in [
        "",
        "text",
        "<disk",
        "<disk></interface>",
        "<disk/><disk/>",
        "<disk>&nobody;</disk>",
    ] {
        for (what, answer) in each(&bench, uuid, xml, "suite0", 0) {
            let codes = if what == "detach_alias" {
                &[Code::DEVICE_MISSING][..]
            } else {
                &bad
            };
            answer.fails_with(codes, format_args!("{what} of '{xml}'"))?;
        }
    }
    let gone = change(&bench, "update_device", |devices, call| {
        devices.update_device(call, uuid, &device, 0)
    });
    let codes = either(&[Code::DEVICE_MISSING], CAN_NOT);
    gone.fails_with(&codes, "update_device of a device that there is not")?;
    before.expect_same(&bench, "changes of devices that were refused")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}
