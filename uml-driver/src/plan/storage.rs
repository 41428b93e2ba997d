//! Disks that a program beside the guest reads: its arguments, and how the guest's kernel finds it.

use super::{Image, Layer, RUN};
use driver_api::types::guest::VisibleFile;
use driver_api::types::launch::Companion;
use std::fmt::Write as _;

/// The program behind disks on bus `virtio`.
pub const STORAGE: &str = "qemu-storage-daemon";
/// The virtio number of a block device.
const BLOCK: u32 = 2;

impl Image {
    /// The name of the program that serves it.
    #[must_use]
    pub fn server(&self) -> String {
        format!("disk-{}", self.target)
    }

    fn socket(&self) -> String {
        format!("{RUN}/{}.sock", self.server())
    }

    /// The word of the kernel's command line by which the guest finds it.
    #[must_use]
    pub fn virtio_word(&self) -> String {
        format!("virtio_uml.device={}:{BLOCK}", self.socket())
    }

    /// The program that serves it, where `below` is the whole chain below the top; its path is still to be found.
    #[must_use]
    pub fn companion(&self, below: &[Layer]) -> Companion {
        let layers: Vec<&Layer> = std::iter::once(&self.top).chain(below).collect();
        let mut argv = vec![STORAGE.to_owned()];
        // A node must be there before the one that lies on it.
        for (depth, layer) in layers.iter().enumerate().rev() {
            let writable = depth == 0 && !self.readonly;
            for node in self.nodes(depth, layer, writable, depth + 1 < layers.len()) {
                argv.extend(["--blockdev".to_owned(), node]);
            }
        }
        let writethrough = matches!(self.cache.as_deref(), Some("writethrough" | "directsync"));
        let on = |on: bool| if on { "on" } else { "off" };
        argv.extend([
            "--export".to_owned(),
            format!(
                "type=vhost-user-blk,id=disk,node-name=format0,addr.type=unix,addr.path={},writable={},writethrough={}",
                self.socket(),
                on(!self.readonly),
                on(writethrough)
            ),
        ]);
        let file = |(depth, layer): (usize, &&Layer)| VisibleFile {
            path: layer.path.clone(),
            writable: depth == 0 && !self.readonly,
        };
        Companion {
            name: self.server(),
            argv,
            files: layers.iter().enumerate().map(file).collect(),
            ready: self.socket(),
            network: false,
            // A kernel that has lost the server of a device does not ask for another one.
            restart: false,
        }
    }

    /// The file of a layer, and the format that is read in it.
    fn nodes(&self, depth: usize, layer: &Layer, writable: bool, has_more: bool) -> [String; 2] {
        let direct = matches!(self.cache.as_deref(), Some("none" | "directsync"));
        let careless = self.cache.as_deref() == Some("unsafe");
        let common = format!(
            "\"read-only\":{},\"discard\":\"{}\",\"cache\":{{\"direct\":{direct},\"no-flush\":{careless}}}",
            !writable,
            if self.discard { "unmap" } else { "ignore" }
        );
        let shared = if self.shareable { ",\"locking\":\"off\"" } else { "" };
        let file = format!(
            "{{\"driver\":\"{}\",\"node-name\":\"file{depth}\",\"filename\":{},{common}{shared}}}",
            if layer.is_device { "host_device" } else { "file" },
            quoted(&layer.path.to_string_lossy())
        );
        let below = match layer.format.as_str() {
            _ if has_more => format!(",\"backing\":\"format{}\"", depth + 1),
            // Else the program would look into the file for one that the document does not want.
            "qcow2" | "qcow" | "qed" | "vmdk" => ",\"backing\":null".to_owned(),
            _ => String::new(),
        };
        let format = format!(
            "{{\"driver\":\"{}\",\"node-name\":\"format{depth}\",\"file\":\"file{depth}\",{common}{below}}}",
            layer.format
        );
        [file, format]
    }
}

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
