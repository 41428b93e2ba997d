//! `Os`: which kernel boots with which words, and what is done when it ends.

use super::rest::Rest;

/// `<os>`: how the guest boots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Os {
    /// The processor architecture; the host's when the document names none.
    pub arch: String,
    /// The UML kernel: a program of the host.
    pub kernel: Option<String>,
    /// The initial RAM disk.
    pub initrd: Option<String>,
    /// The kernel's command line, as one text.
    pub cmdline: Option<String>,
    /// The root device in the guest.
    pub root: Option<String>,
    /// What else `<type>` held.
    pub type_rest: Rest,
    /// Everything else.
    pub rest: Rest,
}

/// What is done when a guest ends by itself (`<on_poweroff>` and its kin).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the names are libvirt's own")]
pub enum Action {
    Destroy,
    Restart,
    Preserve,
    RenameRestart,
    CoredumpDestroy,
    CoredumpRestart,
}

impl Action {
    pub(super) const ALL: [Self; 6] = [
        Self::Destroy,
        Self::Restart,
        Self::Preserve,
        Self::RenameRestart,
        Self::CoredumpDestroy,
        Self::CoredumpRestart,
    ];

    /// The text of the element.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Restart => "restart",
            Self::Preserve => "preserve",
            Self::RenameRestart => "rename-restart",
            Self::CoredumpDestroy => "coredump-destroy",
            Self::CoredumpRestart => "coredump-restart",
        }
    }

    /// Whether it only makes sense after a crash.
    pub(super) const fn dumps_core(self) -> bool {
        matches!(self, Self::CoredumpDestroy | Self::CoredumpRestart)
    }
}

/// `<vcpu>`: how many processors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vcpu {
    /// The upper limit.
    pub max: u32,
    /// How many are there at boot; never above the limit.
    pub current: u32,
    /// The `placement` attribute.
    pub placement: String,
    /// Everything else.
    pub rest: Rest,
}
