//! Prints `<cputune>`, `<memtune>` and `<blkiotune>`.

use super::super::order;
use super::super::rest::Rest;
use super::super::tune::{BlockDevice, Tune};
use super::{kib, text};
use driver_api::kit::xml::Element;

/// Those that say anything.
pub(super) fn all(tune: &Tune) -> impl Iterator<Item = Element> + use<> {
    [
        dressed(
            Element::new("blkiotune").with_children(block(tune)),
            &tune.block.rest,
            order::BLKIOTUNE,
        ),
        dressed(
            Element::new("memtune").with_children(memory(tune)),
            &tune.memory.rest,
            order::MEMTUNE,
        ),
        dressed(
            Element::new("cputune").with_children(cpu(tune)),
            &tune.cpu.rest,
            order::CPUTUNE,
        ),
    ]
    .into_iter()
    .flatten()
}

fn cpu(tune: &Tune) -> Vec<Element> {
    let cpu = &tune.cpu;
    let figure = |name: &str, figure: Option<String>| figure.map(|figure| text(name, &figure));
    let mut all: Vec<Element> = figure("shares", cpu.shares.map(|shares| shares.to_string()))
        .into_iter()
        .collect();
    for (prefix, bandwidth) in [("", cpu.vcpu), ("global_", cpu.global), ("emulator_", cpu.emulator)] {
        let period = bandwidth.period.map(|period| period.to_string());
        let quota = bandwidth.quota.map(|quota| quota.to_string());
        all.extend(figure(&format!("{prefix}period"), period));
        all.extend(figure(&format!("{prefix}quota"), quota));
    }
    let pin = |(number, set): &(u32, _)| {
        Element::new("vcpupin")
            .with_attr("vcpu", number)
            .with_attr("cpuset", set)
    };
    all.extend(cpu.pins.iter().map(pin));
    let emulator = cpu.emulator_pin.as_ref();
    all.extend(emulator.map(|set| Element::new("emulatorpin").with_attr("cpuset", set)));
    all
}

fn memory(tune: &Tune) -> impl Iterator<Item = Element> {
    let memory = &tune.memory;
    [
        ("hard_limit", memory.hard_limit),
        ("soft_limit", memory.soft_limit),
        ("swap_hard_limit", memory.swap_hard_limit),
    ]
    .into_iter()
    .filter_map(|(name, limit)| limit.map(|limit| kib(name, limit)))
}

fn block(tune: &Tune) -> impl Iterator<Item = Element> {
    let weight = tune.block.weight.map(|weight| Element::new("weight").with_text(weight));
    weight.into_iter().chain(tune.block.devices.iter().map(device))
}

fn device(device: &BlockDevice) -> Element {
    let figures = [
        ("weight", device.weight.map(u64::from)),
        ("read_iops_sec", device.read_iops.map(u64::from)),
        ("write_iops_sec", device.write_iops.map(u64::from)),
        ("read_bytes_sec", device.read_bytes),
        ("write_bytes_sec", device.write_bytes),
    ];
    let figures = figures
        .into_iter()
        .filter_map(|(name, figure)| Some(Element::new(name).with_text(figure?)));
    Element::new("device")
        .with_child(text("path", &device.path))
        .with_children(figures)
}

fn dressed(element: Element, rest: &Rest, order: &[&str]) -> Option<Element> {
    let element = rest.dress(element, order);
    (!element.attributes.is_empty() || !element.children.is_empty()).then_some(element)
}
