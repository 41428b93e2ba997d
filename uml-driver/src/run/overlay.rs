//! Reading the header of a copy-on-write file, so that a start fails before the guest's kernel does, and says why.

use super::cow::{MAGIC, VERSION};
use crate::core::fault;
use crate::plan::Cow;
use driver_api::error::{Code, Result};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

/// Checks that a copy-on-write file still fits what it lies over.
///
/// # Errors
/// 38 for a file that can not be read, 67 with the remedy for one that is none, or does not fit.
pub(crate) fn check(cow: &Cow) -> Result<()> {
    let (file, backing) = (cow.file.display(), cow.backing.display());
    let read = header(cow);
    let header = read.map_err(|cause| {
        fault(
            Code::SYSTEM_ERROR,
            format!("the header of the copy-on-write file '{file}' can not be read"),
        )
        .because(cause)
    })?;
    let Some(header) = header else {
        let message = format!(
            "'{file}' is no copy-on-write file, though it has a <backingStore>: remove one of the two, the file is made at the start"
        );
        return Err(fault(Code::CONFIG_UNSUPPORTED, message));
    };
    // What earlier versions of the format say stands elsewhere; the kernel knows them.
    if header.version != VERSION {
        return Ok(());
    }
    let meta = std::fs::metadata(&cow.backing)
        .map_err(|cause| fault(Code::SYSTEM_ERROR, format!("'{backing}' can not be looked at")).because(cause))?;
    let [.., a, b, c, d] = meta.mtime().to_be_bytes();
    let mtime = u32::from_be_bytes([a, b, c, d]);
    if header.size == meta.size() && header.mtime == mtime {
        return Ok(());
    }
    let message = format!(
        "the copy-on-write file '{file}' does not fit '{backing}' any more, which was {} since: put the old file back with its \
         time ('touch -d @{}'), or remove '{file}' and lose what the guest wrote",
        if header.size == meta.size() {
            "touched"
        } else {
            "changed in size"
        },
        header.mtime
    );
    Err(fault(Code::CONFIG_UNSUPPORTED, message))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Header {
    version: u32,
    mtime: u32,
    size: u64,
}

fn header(cow: &Cow) -> io::Result<Option<Header>> {
    let mut bytes = Vec::new();
    File::open(&cow.file)?.take(20).read_to_end(&mut bytes)?;
    let u32_at = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let (Some(MAGIC), Some(version), Some(mtime)) = (u32_at(0), u32_at(4), u32_at(8)) else {
        return Ok(None);
    };
    let size = bytes.get(12..20).and_then(|size| size.try_into().ok());
    Ok(size.map(|size| Header {
        version,
        mtime,
        size: u64::from_be_bytes(size),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::cow::make;
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_backing_file_that_changed_is_told_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let cow = Cow {
            file: dir.path().join("cow"),
            backing: dir.path().join("base"),
        };
        std::fs::write(&cow.backing, vec![0; 8192]).unwrap();
        make(&cow.file, &cow.backing).unwrap();
        check(&cow).unwrap();
        let base = File::options().write(true).open(&cow.backing).unwrap();
        let made = base.metadata().unwrap().modified().unwrap();
        base.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5))
            .unwrap();
        let error = check(&cow).unwrap_err();
        assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
        assert!(error.to_string().contains("which was touched since"), "{error}");
        base.set_modified(made).unwrap();
        check(&cow).unwrap();
        base.set_len(4096).unwrap();
        base.set_modified(made).unwrap();
        let error = check(&cow).unwrap_err();
        assert!(error.to_string().contains("changed in size"), "{error}");
        std::fs::write(&cow.file, "mine").unwrap();
        let error = check(&cow).unwrap_err();
        assert!(error.to_string().contains("is no copy-on-write file"), "{error}");
    }
}
