//! The table of limits: libvirt's names for them, and where each stands in a document.

use super::def::Def;
use super::edit::{change_child, set_attr, set_text};
use driver_api::error::Result;
use driver_api::kit::xml::{Element, Node};
use driver_api::types::device::ParameterSet;
use driver_api::types::param::{Param, Value};

/// One limit.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) name: &'static str,
    /// The element around it, below `<domain>` or the device.
    parent: &'static str,
    /// Its own element.
    child: &'static str,
    /// The attribute that holds it; its text without.
    attribute: Option<&'static str>,
    /// What it is when nobody set it; says its type.
    pub(super) default: Value,
}

const fn text(name: &'static str, parent: &'static str, child: &'static str, default: Value) -> Limit {
    Limit {
        name,
        parent,
        child,
        attribute: None,
        default,
    }
}

const fn rate(name: &'static str, child: &'static str, attribute: &'static str) -> Limit {
    Limit {
        name,
        parent: "bandwidth",
        child,
        attribute: Some(attribute),
        default: Value::Uint(0),
    }
}

const fn io(name: &'static str) -> Limit {
    text(name, "iotune", name, Value::Ulong(0))
}

/// "No limit", in KiB.
const NONE: Value = Value::Ulong(9_007_199_254_740_991);

const SCHEDULER: &[Limit] = &[
    text("cpu_shares", "cputune", "shares", Value::Ulong(1024)),
    text("vcpu_period", "cputune", "period", Value::Ulong(100_000)),
    text("vcpu_quota", "cputune", "quota", Value::Long(-1)),
];
const MEMORY: &[Limit] = &[
    text("hard_limit", "memtune", "hard_limit", NONE),
    text("soft_limit", "memtune", "soft_limit", NONE),
    text("swap_hard_limit", "memtune", "swap_hard_limit", NONE),
];
const BLKIO: &[Limit] = &[text("weight", "blkiotune", "weight", Value::Uint(500))];
const INTERFACE: &[Limit] = &[
    rate("inbound.average", "inbound", "average"),
    rate("inbound.peak", "inbound", "peak"),
    rate("inbound.burst", "inbound", "burst"),
    rate("outbound.average", "outbound", "average"),
    rate("outbound.peak", "outbound", "peak"),
    rate("outbound.burst", "outbound", "burst"),
];
const BLOCK_IO: &[Limit] = &[
    io("total_bytes_sec"),
    io("read_bytes_sec"),
    io("write_bytes_sec"),
    io("total_iops_sec"),
    io("read_iops_sec"),
    io("write_iops_sec"),
];

/// The limits of a set.
pub(super) const fn of(set: ParameterSet) -> &'static [Limit] {
    match set {
        ParameterSet::Scheduler => SCHEDULER,
        ParameterSet::Memory => MEMORY,
        ParameterSet::Blkio => BLKIO,
        ParameterSet::Interface => INTERFACE,
        ParameterSet::BlockIo => BLOCK_IO,
    }
}

/// The kind of device that the limits of a set belong to; the domain itself without.
pub(super) const fn device_of(set: ParameterSet) -> Option<&'static str> {
    match set {
        ParameterSet::Interface => Some("interface"),
        ParameterSet::BlockIo => Some("disk"),
        ParameterSet::Scheduler | ParameterSet::Memory | ParameterSet::Blkio => None,
    }
}

impl Limit {
    /// What it is in this element.
    pub(super) fn read(&self, owner: &Element) -> Param {
        let child = owner.child(self.parent).and_then(|parent| parent.child(self.child));
        let text = child.and_then(|child| match self.attribute {
            Some(name) => child.attr(name).map(str::to_owned),
            None => Some(child.text()),
        });
        let value = text.and_then(|text| self.parse(text.trim()));
        Param::new(self.name, value.unwrap_or_else(|| self.default.clone()))
    }

    fn parse(&self, text: &str) -> Option<Value> {
        match self.default {
            Value::Uint(_) => text.parse().ok().map(Value::Uint),
            Value::Ulong(_) => text.parse().ok().map(Value::Ulong),
            _ => text.parse().ok().map(Value::Long),
        }
    }

    /// A given value as this limit has it, if it can be one.
    pub(super) fn fit(&self, given: &Value) -> Option<Value> {
        match self.default {
            Value::Uint(_) => given
                .as_u64()
                .and_then(|value| u32::try_from(value).ok())
                .map(Value::Uint),
            Value::Ulong(_) => given.as_u64().map(Value::Ulong),
            _ => given.as_i64().map(Value::Long),
        }
    }

    fn write(&self, owner: &mut Element, value: &Value) {
        let text = match value {
            Value::Uint(value) => value.to_string(),
            Value::Ulong(value) => value.to_string(),
            other => other.as_i64().unwrap_or(0).to_string(),
        };
        change_child(owner, self.parent, |parent| {
            change_child(parent, self.child, |child| match self.attribute {
                Some(name) => set_attr(child, name, &text),
                None => set_text(child, &text),
            });
        });
    }
}

impl Def {
    /// The definition with limits set, of the domain or of the device that `is_meant` says.
    pub(super) fn with_limits(
        &self,
        set: ParameterSet,
        values: &[(&Limit, Value)],
        is_meant: impl Fn(&Element) -> bool,
    ) -> Result<Self> {
        let write = |owner: &mut Element| {
            for (limit, value) in values {
                limit.write(owner, value);
            }
        };
        self.with(|root| match device_of(set) {
            None => write(root),
            Some(kind) => {
                let lists = root
                    .children
                    .iter_mut()
                    .filter_map(element)
                    .filter(|list| list.name == "devices");
                let devices = lists.flat_map(|list| list.children.iter_mut()).filter_map(element);
                devices
                    .filter(|device| device.name == kind && is_meant(device))
                    .for_each(write);
            }
        })
    }
}

fn element(node: &mut Node) -> Option<&mut Element> {
    match node {
        Node::Element(element) => Some(element),
        Node::Text(_) | Node::Comment(_) => None,
    }
}
