//! `Manifest`: the plain C record that a host reads before it touches anything else of a driver.
//!
//! It is the one symbol that a driver exports, [`SYMBOL`]. It uses no type of any library, so that a driver built with
//! another `abi_stable`, another compiler or another major version can still be refused with one short sentence. The
//! frozen [`super::root::Root`] hangs on it. `abi_stable`'s own root-module header is not used: its loader keeps one
//! static per root type, so that a second driver would silently be the first one again; what the header checks (the
//! library's version) the manifest's `abi_stable` field says. A driver that was built without it says so there, and its
//! root is a [`super::plain::PlainRoot`]; hosts from before refuse it by that field.

use super::root::Root;
use crate::driver::DriverInfo;
use std::fmt;

/// The name of the exported symbol.
pub const SYMBOL: &str = "LOCKSTEP_DRIVER";
/// The first eight bytes of every manifest.
pub const MAGIC: [u8; 8] = *b"LKSTPDRV";
/// The interface's major version: drivers of another one are refused.
pub const API_MAJOR: u16 = 1;
/// The interface's minor version: counts the interfaces that were added; nobody is refused because of it.
pub const API_MINOR: u16 = 5;
/// `abi_stable`'s version as this crate pins it; major and minor must agree on both sides.
pub const ABI_STABLE: [u16; 3] = [0, 11, 3];
/// [`Manifest::abi_stable`] of a driver that was built without that library.
pub const NO_ABI_STABLE: [u16; 3] = [0, 0, 0];
/// [`Manifest::kind`]: serves domains.
pub const KIND_VIRT: u32 = 1;
/// [`Manifest::kind`]: serves network filters.
pub const KIND_NWFILTER: u32 = 2;
/// [`Manifest::panic`]: panics unwind, so that the shield can catch them.
pub const PANIC_UNWIND: u32 = 1;
/// [`Manifest::panic`]: a panic ends the whole process.
pub const PANIC_ABORT: u32 = 2;
/// [`Manifest::panic`]: there is no panic in the driver's language.
pub const PANIC_NONE: u32 = 3;

/// A text of the driver's image.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    ptr: *const u8,
    len: usize,
}

// SAFETY: made only from `&'static str`.
unsafe impl Sync for Text {}
// SAFETY: as above.
unsafe impl Send for Text {}

impl Text {
    /// A text that lives as long as the image.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self {
            ptr: text.as_ptr(),
            len: text.len(),
        }
    }

    /// The text, or `None` if it is not UTF-8 or longer than any sound one.
    ///
    /// # Safety
    /// The text must lie in an image that is mapped and never unmapped.
    #[must_use]
    pub unsafe fn read(&self) -> Option<&'static str> {
        if self.ptr.is_null() || self.len > 4096 {
            return None;
        }
        // SAFETY: the caller vouches for the image; the length was bounded above.
        std::str::from_utf8(unsafe { std::slice::from_raw_parts(self.ptr, self.len) }).ok()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len)
    }
}

/// Who a driver is and what it was built with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// Size of this record; a later minor version may append fields, so only a smaller one is refused.
    pub size: u32,
    /// [`API_MAJOR`] of the driver.
    pub api_major: u16,
    /// [`API_MINOR`] of the driver.
    pub api_minor: u16,
    /// [`ABI_STABLE`] of the driver, or [`NO_ABI_STABLE`].
    pub abi_stable: [u16; 3],
    /// Always 0.
    pub reserved: u16,
    /// [`KIND_VIRT`] and [`KIND_NWFILTER`], or-ed.
    pub kind: u32,
    /// [`PANIC_UNWIND`], [`PANIC_ABORT`] or [`PANIC_NONE`].
    pub panic: u32,
    /// `DriverInfo::name`.
    pub name: Text,
    /// `DriverInfo::title`.
    pub title: Text,
    /// `DriverInfo::version`.
    pub version: Text,
    /// The compiler, of whatever language, as far as it is known.
    pub rustc: Text,
    /// The licence, as SPDX writes it.
    pub licence: Text,
    /// `DriverInfo::needs`.
    pub needs: *const Text,
    /// How many there are.
    pub needs_len: usize,
    /// The frozen root; a [`super::plain::PlainRoot`] when `abi_stable` says [`NO_ABI_STABLE`].
    pub root: *const Root,
}

// SAFETY: a manifest is an immutable static of its image; its pointers lead to other immutable statics.
unsafe impl Sync for Manifest {}
// SAFETY: as above.
unsafe impl Send for Manifest {}

impl Manifest {
    /// What this crate's macro fills in.
    #[must_use]
    pub const fn new(
        info: &DriverInfo,
        licence: &'static str,
        kind: u32,
        needs: &'static [Text],
        root: &'static Root,
    ) -> Self {
        // The record is some hundred bytes long.
        #[allow(clippy::cast_possible_truncation, reason = "the size of a small record")]
        let size = size_of::<Self>() as u32;
        Self {
            magic: MAGIC,
            size,
            api_major: API_MAJOR,
            api_minor: API_MINOR,
            abi_stable: ABI_STABLE,
            reserved: 0,
            kind,
            panic: if cfg!(panic = "unwind") {
                PANIC_UNWIND
            } else {
                PANIC_ABORT
            },
            name: Text::new(info.name),
            title: Text::new(info.title),
            version: Text::new(info.version),
            rustc: Text::new(env!("DRIVER_API_RUSTC")),
            licence: Text::new(licence),
            needs: needs.as_ptr(),
            needs_len: needs.len(),
            root,
        }
    }

    /// Whether the driver was built without `abi_stable`.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.abi_stable == NO_ABI_STABLE
    }

    /// The names of the host services that the driver can not do without.
    ///
    /// # Safety
    /// As [`Text::read`], for the list and every text in it.
    #[must_use]
    pub unsafe fn read_needs(&self) -> Option<Vec<&'static str>> {
        if self.needs_len == 0 {
            return Some(Vec::new());
        }
        if self.needs.is_null() || self.needs_len > 64 {
            return None;
        }
        // SAFETY: the caller vouches for the list; its length was bounded above.
        let list = unsafe { std::slice::from_raw_parts(self.needs, self.needs_len) };
        // SAFETY: the caller vouches for every text.
        list.iter().map(|text| unsafe { text.read() }).collect()
    }
}

/// The needs of a driver as the manifest lists them.
#[doc(hidden)]
#[must_use]
pub const fn texts<const N: usize>(list: &[&'static str]) -> [Text; N] {
    let mut texts = [Text::new(""); N];
    let mut i = 0;
    while i < N {
        texts[i] = Text::new(list[i]);
        i += 1;
    }
    texts
}
