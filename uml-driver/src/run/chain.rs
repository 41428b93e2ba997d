//! The chain of files below a qcow2 image, from the headers of the images: what the document does not tell must be known,
//! since the program that reads them sees only files that it was shown.
//!
//! ```text
//! magic "QFI\xfb"  version  offset of the name  length of it  ...  cryptography  ...  incompatible features  ...  length
//!      u32            u32          u64              u32               u32 at 32         u64 at 72            u32 at 100
//! then extensions of (type u32, length u32, data up to a multiple of 8) until type 0; all big-endian
//! ```

use crate::core::fault;
use crate::plan::{DEPTH, Image, Layer};
use driver_api::error::{Code, Result};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

const MAGIC: u32 = 0x5146_49fb;
/// The extension that names the format of the file below.
const FORMAT: u32 = 0xe279_2aca;
/// The feature bit of an image whose data lie in another file.
const OTHER_FILE: u64 = 1 << 2;
/// Of a header of version 2, and the least of version 3.
const SHORT: usize = 72;
const LONG: usize = 104;
/// The longest name and the longest header that are read.
const NAME_BYTES: u32 = 1023;
const HEADER_BYTES: u64 = 64 * 1024;

/// What a header says lies below its image.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Below {
    name: String,
    format: Option<String>,
}

/// Every file below the top of an image: those that the document names, and then those that headers name.
///
/// The format of a raw file is never guessed: its guest may have written anything there.
///
/// # Errors
/// 38 for a file that can not be read, 67 for a header that makes no sense or asks for what a guest can not have, for a ring
/// and for too long a chain.
pub(crate) fn complete(image: &Image) -> Result<Vec<Layer>> {
    let mut chain = image.below.clone();
    if image.ends {
        return Ok(chain);
    }
    let mut last = chain.last().unwrap_or(&image.top).clone();
    while last.format == "qcow2" {
        let wrong = |why: &str| {
            let message = format!("disk '{}': '{}' {why}", image.target, last.path.display());
            fault(Code::CONFIG_UNSUPPORTED, message)
        };
        let Some(below) = header(&last.path).map_err(|e| explain(&last.path, e))? else {
            break;
        };
        let path = resolve(&last.path, &below.name).ok_or_else(|| {
            wrong(&format!(
                "lies over '{}', which is no file of this host",
                below.name.escape_debug()
            ))
        })?;
        let format = below.format.ok_or_else(|| {
            wrong(&format!(
                "lies over '{0}' and does not say of what format that is: write <format> into its <backingStore>, or run \
                 'qemu-img rebase -u -F FORMAT -b {0}'",
                below.name.escape_debug()
            ))
        })?;
        if path == image.top.path || chain.iter().any(|layer| layer.path == path) {
            return Err(wrong(&format!("lies over '{}', which lies over it", path.display())));
        }
        if chain.len() == DEPTH {
            return Err(wrong(&format!(
                "is the {DEPTH}th file of a chain, no more are possible"
            )));
        }
        let is_device = std::fs::metadata(&path).is_ok_and(|meta| meta.file_type().is_block_device());
        let layer = Layer {
            path,
            format,
            is_device,
        };
        chain.push(layer.clone());
        last = layer;
    }
    Ok(chain)
}

fn explain(path: &Path, cause: io::Error) -> driver_api::error::Error {
    let shown = path.display();
    if cause.kind() == io::ErrorKind::InvalidData {
        let message = format!("'{shown}' is no qcow2 image that a guest can have");
        return fault(Code::CONFIG_UNSUPPORTED, message).because(cause);
    }
    fault(Code::SYSTEM_ERROR, format!("the header of '{shown}' can not be read")).because(cause)
}

