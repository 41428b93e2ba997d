//! The only place that maps a plug-in and follows pointers into it.

use super::manifest::{Facts, Head, check, check_facts, check_head};
use super::refusal::Refusal;
use driver_api::abi::manifest::{Manifest, SYMBOL};
use driver_api::kit::loaded::{Misfit, Offer};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::os::fd::{IntoRawFd, OwnedFd};

/// glibc: the library stays mapped whoever closes it, since threads, thread-locals and log callsites point into it.
const RTLD_NODELETE: libc::c_int = libc::RTLD_NODELETE;

/// A plug-in that is mapped and says what it is.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) facts: Facts,
    pub(super) manifest: &'static Manifest,
}

/// Maps the file and reads its manifest. Its constructors run, so it must have been trusted before.
pub(super) fn map(file: OwnedFd, offers: impl Fn(&str) -> bool) -> Result<Mapped, Refusal> {
    let file = std::fs::File::from(file);
    if super::elf::is_cut_off(&file).unwrap_or(false) {
        return Err(Refusal::CutOff);
    }
    // By descriptor: the file that was checked, whatever its name means by now.
    // It stays open for ever: glibc knows a loaded library by this name, and would answer the next file that got the
    // same number with this library.
    let path = format!("/proc/self/fd/{}", file.into_raw_fd());
    // SAFETY: loading runs the library's constructors; the caller decided to trust the file.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) };
    let library = library.map_err(|error| Refusal::Linker(linker_text(&error, &path)))?;
    // SAFETY: the symbol is only taken as an address here; what lies there is checked before it is used.
    let symbol = unsafe { library.get::<*const u8>(SYMBOL.as_bytes()) };
    let address = symbol
        .map(|symbol| symbol.into_raw().cast_const())
        .map_err(|_| Refusal::NoManifest)?;
    // Not closed, ever: `RTLD_NODELETE` says so to the linker, this to the reader.
    #[allow(clippy::mem_forget, reason = "a plug-in's library is never closed")]
    std::mem::forget(library);
    // SAFETY: the symbol's address is mapped for ever and the head is shorter than any object that it could be; the
    // read needs no alignment.
    let head = unsafe { address.cast::<[u8; 16]>().read_unaligned() };
    check_head(head_of(head))?;
    // SAFETY: magic, major version and size say that a whole manifest lies there; the linker aligned it as its type.
    let manifest: &'static Manifest = unsafe { &*address.cast::<Manifest>() };
    check(manifest)?;
    let facts = read(manifest).ok_or(Refusal::Damaged("one of its texts can not be read"))?;
    check_facts(&facts, offers)?;
    Ok(Mapped { facts, manifest })
}

fn head_of(bytes: [u8; 16]) -> Head {
    let [m0, m1, m2, m3, m4, m5, m6, m7, s0, s1, s2, s3, a0, a1, i0, i1] = bytes;
    Head {
        magic: [m0, m1, m2, m3, m4, m5, m6, m7],
        size: u32::from_ne_bytes([s0, s1, s2, s3]),
        major: u16::from_ne_bytes([a0, a1]),
        minor: u16::from_ne_bytes([i0, i1]),
    }
}

fn read(manifest: &'static Manifest) -> Option<Facts> {
    // SAFETY: the manifest's texts lie in its own image, which is never unmapped; so for all of them below.
    unsafe {
        Some(Facts {
            name: manifest.name.read()?,
            title: manifest.title.read()?,
            version: manifest.version.read()?,
            rustc: manifest.rustc.read()?,
            licence: manifest.licence.read()?,
            needs: manifest.read_needs()?,
            kind: manifest.kind,
            api: (manifest.api_major, manifest.api_minor),
            plain: manifest.is_plain(),
        })
    }
}

/// Asks a mapped plug-in for its interfaces.
pub(super) fn offer(mapped: &Mapped) -> Result<Offer, Misfit> {
    // SAFETY: the manifest's magic, major version and abi_stable version were checked when it was mapped.
    unsafe { Offer::of(mapped.manifest) }
}

fn linker_text(error: &libloading::Error, path: &str) -> String {
    let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    text.replace(&format!("{path}: "), "")
}
