//! Printing a definition as libvirt's clients read it; what runs has more to tell.

use super::{Disk, DomainDef, Interface, serial_alias};
use driver_api::kit::xml::Element;

/// What only a running domain has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live<'a> {
    pub(crate) id: i32,
    /// The taps of its interfaces, in their order.
    pub(crate) devices: &'a [String],
    /// The terminals of its serial lines, in their order.
    pub(crate) ptys: &'a [String],
}

impl DomainDef {
    /// The document; that of the running domain with `live`.
    pub(crate) fn to_xml(&self, live: Option<Live<'_>>) -> String {
        let text = |name: &str, text: &dyn std::fmt::Display| Element::new(name).with_text(text);
        let memory = |name: &str| text(name, &self.memory_kib).with_attr("unit", "KiB");
        let kind = text("type", &"hvm").with_attr("arch", "x86_64").with_attr("machine", &self.machine);
        let path =
            |name: &str, path: &Option<std::path::PathBuf>| path.as_ref().map(|path| text(name, &path.display()));
        let os = Element::new("os")
            .with_child(kind)
            .with_children(path("kernel", &self.kernel))
            .with_children(path("initrd", &self.initrd))
            .with_children(self.cmdline.as_ref().map(|line| text("cmdline", line)));
        let tap = |index: usize| live.and_then(|live| live.devices.get(index));
        let interfaces = self.interfaces.iter().enumerate();
        let devices = Element::new("devices")
            .with_child(text("emulator", &self.emulator.display()))
            .with_children(self.disks.iter().map(disk))
            .with_children(interfaces.map(|(index, each)| interface(each, tap(index))))
            .with_children((0..self.serials).map(|index| line("serial", "isa-serial", index, live)))
            .with_children((0..self.serials.min(1)).map(|index| line("console", "serial", index, live)));
        Element::new("domain")
            .with_attr("type", if self.kvm { "kvm" } else { "qemu" })
            .with_attr_opt("id", live.map(|live| live.id))
            .with_child(text("name", &self.name))
            .with_child(text("uuid", &self.uuid))
            .with_child(memory("memory"))
            .with_child(memory("currentMemory"))
            .with_child(text("vcpu", &self.vcpus).with_attr("placement", "static"))
            .with_child(os)
            .with_child(devices)
            .to_string()
    }
}

fn disk(disk: &Disk) -> Element {
    let driver = Element::new("driver").with_attr("name", "qemu").with_attr("type", &disk.format);
    let target = Element::new("target").with_attr("dev", &disk.target).with_attr("bus", "virtio");
    Element::new("disk")
        .with_attr("type", "file")
        .with_attr("device", "disk")
        .with_child(driver)
        .with_child(Element::new("source").with_attr("file", disk.path.display()))
        .with_child(target)
        .with_children(disk.readonly.then(|| Element::new("readonly")))
}

fn interface(interface: &Interface, tap: Option<&String>) -> Element {
    let parameter =
        |(name, value): &(String, String)| Element::new("parameter").with_attr("name", name).with_attr("value", value);
    let filter = interface.filter.as_ref().map(|filter| {
        Element::new("filterref")
            .with_attr("filter", &filter.name)
            .with_children(filter.parameters.iter().map(parameter))
    });
    let bridge = interface.bridge.as_ref();
    let device = tap.or(interface.target.as_ref());
    Element::new("interface")
        .with_attr("type", if bridge.is_some() { "bridge" } else { "ethernet" })
        .with_child(Element::new("mac").with_attr("address", interface.mac))
        .with_children(bridge.map(|bridge| Element::new("source").with_attr("bridge", bridge)))
        .with_children(device.map(|device| Element::new("target").with_attr("dev", device)))
        .with_child(Element::new("model").with_attr("type", "virtio"))
        .with_children(filter)
}

fn line(name: &str, kind: &str, index: usize, live: Option<Live<'_>>) -> Element {
    let pty = live.and_then(|live| live.ptys.get(index));
    let alias = live.map(|_| Element::new("alias").with_attr("name", serial_alias(index)));
    Element::new(name)
        .with_attr("type", "pty")
        .with_attr_opt("tty", pty.filter(|_| name == "console"))
        .with_children(pty.map(|pty| Element::new("source").with_attr("path", pty)))
        .with_child(Element::new("target").with_attr("type", kind).with_attr("port", index))
        .with_children(alias)
}
