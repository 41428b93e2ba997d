//! Prints a [`DomainDef`] as libvirt prints it.

mod device;
mod tune;

use super::live::Live;
use super::os::Os;
use super::rest::Rest;
use super::{DomainDef, order};
use driver_api::kit::xml::Element;

/// The whole document.
pub(super) fn document(def: &DomainDef, live: Option<&Live>) -> Element {
    let current = live.and_then(|live| live.memory_kib).unwrap_or(def.memory.current_kib);
    let root = Element::new("domain")
        .with_attr("type", "uml")
        .with_attr_opt("id", live.map(|live| live.id))
        .with_child(text("name", &def.name))
        .with_child(Element::new("uuid").with_text(def.uuid))
        .with_children(def.title.as_deref().map(|title| text("title", title)))
        .with_children(
            def.description
                .as_deref()
                .map(|description| text("description", description)),
        )
        .with_children(def.metadata.clone())
        .with_child(memory(def))
        .with_child(kib("currentMemory", current))
        .with_children(tune::all(&def.tune))
        .with_child(vcpu(def))
        .with_child(os(&def.os))
        .with_child(text("on_poweroff", def.on_poweroff.as_str()))
        .with_child(text("on_reboot", def.on_reboot.as_str()))
        .with_child(text("on_crash", def.on_crash.as_str()))
        .with_child(device::all(def, live));
    def.rest.dress(root, order::DOMAIN)
}

fn memory(def: &DomainDef) -> Element {
    let mut memory = kib("memory", def.memory.max_kib);
    let unit = memory.attributes.pop();
    // libvirt prints the unit last.
    memory.attributes.extend(def.memory.rest.attributes.iter().cloned());
    memory.attributes.extend(unit);
    memory
}

fn kib(name: &str, kib: u64) -> Element {
    Element::new(name).with_attr("unit", "KiB").with_text(kib)
}

fn vcpu(def: &DomainDef) -> Element {
    let vcpu = &def.vcpu;
    let mut element = Element::new("vcpu")
        .with_attr("placement", &vcpu.placement)
        .with_attr_opt("cpuset", def.tune.cpuset.as_ref());
    element.attributes.extend(vcpu.rest.attributes.iter().cloned());
    element
        .with_attr_opt("current", (vcpu.current != vcpu.max).then_some(vcpu.current))
        .with_text(vcpu.max)
}

fn os(os: &Os) -> Element {
    let mut kind = Element::new("type").with_attr("arch", &os.arch);
    kind.attributes.extend(os.type_rest.attributes.iter().cloned());
    let element = Element::new("os")
        .with_child(kind.with_text("uml"))
        .with_children(os.kernel.as_deref().map(|kernel| text("kernel", kernel)))
        .with_children(os.initrd.as_deref().map(|initrd| text("initrd", initrd)))
        .with_children(os.cmdline.as_deref().map(|cmdline| text("cmdline", cmdline)))
        .with_children(os.root.as_deref().map(|root| text("root", root)));
    os.rest.dress(element, order::OS)
}

fn text(name: &str, text: &str) -> Element {
    Element::new(name).with_text(text)
}

/// `element` if it says anything, with what else was kept of it.
fn dressed(element: Element, rest: &Rest) -> Option<Element> {
    let element = rest.dress(element, &[]);
    (!element.attributes.is_empty() || !element.children.is_empty()).then_some(element)
}
