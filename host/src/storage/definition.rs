//! `Definition`: what a client says of a pool, read from its document and written to it.

use super::permissions::Permissions;
use super::{Figures, ORIGIN, fault};
use driver_api::error::{Code, Error, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::uuid::Uuid;
use std::path::{Component, Path, PathBuf};

/// The most bytes of a folder's path, since every list of volumes carries it with every name.
const PATH_MAX: usize = 1024;

/// A folder pool as it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definition {
    /// The name, unique on the host.
    pub name: String,
    /// The identity, unique on the host.
    pub uuid: Uuid,
    /// The folder: absolute, without `.`, `..` or doubled slashes.
    pub path: String,
    /// Whose the folder shall be when the pool is built.
    pub permissions: Permissions,
}

impl Definition {
    /// Reads a client's document.
    ///
    /// # Errors
    /// 27 when it is none, 67 when it is of a pool that is no folder.
    pub fn parse(document: &str) -> Result<Self> {
        Self::from_element(parse(document.as_bytes(), ORIGIN, &Limits::default())?)
    }

    /// The same from a document that is an element already.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(super) fn from_element(mut root: Element) -> Result<Self> {
        if root.name != "pool" {
            return Err(root.error(
                ORIGIN,
                format!("a pool's document begins with <pool>, not with <{}>", root.name),
            ));
        }
        match root.take_attr("type").as_deref() {
            Some("dir") => {}
            Some(other) => {
                let message = format!(
                    "pools of type '{other}' are not kept here: only <pool type='dir'>, a folder of this host, is"
                );
                return Err(fault(Code::CONFIG_UNSUPPORTED, message));
            }
            None => return Err(root.error(ORIGIN, "<pool> has no type: say <pool type='dir'>")),
        }
        let name = root.take_child_text("name").unwrap_or_default();
        check_name("a pool", &name).map_err(|text| root.error(ORIGIN, text))?;
        let uuid = match root.take_child_text("uuid") {
            Some(text) => text
                .trim()
                .parse()
                .map_err(|_| root.error(ORIGIN, format!("pool '{name}' has '{text}' for a UUID, which is none")))?,
            None => Uuid::random().map_err(|cause| {
                fault(Code::SYSTEM_ERROR, format!("no UUID can be made for pool '{name}'")).because(cause)
            })?,
        };
        let Some(mut target) = root.take_child("target") else {
            return Err(root.error(
                ORIGIN,
                format!("pool '{name}' has no <target>, whose <path> is its folder"),
            ));
        };
        let path = match target.take_child_text("path") {
            Some(text) => clean(&text).ok_or_else(|| not_a_folder(&target, &name, &text))?,
            None => return Err(target.error(ORIGIN, format!("pool '{name}' has no <path> in its <target>"))),
        };
        if path.len() > PATH_MAX {
            let length = path.len();
            let message =
                format!("pool '{name}' has a folder with a path of {length} bytes: at most {PATH_MAX} are kept");
            return Err(target.error(ORIGIN, message));
        }
        let permissions = target.take_child("permissions").map(Permissions::parse).transpose()?;
        target.refuse_rest(ORIGIN, &["path", "permissions"])?;
        // What documents that were dumped tell of the folder as it was.
        for figure in ["capacity", "allocation", "available"] {
            let _told = root.take_child(figure);
        }
        if let Some(source) = root.take_child("source") {
            source.refuse_rest(ORIGIN, &[])?;
        }
        root.refuse_rest(ORIGIN, &["type", "name", "uuid", "source", "target"])?;
        Ok(Self {
            name,
            uuid,
            path,
            permissions: permissions.unwrap_or_default(),
        })
    }

    /// The document, with figures of the folder if there are any.
    #[must_use]
    pub fn format(&self, figures: Figures) -> Element {
        let bytes = |name: &str, value: u64| Element::new(name).with_attr("unit", "bytes").with_text(value);
        Element::new("pool")
            .with_attr("type", "dir")
            .with_child(Element::new("name").with_text(&self.name))
            .with_child(Element::new("uuid").with_text(self.uuid))
            .with_child(bytes("capacity", figures.capacity))
            .with_child(bytes("allocation", figures.allocation))
            .with_child(bytes("available", figures.available))
            .with_child(Element::new("source"))
            .with_child(
                Element::new("target")
                    .with_child(Element::new("path").with_text(&self.path))
                    .with_children(self.permissions.format()),
            )
    }

    /// The path of a volume.
    #[must_use]
    pub fn volume_path(&self, name: &str) -> String {
        format!("{}/{name}", self.path.trim_end_matches('/'))
    }
}

