//! The records of a guest's run folder: written so that a reader finds the old one or the new one, never half of it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Whether a record must be there after a power cut too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Durable {
    /// Yes: file and folder are forced to the disk.
    Yes,
    /// No: what it tells of is gone with the machine anyway.
    No,
}

/// Writes `value` as `dir/name` through a temporary file.
pub(super) fn write<T: Serialize>(dir: &Path, name: &str, value: &T, durable: Durable) -> io::Result<()> {
    let text = serde_json::to_vec(value)?;
    let temp = dir.join(format!(".{name}.{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temp)?;
    file.write_all(&text)?;
    if durable == Durable::Yes {
        file.sync_all()?;
    }
    std::fs::rename(&temp, dir.join(name))?;
    if durable == Durable::Yes {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Reads `dir/name`; `None` when there is no such record.
///
/// # Errors
/// `InvalidData` when it is damaged.
pub(super) fn read<T: DeserializeOwned>(dir: &Path, name: &str) -> io::Result<Option<T>> {
    let text = match std::fs::read(dir.join(name)) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::order::{ENDED, Ended, Note};

    #[test]
    fn a_record_comes_back_and_leaves_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read::<Ended>(dir.path(), ENDED).unwrap(), None);
        let ended = Ended {
            code: Some(3),
            notifications: vec![Note {
                seq: 7,
                bytes: vec![0, 255],
            }],
            ..Ended::default()
        };
        write(dir.path(), ENDED, &Ended::default(), Durable::No).unwrap();
        write(dir.path(), ENDED, &ended, Durable::Yes).unwrap();
        assert_eq!(read::<Ended>(dir.path(), ENDED).unwrap(), Some(ended));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_half_written_record_is_an_error_not_an_absence() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(ENDED), b"{\"code\":").unwrap();
        let error = read::<Ended>(dir.path(), ENDED).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
