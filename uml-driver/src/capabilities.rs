//! What this driver offers, as the `<guest>` element of the capabilities document.

use driver_api::kit::xml::Element;
use std::path::Path;

/// Where distributions put the UML kernel.
const KERNELS: [&str; 3] = ["/usr/bin/linux.uml", "/usr/local/bin/linux.uml", "/usr/bin/linux"];

/// The element; a UML kernel that is installed is named as the emulator, so that virt-install offers it.
#[must_use]
pub(crate) fn guest() -> String {
    let kernel = KERNELS.into_iter().find(|path| Path::new(path).is_file());
    document(kernel).to_string()
}

fn document(kernel: Option<&str>) -> Element {
    let mut arch = Element::new("arch")
        .with_attr("name", std::env::consts::ARCH)
        .with_child(Element::new("wordsize").with_text("64"));
    if let Some(kernel) = kernel {
        arch = arch.with_child(Element::new("emulator").with_text(kernel));
    }
    let arch = arch.with_child(Element::new("domain").with_attr("type", "uml"));
    Element::new("guest")
        .with_child(Element::new("os_type").with_text("uml"))
        .with_child(arch)
}
