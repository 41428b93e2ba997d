//! `Folder`: one `<filesystem>`: a folder of the host that the guest can mount.

use super::rest::Rest;

/// A folder of the host for the guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    /// The `type` attribute; `mount` can be started.
    pub kind: String,
    /// The `accessmode` attribute.
    pub access: String,
    /// The folder of the host.
    pub source: String,
    /// What else `<source>` held.
    pub source_rest: Rest,
    /// What the guest is told of it: a tag, or `/` for its root.
    pub target: String,
    /// What else `<target>` held.
    pub target_rest: Rest,
    /// The guest may not write, whatever the access mode says.
    pub readonly: bool,
    /// The user's own alias (`ua-...`).
    pub alias: Option<String>,
    /// Everything else.
    pub rest: Rest,
}

impl Folder {
    /// Whether the guest may write: only where `accessmode='mapped'` says so, since libvirt's default would hand every
    /// folder that somebody forgot to mark to the guest.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.access == "mapped" && !self.readonly
    }

    /// Whether it is what the guest boots from.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.target == "/"
    }
}
