//! Bytes of a disk as the host sees them, through a copy-on-write file where there is one.

use crate::core::{Core, fault};
use crate::def::disk::Disk;
use driver_api::error::{Code, Result};
use driver_api::types::uuid::Uuid;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

/// No more is read at once, in bytes; libvirt's own limit is as large.
const MOST: u32 = 4 << 20;

impl Core {
    /// Reads `size` bytes at `offset` of a disk, which is named by its target or its source.
    pub(crate) fn block_peek(&self, uuid: Uuid, disk: &str, offset: u64, size: u32) -> Result<Vec<u8>> {
        let record = self.table.record(uuid)?;
        let name = &record.current.name;
        if size > MOST {
            let message = format!("{size} bytes of a disk are too many at once, at most {MOST}");
            return Err(fault(Code::INVALID_ARG, message));
        }
        let named = |known: &&Disk| known.target.to_string() == disk || known.source.as_deref() == Some(disk);
        let known = record.current.disks.iter().find(named).filter(|_| !disk.is_empty());
        let known = known.ok_or_else(|| {
            let message = format!("'{disk}' is no disk of domain '{name}': name a target or a source");
            fault(Code::INVALID_ARG, message)
        })?;
        let source = known.source.as_deref().ok_or_else(|| {
            let message = format!("disk '{}' of domain '{name}' is empty", known.target);
            fault(Code::INVALID_ARG, message)
        })?;
        let format = known.driver("type").unwrap_or("raw");
        if !matches!(format, "raw" | "cow") {
            let message = format!(
                "disk '{}' has format '{format}', only raw ones can be looked into",
                known.target
            );
            return Err(fault(Code::OPERATION_UNSUPPORTED, message));
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        let read = match &known.backing {
            None => open(Path::new(source)).and_then(|file| file.read_exact_at(&mut bytes, offset)),
            Some(backing) => Overlay::open(Path::new(source), Path::new(&backing.source))
                .and_then(|overlay| overlay.read(&mut bytes, offset)),
        };
        read.map(|()| bytes).map_err(|cause| {
            let message = format!("cannot read {size} bytes at {offset} of disk '{source}'");
            fault(Code::SYSTEM_ERROR, message).because(cause)
        })
    }
}

/// Opens a disk's file, never a pipe or a terminal, which would wait.
fn open(path: &Path) -> io::Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_block_device() {
        return File::open(path);
    }
    Err(io::Error::other("it is neither a file nor a block device"))
}

/// A copy-on-write file over another one; see [`super::cow`] for its layout.
struct Overlay {
    file: File,
    backing: File,
    size: u64,
    bitmap: u64,
    data: u64,
}

const SECTOR: usize = 512;
const HEADER: usize = 32;
/// The header's words and the path of the file below.
const HEAD: u64 = 32 + 4096;

impl Overlay {
    fn open(file: &Path, backing: &Path) -> io::Result<Self> {
        let wrong = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        let (file, backing) = (open(file)?, open(backing)?);
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        let word = |place: usize| {
            let bytes = header.get(place..place + 4).and_then(|bytes| bytes.try_into().ok());
            u64::from(bytes.map_or(0, u32::from_be_bytes))
        };
        if header[..4] != *b"OOOM" || word(4) != 3 || word(20) != SECTOR as u64 {
            return Err(wrong("it is no copy-on-write file of version 3"));
        }
        let size = word(12) << 32 | word(16);
        let alignment = word(24);
        let bytes = size.div_ceil(SECTOR as u64).div_ceil(8);
        let aligned = |place: u64| {
            let place = place.checked_next_multiple_of(alignment);
            place.ok_or_else(|| wrong("its header makes no sense"))
        };
        let bitmap = aligned(HEAD)?;
        Ok(Self {
            file,
            backing,
            size,
            bitmap,
            data: aligned(bitmap.saturating_add(bytes))?,
        })
    }

    /// Each sector of the file that it is in: written ones of this one, the others of the one below.
    fn read(&self, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if offset.checked_add(length).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bits = [0];
        let mut bits_at = u64::MAX;
        while !bytes.is_empty() {
            let sector = offset / SECTOR as u64;
            if bits_at != sector / 8 {
                bits_at = sector / 8;
                self.file.read_exact_at(&mut bits, self.bitmap + bits_at)?;
            }
            let inside = usize::try_from(offset % SECTOR as u64).unwrap_or(0);
            let (now, rest) = bytes.split_at_mut((SECTOR - inside).min(bytes.len()));
            match bits[0] >> (sector % 8) & 1 {
                1 => self.file.read_exact_at(now, self.data + offset)?,
                _ => self.backing.read_exact_at(now, offset)?,
            }
            offset += u64::try_from(now.len()).unwrap_or(0);
            bytes = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_shows_written_sectors_and_those_below_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let (cow, base) = (dir.path().join("cow"), dir.path().join("base"));
        std::fs::write(&base, vec![b'b'; 10 * SECTOR]).unwrap();
        super::super::cow::make(&cow, &base).unwrap();
        let file = File::options().write(true).open(&cow).unwrap();
        // Sectors 1 and 9 were written by the guest.
        file.write_all_at(&[0b10, 0b10], 8192).unwrap();
        file.write_all_at(&[b'1'; SECTOR], 12288 + SECTOR as u64).unwrap();
        file.write_all_at(&[b'9'; SECTOR], 12288 + 9 * SECTOR as u64).unwrap();
        let overlay = Overlay::open(&cow, &base).unwrap();
        let mut all = vec![0; 10 * SECTOR];
        overlay.read(&mut all, 0).unwrap();
        let want: Vec<u8> = b"b1bbbbbbb9".iter().flat_map(|byte| [*byte; SECTOR]).collect();
        assert_eq!(all, want);
        let mut part = [0; 4];
        overlay.read(&mut part, 510).unwrap();
        assert_eq!(&part, b"bb11");
        let end = overlay.read(&mut part, 10 * SECTOR as u64 - 3).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn file_that_is_no_overlay_is_said_to_be_none() {
        let dir = tempfile::tempdir().unwrap();
        let (cow, base) = (dir.path().join("cow"), dir.path().join("base"));
        std::fs::write(&base, [0; 512]).unwrap();
        std::fs::write(&cow, [0; 5000]).unwrap();
        let error = Overlay::open(&cow, &base).err().unwrap();
        assert!(error.to_string().contains("no copy-on-write file"), "{error}");
        assert!(open(Path::new("/dev/null")).is_err());
    }
}
