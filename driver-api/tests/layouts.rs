//! The layout of every released table, compared with `layouts.golden`: frozen is checked, not promised.
//!
//! `LAYOUTS=write cargo test -p driver-api --test layouts` writes the file anew; its difference belongs in review.

#![allow(clippy::unwrap_used, reason = "tests")]

use abi_stable::StableAbi;
use abi_stable::type_layout::{TLField, TypeLayout};
use driver_api::abi::interface::Table;
use driver_api::abi::root::Root;
use driver_api::abi::{
    console, core, descriptors, device, event, inspect, launch, lock, log, manifest, metadata, notice, nwfilter, ports,
    spawn, virt,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Each type once, by name, with its fields in order.
#[derive(Default)]
struct Book(BTreeMap<String, String>);

impl Book {
    /// A type's name; what belongs to us is noted under it.
    fn name(&mut self, layout: &'static TypeLayout) -> String {
        let name = layout.full_type().to_string().trim().to_owned();
        let fields: Vec<TLField> = layout.get_fields().into_iter().flatten().collect();
        let inner = |book: &mut Self, field: &TLField| book.name(field.layout());
        match layout.name() {
            "RString" | "RStr" | "TypeLayout" => layout.name().to_owned(),
            // The first field leads to the elements, the others are the same for all.
            "RVec" | "RSlice" => format!("{}[{}]", layout.name(), inner(self, &fields[0])),
            "ROption" | "RResult" => {
                let variants: Vec<String> = fields.iter().map(|field| inner(self, field)).collect();
                format!("{}[{}]", layout.name(), variants.join(", "))
            }
            _ if layout.package().as_str() == "driver-api" => {
                self.note(&name, layout, &fields);
                name
            }
            _ => match fields.as_slice() {
                // A pointer has no fields; what it leads to is reported beside them.
                [] => match layout.phantom_fields().iter().next() {
                    Some(target) => inner(self, &target),
                    None => name,
                },
                [only] if !only.is_function() => inner(self, only),
                _ => name,
            },
        }
    }

    fn note(&mut self, name: &str, layout: &'static TypeLayout, fields: &[TLField]) {
        if self.0.contains_key(name) {
            return;
        }
        // In before its fields are looked at: a type may lead to itself.
        self.0.insert(name.to_owned(), String::new());
        let mut text = format!("  size {} align {}\n", layout.size(), layout.alignment());
        for field in fields {
            let line = self.field(field);
            writeln!(text, "  {}: {line}", field.name()).unwrap();
        }
        self.0.insert(name.to_owned(), text);
    }

    fn field(&mut self, field: &TLField) -> String {
        let Some(function) = field.function_range().iter().next() else {
            return self.name(field.layout());
        };
        let parameters: Vec<String> = function.param_type_layouts.iter().map(|get| self.name(get())).collect();
        let answer = function.return_type_layout().map(|get| self.name(get()));
        format!("fn({}) -> {}", parameters.join(", "), answer.as_deref().unwrap_or("()"))
    }
}

fn all() -> String {
    let mut book = Book::default();
    let mut text = String::from("The layout of every interface; see tests/layouts.rs.\n\n");
    let tables = [
        ("root", Root::LAYOUT),
        (core::CoreV1::ID, core::CoreV1::LAYOUT),
        (virt::VirtV1::ID, virt::VirtV1::LAYOUT),
        (console::ConsoleV1::ID, console::ConsoleV1::LAYOUT),
        (metadata::MetadataV1::ID, metadata::MetadataV1::LAYOUT),
        (device::DevicesV1::ID, device::DevicesV1::LAYOUT),
        (device::ResourcesV1::ID, device::ResourcesV1::LAYOUT),
        (device::StatsV1::ID, device::StatsV1::LAYOUT),
        (device::ControlV1::ID, device::ControlV1::LAYOUT),
        (nwfilter::FilterV1::ID, nwfilter::FilterV1::LAYOUT),
        (nwfilter::BindingV1::ID, nwfilter::BindingV1::LAYOUT),
        (inspect::InspectV1::ID, inspect::InspectV1::LAYOUT),
        (lock::LockV1::ID, lock::LockV1::LAYOUT),
        (log::LogV1::ID, log::LogV1::LAYOUT),
        (event::EventV1::ID, event::EventV1::LAYOUT),
        (notice::NoticeV1::ID, notice::NoticeV1::LAYOUT),
        (spawn::SpawnV1::ID, spawn::SpawnV1::LAYOUT),
        (descriptors::DescriptorsV1::ID, descriptors::DescriptorsV1::LAYOUT),
        (launch::SpawnV2::ID, launch::SpawnV2::LAYOUT),
        (ports::PortsV1::ID, ports::PortsV1::LAYOUT),
    ];
    for (id, layout) in tables {
        writeln!(text, "{id} = {}", book.name(layout)).unwrap();
    }
    let (size, align) = (size_of::<manifest::Manifest>(), align_of::<manifest::Manifest>());
    writeln!(text, "manifest = size {size} align {align}").unwrap();
    for (name, body) in book.0 {
        write!(text, "\n{name}\n{body}").unwrap();
    }
    text
}

#[test]
fn no_released_layout_has_changed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("layouts.golden");
    let now = all();
    if std::env::var_os("LAYOUTS").is_some_and(|what| what == "write") {
        std::fs::write(&file, &now).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = golden.lines().zip(now.lines()).find(|(old, new)| old != new);
    assert!(
        golden == now,
        "a layout changed, first at {differs:?}: a released table is frozen, add the next number instead; if it is new, \
         LAYOUTS=write writes it down"
    );
}
