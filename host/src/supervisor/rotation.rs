//! `RotatedLog`: a log file that is appended to over restarts and never grows without end.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Appends to `path`; when it would pass `limit` bytes, it becomes `path.1`, that one `path.2` and so on.
#[derive(Debug)]
pub(super) struct RotatedLog {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
    files: u32,
    rotates: bool,
}

impl RotatedLog {
    /// Opens the log for appending and makes its folder when it is missing; at most `files` files of about `limit`
    /// bytes are kept.
    pub(super) fn open(path: &Path, limit: u64, files: u32) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = open(path)?;
        let meta = file.metadata()?;
        let kind = meta.file_type();
        Ok(Self {
            path: path.to_owned(),
            file,
            size: meta.len(),
            limit,
            files: files.max(1),
            // A terminal, pipe or device as log file is only written to.
            rotates: !(kind.is_char_device() || kind.is_fifo() || kind.is_block_device()),
        })
    }

    /// Appends. A full disk must not stop a guest, so that the caller may drop the error.
    pub(super) fn append(&mut self, chunk: &[u8]) -> io::Result<()> {
        let length = chunk.len() as u64;
        if self.rotates && self.size > 0 && self.size + length > self.limit {
            self.rotate()?;
        }
        self.file.write_all(chunk)?;
        self.size += length;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.files).rev() {
            let from = if number == 1 {
                self.path.clone()
            } else {
                numbered(&self.path, number - 1)
            };
            match std::fs::rename(from, numbered(&self.path, number)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        if self.files == 1 {
            self.file.set_len(0)?;
        } else {
            self.file = open(&self.path)?;
        }
        self.size = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK a named pipe that nobody reads would hold the guest's start for ever.
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_moves_on_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/vm.log");
        let mut log = RotatedLog::open(&path, 10, 3).unwrap();
        for chunk in ["aaaaaa", "bbbb", "cccccc", "dddddd", "eeeeee"] {
            log.append(chunk.as_bytes()).unwrap();
        }
        let read = |p: PathBuf| std::fs::read_to_string(p).unwrap();
        assert_eq!(read(path.clone()), "eeeeee");
        assert_eq!(read(numbered(&path, 1)), "dddddd");
        assert_eq!(read(numbered(&path, 2)), "cccccc");
        assert!(!numbered(&path, 3).exists());
    }

    #[test]
    fn a_second_start_appends_and_counts_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vm.log");
        RotatedLog::open(&path, 10, 2).unwrap().append(b"12345678").unwrap();
        let mut again = RotatedLog::open(&path, 10, 2).unwrap();
        again.append(b"9").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"123456789");
        again.append(b"ab").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"ab");
        assert_eq!(std::fs::read(numbered(&path, 1)).unwrap(), b"123456789");
    }
}
