//! Making an empty copy-on-write file over a backing file, as a UML kernel would, which sees only files that exist.
//!
//! ```text
//! magic "OOOM"  version 3  mtime of backing  size of backing  sector  alignment  format  path of backing, 4096 bytes
//!    u32          u32           u32               u64          u32      u32       u32       big-endian, packed
//! at the next multiple of the alignment one bit for each sector, at the next one as many bytes as the backing file has
//! ```

use crate::core::fault;
use driver_api::error::{Code, Result};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

pub(super) const MAGIC: u32 = 0x4f4f_4f4d;
pub(super) const VERSION: u32 = 3;
const SECTOR: u32 = 512;
const ALIGNMENT: u32 = 4096;
const PATH_BYTES: usize = 4096;
const HEADER_BYTES: usize = 32 + PATH_BYTES;

/// Makes `file` over `backing`; a file that is there already is left as it is.
///
/// # Errors
/// 38.
pub(crate) fn make(file: &Path, backing: &Path) -> Result<()> {
    match try_make(file, backing) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
            let (file, backing) = (file.display(), backing.display());
            let message = format!("cannot make the copy-on-write file '{file}' over '{backing}'");
            Err(fault(Code::SYSTEM_ERROR, message).because(cause))
        }
        _ => Ok(()),
    }
}

fn try_make(file: &Path, backing: &Path) -> io::Result<()> {
    let meta = std::fs::metadata(backing)?;
    let (header, length) = image(backing.as_os_str().as_bytes(), meta.mtime(), meta.size())?;
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    let written = out.write_all(&header).and_then(|()| out.set_len(length));
    if written.is_err() {
        // The first error is the one to tell.
        drop(std::fs::remove_file(file));
    }
    written
}

/// The header, and how long the whole file is.
fn image(path: &[u8], mtime: i64, size: u64) -> io::Result<(Vec<u8>, u64)> {
    if path.len() >= PATH_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path of the backing file is too long",
        ));
    }
    let mut header = Vec::new();
    for word in [MAGIC, VERSION] {
        header.extend_from_slice(&word.to_be_bytes());
    }
    // The format keeps the low half of the time.
    let [.., a, b, c, d] = mtime.to_be_bytes();
    header.extend_from_slice(&[a, b, c, d]);
    header.extend_from_slice(&size.to_be_bytes());
    for word in [SECTOR, ALIGNMENT, 0] {
        header.extend_from_slice(&word.to_be_bytes());
    }
    header.extend_from_slice(path);
    header.resize(HEADER_BYTES, 0);
    let alignment = u64::from(ALIGNMENT);
    let bitmap = (HEADER_BYTES as u64).next_multiple_of(alignment);
    let bitmap_bytes = size.div_ceil(u64::from(SECTOR)).div_ceil(8);
    let data = (bitmap + bitmap_bytes).next_multiple_of(alignment);
    Ok((header, data + size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_laid_out_as_the_kernel_reads_it() {
        let (header, length) = image(b"/base.img", 0x1_2345_6789, 1 << 20).unwrap();
        assert_eq!(header.len(), 4128);
        assert_eq!(&header[..4], b"OOOM");
        assert_eq!(header[8..12], [0x23, 0x45, 0x67, 0x89]);
        assert_eq!(header[12..20], (1_u64 << 20).to_be_bytes());
        assert_eq!(&header[32..42], b"/base.img\0");
        // The 4128 bytes of the header fill two units of the alignment, the 256 that 2048 sectors need a third.
        assert_eq!(length, 12288 + (1 << 20));
    }

    #[test]
    fn make_leaves_a_file_that_is_there_and_names_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let (cow, base) = (dir.path().join("cow"), dir.path().join("base"));
        let error = make(&cow, &base).unwrap_err();
        assert!(error.to_string().contains("base"), "{error}");
        assert!(!cow.exists());
        std::fs::write(&base, vec![0; 4096]).unwrap();
        make(&cow, &base).unwrap();
        std::fs::write(&cow, "mine").unwrap();
        make(&cow, &base).unwrap();
        assert_eq!(std::fs::read(&cow).unwrap(), b"mine");
    }
}
