//! Values of the frozen tables: faults, texts, and pairs of texts.

use crate::error::{Code, Error, Origin, Result};
use abi_stable::StableAbi;
use abi_stable::std_types::{RString, RVec};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// [`Fault::flags`]: the callee panicked; the message says where.
pub const PANICKED: u32 = 1;

/// An error on its way across the boundary.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct Fault {
    /// libvirt's code.
    pub code: u32,
    /// libvirt's domain.
    pub origin: u32,
    /// [`PANICKED`] or 0; unknown bits are ignored.
    pub flags: u32,
    /// The whole chain in words, outermost first.
    pub message: RString,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self {
            code: error.code().0,
            origin: error.origin().0,
            flags: 0,
            message: error.to_string().into(),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let message = String::from_utf8_lossy(fault.message.as_bytes()).into_owned();
        Self::new(Code(fault.code), Origin(fault.origin), message)
    }
}

/// A name with its value.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct Pair {
    /// The name.
    pub name: RString,
    /// The value.
    pub value: RString,
}

/// An answer from the other side that no sound peer gives.
pub(crate) fn unsound(what: &str) -> Error {
    Error::new(
        Code::INTERNAL,
        Origin::NONE,
        format!("the other side of the boundary answered {what}"),
    )
}

/// The other side's text, once it is sure that it is text.
pub(crate) fn text(raw: RString) -> Result<String> {
    String::from_utf8(raw.into_bytes().into_vec()).map_err(|error| unsound("a text that is not UTF-8").because(error))
}

/// Every element, or the first thing that is wrong with one.
pub(crate) fn each<A, B>(raw: RVec<A>, convert: impl FnMut(A) -> Result<B>) -> Result<Vec<B>> {
    raw.into_iter().map(convert).collect()
}

pub(crate) fn texts(raw: RVec<RString>) -> Result<Vec<String>> {
    each(raw, text)
}

pub(crate) fn from_texts(texts: &[String]) -> RVec<RString> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

pub(crate) fn pairs(raw: RVec<Pair>) -> Result<Vec<(String, String)>> {
    each(raw, |pair| Ok((text(pair.name)?, text(pair.value)?)))
}

pub(crate) fn from_pairs(pairs: &[(String, String)]) -> RVec<Pair> {
    pairs
        .iter()
        .map(|(name, value)| Pair {
            name: name.as_str().into(),
            value: value.as_str().into(),
        })
        .collect()
}

/// Paths cross as bytes: a file's name need not be text.
pub(crate) fn from_path(path: &Path) -> RVec<u8> {
    path.as_os_str().as_bytes().into()
}

pub(crate) fn path(raw: RVec<u8>) -> PathBuf {
    std::ffi::OsString::from_vec(raw.into_vec()).into()
}

pub(crate) fn flag(on: bool) -> u32 {
    u32::from(on)
}
