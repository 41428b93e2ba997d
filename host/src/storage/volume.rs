//! `Volume`: one file of a pool as it is, and `Request`, one that shall be.

use super::definition::check_name;
use super::permissions::Permissions;
use super::{ORIGIN, fault, size};
use driver_api::error::{Code, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use std::fmt;

/// How a file holds a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Byte for byte.
    Raw,
    /// QEMU's.
    Qcow2,
    /// A copy-on-write file of User-Mode Linux.
    Cow,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Cow => "cow",
        })
    }
}

/// A file of a pool, as it was when somebody looked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Volume {
    /// The file's name in the folder.
    pub name: String,
    /// The whole path, which is the key too.
    pub path: String,
    /// What its first bytes tell.
    pub format: Format,
    /// Bytes that a guest sees.
    pub capacity: u64,
    /// Bytes that it takes of its file system.
    pub allocation: u64,
    /// Bytes up to its end.
    pub physical: u64,
    /// Bits, user and group.
    pub permissions: Permissions,
}

impl Volume {
    /// The document.
    #[must_use]
    pub fn format(&self) -> Element {
        let bytes = |name: &str, value: u64| Element::new(name).with_attr("unit", "bytes").with_text(value);
        Element::new("volume")
            .with_attr("type", "file")
            .with_child(Element::new("name").with_text(&self.name))
            .with_child(Element::new("key").with_text(&self.path))
            .with_child(bytes("capacity", self.capacity))
            .with_child(bytes("allocation", self.allocation))
            .with_child(bytes("physical", self.physical))
            .with_child(
                Element::new("target")
                    .with_child(Element::new("path").with_text(&self.path))
                    .with_child(Element::new("format").with_attr("type", self.format))
                    .with_children(self.permissions.format()),
            )
    }
}

/// A file that a client wants made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub(super) name: String,
    /// Bytes that the file shall have.
    pub(super) capacity: u64,
    /// How many of them are taken from the file system at once.
    pub(super) allocation: u64,
    pub(super) permissions: Permissions,
}

impl Request {
    /// Reads a client's document.
    ///
    /// # Errors
    /// 27 when it is none, 67 when it is of a volume that is not made here.
    pub(super) fn parse(document: &str) -> Result<Self> {
        let mut root = parse(document.as_bytes(), ORIGIN, &Limits::default())?;
        if root.name != "volume" {
            return Err(root.error(
                ORIGIN,
                format!("a volume's document begins with <volume>, not with <{}>", root.name),
            ));
        }
        if let Some(kind) = root.take_attr("type").filter(|kind| kind != "file") {
            let message = format!("volumes of type '{kind}' are not made here: a folder pool has files");
            return Err(fault(Code::CONFIG_UNSUPPORTED, message));
        }
        let name = root.take_child_text("name").unwrap_or_default();
        check_name("a volume", &name).map_err(|text| root.error(ORIGIN, text))?;
        let Some(capacity) = root.take_child("capacity") else {
            return Err(root.error(ORIGIN, format!("volume '{name}' has no <capacity>")));
        };
        let capacity = size::parse(capacity)?;
        let allocation = root.take_child("allocation").map(size::parse).transpose()?;
        let permissions = match root.take_child("target") {
            Some(target) => parse_target(target, &name)?,
            None => Permissions::default(),
        };
        if let Some(backing) = root.take_child("backingStore")
            && backing.elements().next().is_some()
        {
            return Err(not_raw(&name, "over a backing file"));
        }
        // What documents that were dumped tell of the file as it was.
        for told in ["key", "physical", "source"] {
            let _told = root.take_child(told);
        }
        root.refuse_rest(
            ORIGIN,
            &["type", "name", "capacity", "allocation", "target", "backingStore"],
        )?;
        Ok(Self {
            name,
            capacity,
            allocation: allocation.unwrap_or(capacity).min(capacity),
            permissions,
        })
    }
}

fn parse_target(mut target: Element, name: &str) -> Result<Permissions> {
    if let Some(mut format) = target.take_child("format")
        && let Some(kind) = format.take_attr("type").filter(|kind| kind != "raw")
    {
        return Err(not_raw(name, &format!("of format '{kind}'")));
    }
    let permissions = target.take_child("permissions").map(Permissions::parse).transpose()?;
    for told in ["path", "timestamps"] {
        let _told = target.take_child(told);
    }
    target.refuse_rest(ORIGIN, &["format", "permissions"])?;
    Ok(permissions.unwrap_or_default())
}

fn not_raw(name: &str, what: &str) -> driver_api::error::Error {
    let message =
        format!("volume '{name}' would be one {what}, and only raw ones are made here: make it with 'qemu-img create'");
    fault(Code::CONFIG_UNSUPPORTED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "<volume><name>v</name><capacity unit='MiB'>2</capacity></volume>";

    #[test]
    fn a_request_takes_all_its_bytes_unless_it_says_fewer() {
        let read = Request::parse(PLAIN).unwrap();
        assert_eq!((read.capacity, read.allocation), (2 << 20, 2 << 20));
        for (allocation, bytes) in [("0", 0), ("4096", 4096), ("999999999", 2 << 20)] {
            let with = format!("<allocation>{allocation}</allocation></volume>");
            assert_eq!(
                Request::parse(&PLAIN.replace("</volume>", &with)).unwrap().allocation,
                bytes
            );
        }
    }

    #[test]
    fn a_dumped_volume_can_be_asked_for_again() {
        let volume = Volume {
            name: "v".into(),
            path: "/f/v".into(),
            format: Format::Raw,
            capacity: 5,
            allocation: 4,
            physical: 5,
            permissions: Permissions {
                mode: Some(0o600),
                owner: Some(1),
                group: Some(2),
            },
        };
        let read = Request::parse(&volume.format().to_string()).unwrap();
        assert_eq!((read.name, read.capacity, read.allocation), (volume.name, 5, 4));
        assert_eq!(read.permissions, volume.permissions);
    }

    #[test]
    fn what_is_not_made_is_refused_by_name() {
        for (from, to, code, words) in [
            ("<volume>", "<volume type='block'>", 67, "volumes of type 'block'"),
            (
                "<name>v</name>",
                "<name>../v</name>",
                27,
                "can not have the name '../v'",
            ),
            ("<name>v</name>", "<name>..</name>", 27, "can not have the name '..'"),
            (
                "</volume>",
                "<target><format type='qcow2'/></target></volume>",
                67,
                "of format 'qcow2'",
            ),
            (
                "</volume>",
                "<backingStore><path>/b</path></backingStore></volume>",
                67,
                "over a backing file",
            ),
            (
                "</volume>",
                "<target><encryption/></target></volume>",
                27,
                "unknown element <encryption>",
            ),
            ("<capacity unit='MiB'>2</capacity>", "", 27, "has no <capacity>"),
        ] {
            let error = Request::parse(&PLAIN.replace(from, to)).unwrap_err();
            assert!(
                error.code() == Code(code) && error.to_string().contains(words),
                "{to}: {error}"
            );
        }
    }
}