fn not_a_folder(target: &Element, name: &str, path: &str) -> Error {
    let message = format!("pool '{name}' has '{path}' for a folder: an absolute path without '..' is wanted");
    target.error(ORIGIN, message)
}

/// An absolute path without doubled slashes and dots; `None` when it is not absolute or goes back up.
pub(super) fn clean(path: &str) -> Option<String> {
    if path.contains(char::is_control) {
        return None;
    }
    let mut clean = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::RootDir | Component::Normal(_) => clean.push(component),
            Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    clean.is_absolute().then(|| clean.to_str().map(str::to_owned)).flatten()
}

/// Refuses what can not be the name of `what`, in words.
pub(super) fn check_name(what: &str, name: &str) -> std::result::Result<(), String> {
    const MAX: usize = 255;
    if name.is_empty() {
        return Err(format!("{what} has no <name>"));
    }
    if name.len() > MAX {
        return Err(format!(
            "{what}'s name has {} bytes, at most {MAX} are kept",
            name.len()
        ));
    }
    if matches!(name, "." | "..") || name.contains(|c: char| c == '/' || c.is_control()) {
        return Err(format!("{what} can not have the name '{}'", name.escape_debug()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "<pool type='dir'><name>a</name><target><path>/srv//x/./y/</path></target></pool>";

    #[test]
    fn a_document_comes_back_as_it_was_read() {
        let read = Definition::parse(PLAIN).unwrap();
        assert_eq!((read.name.as_str(), read.path.as_str()), ("a", "/srv/x/y"));
        assert_eq!(read.volume_path("v"), "/srv/x/y/v");
        assert_ne!(read.uuid, Definition::parse(PLAIN).unwrap().uuid);
        let with = PLAIN.replace(
            "</target>",
            "<permissions><mode>0711</mode><owner>7</owner><group>-1</group></permissions></target>",
        );
        let read = Definition::parse(&with).unwrap();
        let told = read.format(Figures::default()).to_string();
        assert!(
            told.contains("<mode>0711</mode>") && told.contains("<owner>7</owner>"),
            "{told}"
        );
        assert!(!told.contains("<group>"), "{told}");
        assert_eq!(Definition::parse(&told).unwrap(), read);
    }

    #[test]
    fn what_is_no_folder_pool_is_refused_by_name() {
        for (from, to, code, words) in [
            ("'dir'", "'logical'", 67, "pools of type 'logical' are not kept"),
            (" type='dir'", "", 27, "has no type"),
            ("<name>a</name>", "<name></name>", 27, "has no <name>"),
            ("<name>a</name>", "", 27, "has no <name>"),
            ("<name>a<", "<name>a/b<", 27, "can not have the name 'a/b'"),
            ("<name>", "<uuid>x</uuid><name>", 27, "has 'x' for a UUID"),
            ("/srv", "srv", 27, "an absolute path"),
            ("/./", "/../", 27, "without '..'"),
            (
                "<name>",
                "<source><device path='/dev/a'/></source><name>",
                27,
                "unknown element <device>",
            ),
            ("<name>", "<features/><name>", 27, "unknown element <features>"),
            (
                "</target>",
                "<permissions><mode>9</mode></permissions></target>",
                27,
                "is not octal",
            ),
            (
                "</target>",
                "<permissions><owner>me</owner></permissions></target>",
                27,
                "owner 'me' is no number of a user",
            ),
        ] {
            let error = Definition::parse(&PLAIN.replace(from, to)).unwrap_err();
            assert!(
                error.code() == Code(code) && error.to_string().contains(words),
                "{to}: {error}"
            );
        }
    }

    #[test]
    fn a_path_has_a_limit_that_is_told() {
        let with =
            |length: usize| Definition::parse(&PLAIN.replace("/srv//x/./y/", &format!("/{}", "x/".repeat(length / 2))));
        assert_eq!(with(1024).unwrap().path.len(), 1024);
        let error = with(1026).unwrap_err().to_string();
        assert!(error.contains("a path of 1026 bytes: at most 1024 are kept"), "{error}");
    }

    #[test]
    fn root_is_a_folder_too() {
        let read = Definition::parse(&PLAIN.replace("/srv//x/./y/", "/")).unwrap();
        assert_eq!(read.volume_path("v"), "/v");
    }
}