/// The path that a header's name means.
fn resolve(image: &Path, name: &str) -> Option<PathBuf> {
    let name = name.strip_prefix("file:").unwrap_or(name);
    // `json:{...}`, `nbd://...` and their like; a colon after a slash belongs to a file's name.
    let protocol = name.split_once(':').is_some_and(|(before, _)| !before.contains('/'));
    if protocol || name.is_empty() {
        return None;
    }
    let joined = image.parent()?.join(name);
    let mut path = PathBuf::new();
    for component in joined.components() {
        match component {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    Some(path)
}

fn header(path: &Path) -> io::Result<Option<Below>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(HEADER_BYTES).read_to_end(&mut bytes)?;
    let Some((offset, length, below)) = parse(&bytes).map_err(odd)? else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut name = vec![0; length];
    file.read_exact(&mut name).map_err(|cause| match cause.kind() {
        io::ErrorKind::UnexpectedEof => odd("the name of the file below it is cut off"),
        _ => cause,
    })?;
    let name = String::from_utf8(name).map_err(|_| odd("the name of the file below it is not UTF-8"))?;
    Ok(Some(Below { name, format: below }))
}

fn odd(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Where the name of the file below is, how long it is, and that file's format.
type Name = (u64, usize, Option<String>);

fn parse(bytes: &[u8]) -> std::result::Result<Option<Name>, &'static str> {
    let u32_at = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let u64_at = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    const CUT: &str = "its header is cut off";
    if u32_at(0) != Some(MAGIC) {
        return Err("it does not begin as one");
    }
    let version = u32_at(4).ok_or(CUT)?;
    if !(2..=3).contains(&version) {
        return Err("its version is neither 2 nor 3");
    }
    if u32_at(32).ok_or(CUT)? != 0 {
        return Err("it is encrypted");
    }
    let mut at = SHORT;
    if version == 3 {
        if u64_at(72).ok_or(CUT)? & OTHER_FILE != 0 {
            return Err("its data lie in another file");
        }
        at = usize::try_from(u32_at(100).ok_or(CUT)?).map_err(|_| CUT)?;
        if at < LONG {
            return Err("its header is too short");
        }
    }
    let (offset, length) = (u64_at(8).ok_or(CUT)?, u32_at(16).ok_or(CUT)?);
    if offset == 0 || length == 0 {
        return Ok(None);
    }
    if length > NAME_BYTES {
        return Err("the name of the file below it is too long");
    }
    let mut format = None;
    // The name ends the extensions where no type 0 does.
    while u64::try_from(at).is_ok_and(|at| at < offset) {
        let (Some(kind), Some(size)) = (u32_at(at), u32_at(at + 4)) else {
            break;
        };
        if kind == 0 {
            break;
        }
        let size = usize::try_from(size).map_err(|_| CUT)?;
        let end = (at + 8).checked_add(size).ok_or(CUT)?;
        let data = bytes.get(at + 8..end).ok_or("an extension of its header is cut off")?;
        if kind == FORMAT {
            let text = String::from_utf8(data.to_vec()).map_err(|_| "the format of the file below it is no text")?;
            format = Some(text);
        }
        at = end.next_multiple_of(8);
    }
    let length = usize::try_from(length).map_err(|_| CUT)?;
    Ok(Some((offset, length, format)))
}

/// Reading any bytes ends without a panic.
///
/// Fuzzing calls this.
pub fn check_any_header(bytes: &[u8]) {
    drop(parse(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::def::disk::Place;
    use proptest::prelude::*;

    /// A header of version 3 over another file.
    fn image(name: &str, format: &str) -> Vec<u8> {
        let mut bytes = vec![0; LONG];
        let put = |bytes: &mut Vec<u8>, at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        put(&mut bytes, 0, MAGIC);
        put(&mut bytes, 4, 3);
        put(&mut bytes, 100, 104);
        if !format.is_empty() {
            bytes.extend(FORMAT.to_be_bytes());
            bytes.extend(u32::try_from(format.len()).unwrap().to_be_bytes());
            bytes.extend(format.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes.extend([0; 8]);
        let (offset, length) = (bytes.len(), name.len());
        put(&mut bytes, 12, u32::try_from(offset).unwrap());
        put(&mut bytes, 16, u32::try_from(length).unwrap());
        bytes.extend(name.as_bytes());
        bytes
    }

    fn top(path: &Path) -> Image {
        Image {
            target: "vda".to_owned(),
            place: Place::Virtio,
            top: Layer {
                path: path.to_owned(),
                format: "qcow2".to_owned(),
                is_device: false,
            },
            below: Vec::new(),
            ends: false,
            readonly: false,
            shareable: false,
            cache: None,
            discard: true,
        }
    }

    #[test]
    fn chain_is_followed_to_a_raw_file_that_is_not_looked_into() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("sub")).unwrap();
        std::fs::write(path("a"), image("sub/b", "qcow2")).unwrap();
        std::fs::write(path("sub/b"), image("../c", "raw")).unwrap();
        std::fs::write(path("c"), image("/etc/shadow", "raw")).unwrap();
        let chain = complete(&top(&path("a"))).unwrap();
        let chain: Vec<_> = chain.into_iter().map(|layer| (layer.path, layer.format)).collect();
        assert_eq!(
            chain,
            [(path("sub/b"), "qcow2".to_owned()), (path("c"), "raw".to_owned())]
        );
        let mut told = top(&path("a"));
        told.ends = true;
        assert_eq!(complete(&told).unwrap(), [], "the document's word counts");
    }

    #[test]
    fn what_no_guest_can_have_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut encrypted = image("", "");
        encrypted[35] = 1;
        let mut elsewhere = image("", "");
        elsewhere[79] = 4;
        for (bytes, words) in [
            (image("a", "qcow2"), "which lies over it"),
            (image("b", ""), "does not say of what format"),
            (image("nbd://host/disk", "raw"), "which is no file of this host"),
            (image("json:{}", "raw"), "which is no file of this host"),
            (encrypted, "it is encrypted"),
            (elsewhere, "its data lie in another file"),
            (b"raw data".to_vec(), "it does not begin as one"),
            (image("b", "raw")[..110].to_vec(), "is cut off"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = complete(&top(&path)).unwrap_err();
            assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED, "{error}");
            assert!(error.to_string().contains(words), "{words}: {error}");
        }
        for depth in 0..=DEPTH {
            let name = format!("l{}", depth + 1);
            std::fs::write(dir.path().join(format!("l{depth}")), image(&name, "qcow2")).unwrap();
        }
        std::fs::write(dir.path().join(format!("l{}", DEPTH + 1)), image("", "")).unwrap();
        let error = complete(&top(&dir.path().join("l0"))).unwrap_err();
        assert!(error.to_string().contains("32th file of a chain"), "{error}");
        let missing = complete(&top(&dir.path().join("none"))).unwrap_err();
        assert_eq!(missing.code(), Code::SYSTEM_ERROR);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), real: bool) {
            if real && bytes.len() > 8 {
                bytes[..8].copy_from_slice(&[0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]);
            }
            check_any_header(&bytes);
        }
    }
}
