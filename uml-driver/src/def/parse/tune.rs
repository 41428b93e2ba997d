//! Reads `<cputune>`, `<memtune>`, `<blkiotune>` and the attribute `cpuset` of `<vcpu>`.

use super::super::cpuset::CpuSet;
use super::super::order;
use super::super::rest::Rest;
use super::super::tune::{
    Bandwidth, BlockDevice, BlockTune, CpuTune, MemoryTune, PERIOD, QUOTA, SHARES, Tune, UNLIMITED_KIB, WEIGHT,
};
use super::{number, one, one_text, size, wrong};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::Element;
use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Takes all of it out of the document; `vcpus` is how many processors the guest may have.
pub(super) fn all(root: &mut Element, cpuset: Option<CpuSet>, vcpus: u32) -> Result<Tune> {
    Ok(Tune {
        cpu: cpu(one(root, "cputune"), vcpus)?,
        memory: memory(one(root, "memtune"))?,
        block: block(one(root, "blkiotune"))?,
        cpuset,
    })
}

/// The processors that an attribute `cpuset` names.
pub(super) fn cpuset(element: &mut Element) -> Result<Option<CpuSet>> {
    let Some(text) = element.take_attr("cpuset") else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        let message = format!(
            "cpuset '{}' of <{}> is not a set of processors like '0-3,^2'",
            text.escape_debug(),
            element.name
        );
        wrong(element, message)
    })
}

fn cpu(element: Option<Element>, vcpus: u32) -> Result<CpuTune> {
    let Some(mut element) = element else {
        return Ok(CpuTune::default());
    };
    let mut pins: Vec<(u32, CpuSet)> = Vec::new();
    for mut pin in element.take_children("vcpupin") {
        let processor = pin.attr("vcpu").and_then(number);
        let processor = processor.ok_or_else(|| wrong(&pin, "<vcpupin> wants a number 'vcpu'"))?;
        let set = pinned(&mut pin)?;
        if pins.iter().any(|(other, _)| *other == processor) {
            return Err(wrong(&pin, format!("<vcpupin> for vcpu {processor} is there twice")));
        }
        // libvirt leaves out what is said of processors that there never are.
        if processor < vcpus {
            pins.push((processor, set));
        }
    }
    pins.sort_by_key(|(processor, _)| *processor);
    let emulator_pin = one(&mut element, "emulatorpin").map(|mut pin| pinned(&mut pin));
    let shares = match one(&mut element, "shares") {
        Some(shares) => bounded(&shares, "shares", &SHARES, |_| false)?,
        None => None,
    };
    Ok(CpuTune {
        shares,
        vcpu: bandwidth(&mut element, "period", "quota")?,
        global: bandwidth(&mut element, "global_period", "global_quota")?,
        emulator: bandwidth(&mut element, "emulator_period", "emulator_quota")?,
        pins,
        emulator_pin: emulator_pin.transpose()?,
        rest: Rest::of(element, order::CPUTUNE),
    })
}

fn pinned(pin: &mut Element) -> Result<CpuSet> {
    let set = cpuset(pin)?;
    set.ok_or_else(|| wrong(pin, format!("<{}> has no attribute 'cpuset'", pin.name)))
}

fn bandwidth(element: &mut Element, period: &str, quota: &str) -> Result<Bandwidth> {
    let mut bandwidth = Bandwidth::default();
    if let Some(period) = one(element, period) {
        bandwidth.period = bounded(&period, &period.name, &PERIOD, |_| false)?;
    }
    if let Some(quota) = one(element, quota) {
        bandwidth.quota = bounded(&quota, &quota.name, &QUOTA, |quota| quota < 0)?;
    }
    Ok(bandwidth)
}

/// A number within bounds; 0 says nothing, as in libvirt.
fn bounded<T>(
    element: &Element,
    what: &str,
    bounds: &RangeInclusive<T>,
    otherwise: impl Fn(T) -> bool,
) -> Result<Option<T>>
where
    T: FromStr + PartialOrd + Default + Copy + Display,
{
    let text = element.text();
    let text = text.trim();
    // `parse` alone would take a plus sign.
    let number: Option<T> = (!text.starts_with('+')).then(|| text.parse().ok()).flatten();
    let number = number.ok_or_else(|| wrong(element, format!("<{what}> '{text}' is not a whole number")))?;
    if number == T::default() {
        return Ok(None);
    }
    if bounds.contains(&number) || otherwise(number) {
        return Ok(Some(number));
    }
    Err(unsupported(format!(
        "<{what}> {number} is out of bounds, {} to {} are possible",
        bounds.start(),
        bounds.end()
    )))
}

fn memory(element: Option<Element>) -> Result<MemoryTune> {
    let Some(mut element) = element else {
        return Ok(MemoryTune::default());
    };
    let mut limit = |name: &str| -> Result<Option<u64>> {
        let Some(mut limit) = one(&mut element, name) else {
            return Ok(None);
        };
        // That number is the largest size there is.
        let kib = size(&mut limit)?;
        Ok((kib < UNLIMITED_KIB).then_some(kib))
    };
    Ok(MemoryTune {
        hard_limit: limit("hard_limit")?,
        soft_limit: limit("soft_limit")?,
        swap_hard_limit: limit("swap_hard_limit")?,
        rest: Rest::of(element, order::MEMTUNE),
    })
}

fn block(element: Option<Element>) -> Result<BlockTune> {
    let Some(mut element) = element else {
        return Ok(BlockTune::default());
    };
    let weight = match one(&mut element, "weight") {
        Some(weight) => bounded(&weight, "weight", &WEIGHT, |_| false)?,
        None => None,
    };
    let mut devices: Vec<BlockDevice> = Vec::new();
    for device in element.take_children("device") {
        let device = block_device(device)?;
        if devices.iter().any(|other| other.path == device.path) {
            let message = format!("<blkiotune> has two <device> with the path '{}'", device.path);
            return Err(unsupported(message));
        }
        devices.push(device);
    }
    let mut block = BlockTune {
        weight,
        devices,
        rest: Rest::of(element, order::BLKIOTUNE),
    };
    block.tidy();
    Ok(block)
}

fn block_device(mut element: Element) -> Result<BlockDevice> {
    let path = one_text(&mut element, "path")?.unwrap_or_default();
    // The host takes the figures of all devices as one text with commas.
    if !path.starts_with('/') || path.contains(',') {
        let message = format!(
            "<device> of <blkiotune> has the <path> '{}', an absolute path without commas is wanted",
            path.escape_debug()
        );
        return Err(unsupported(message));
    }
    let figure = |name: &str| element.child(name);
    Ok(BlockDevice {
        weight: figure("weight").map_or(Ok(None), |it| bounded(it, "weight", &WEIGHT, |_| false))?,
        read_iops: figure("read_iops_sec").map_or(Ok(None), any)?,
        write_iops: figure("write_iops_sec").map_or(Ok(None), any)?,
        read_bytes: figure("read_bytes_sec").map_or(Ok(None), any)?,
        write_bytes: figure("write_bytes_sec").map_or(Ok(None), any)?,
        path,
    })
}

/// Any number; 0 says nothing.
fn any<T: FromStr + PartialOrd + Default + Copy + Display + Debug>(element: &Element) -> Result<Option<T>> {
    let text = element.text();
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let number: Option<T> = digits.then(|| text.parse().ok()).flatten();
    let number = number.ok_or_else(|| {
        unsupported(format!(
            "<{}> '{text}' of <blkiotune> is not a whole number",
            element.name
        ))
    })?;
    Ok((number != T::default()).then_some(number))
}

fn unsupported(message: String) -> Error {
    Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, message)
}
