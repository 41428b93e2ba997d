//! `LeasesFile`: the leases on the disk, a line for each change, written anew when most lines say nothing any more.

use super::book::Book;
use super::clock::Now;
use super::record::Record;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const HEADER: &str = "# Leases of filtered ports: belongs to lockstep, which replaces it.";

/// Larger files are none of ours.
const MAX_FILE: u64 = 64 << 20;

/// Lines that say nothing any more and are borne in any case.
const SLACK: usize = 64;

/// The file. That it can not be written never keeps a lease from being in force: it would only be unknown after a
/// restart, and the guest's next renewal tells it again.
#[derive(Debug)]
pub struct LeasesFile {
    path: PathBuf,
    file: Option<File>,
    lines: usize,
    /// A failure was told, and nothing was written since.
    failing: bool,
}

impl LeasesFile {
    /// Reads the file of a folder, if there is one, and writes it anew without what is over.
    #[must_use]
    pub fn load(folder: &Path, now: Now) -> (Self, Book) {
        let path = folder.join("leases");
        let mut book = Book::default();
        match read(&path) {
            Ok(text) => fill(&mut book, &text, &path, now),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let kept = path.with_added_extension("set-aside");
                let moved = fs::rename(&path, &kept);
                tracing::warn!(file = %path.display(), kept = %kept.display(), %error, ?moved, "the leases of before can not be read");
            }
        }
        let mut file = Self {
            path,
            file: None,
            lines: 0,
            failing: false,
        };
        if fs::exists(&file.path).unwrap_or(true) {
            file.rewrite(&book, now);
        }
        (file, book)
    }

    /// Adds a change that is in the book already.
    pub fn append(&mut self, record: &Record, book: &mut Book, now: Now) {
        let (Some(file), false) = (&mut self.file, self.failing) else {
            return self.rewrite(book, now);
        };
        // One write: whoever is killed now leaves a whole line, or half of one that is not read.
        let written = file.write_all(format!("{record}\n").as_bytes());
        self.lines += 1;
        if self.told(written) && self.lines > 2 * book.len() + SLACK {
            book.expire_all(now);
            self.rewrite(book, now);
        }
    }

    fn rewrite(&mut self, book: &Book, now: Now) {
        let written = self.replace(book, now);
        self.told(written);
    }

    /// The new file is on the disk before it takes the old one's place: a power failure leaves one of them.
    fn replace(&mut self, book: &Book, now: Now) -> io::Result<()> {
        self.file = None;
        let draft = self.path.with_added_extension("new");
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        let mut out = BufWriter::new(file);
        writeln!(out, "{HEADER}")?;
        self.lines = 0;
        for record in book.records(now) {
            writeln!(out, "{record}")?;
            self.lines += 1;
        }
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        self.file = Some(file);
        Ok(())
    }

    fn told(&mut self, written: io::Result<()>) -> bool {
        match written {
            Ok(()) => self.failing = false,
            Err(error) if self.failing => {
                tracing::debug!(file = %self.path.display(), %error, "leases are still not written");
            }
            Err(error) => {
                self.failing = true;
                tracing::warn!(file = %self.path.display(), %error, "leases can not be written, a restarted host would not know them");
            }
        }
        !self.failing
    }
}

fn read(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > MAX_FILE {
        return Err(io::Error::other(format!(
            "the file has {size} bytes, more than {MAX_FILE}"
        )));
    }
    fs::read_to_string(path)
}

/// Lines that can not be read are left out and told once. The last line counts only with its end: what was cut short may
/// look like a whole one.
fn fill(book: &mut Book, text: &str, path: &Path, now: Now) {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut bad = 0;
    for line in whole.lines().filter(|line| !line.starts_with('#')) {
        match Record::read(line) {
            Some(record) => book.replay(record, now),
            None => bad += 1,
        }
    }
    if bad > 0 {
        tracing::warn!(file = %path.display(), lines = bad, "lines of the file of leases are no leases and were left out");
    }
}

#[cfg(test)]
mod tests {
    use super::super::book::record;
    use super::super::lease::Lease;
    use super::super::record::Key;
    use super::*;
    use crate::def::address::Mac;
    use driver_api::types::uuid::Uuid;
    use std::net::IpAddr;
    use std::time::Duration;

    fn at(up: u64, wall: u64) -> Now {
        Now {
            up: Duration::from_secs(up),
            wall: Duration::from_secs(wall),
        }
    }

    fn key() -> Key {
        Key::new(Uuid::from_bytes([7; 16]), Mac([2, 0, 0, 0, 0, 1]))
    }

    fn lease(until: Option<u64>) -> Lease {
        Lease {
            until: until.map(Duration::from_secs),
            server: IpAddr::from([10, 0, 0, 254]),
        }
    }

    fn put(file: &mut LeasesFile, book: &mut Book, n: u8, until: Option<u64>, now: Now) {
        let address = IpAddr::from([10, 0, 0, n]);
        book.grant(&key(), address, lease(until)).unwrap();
        file.append(&record(&key(), address, lease(until), now), book, now);
    }

    fn addresses(book: &Book) -> Vec<String> {
        let leases = book.of(&key()).map(|leases| leases.iter().collect::<Vec<_>>());
        leases
            .unwrap_or_default()
            .iter()
            .map(|(address, _)| address.to_string())
            .collect()
    }

    #[test]
    fn leases_outlive_the_host_but_not_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let now = at(100, 5000);
        let (mut file, mut book) = LeasesFile::load(folder.path(), now);
        assert!(!folder.path().join("leases").exists());
        put(&mut file, &mut book, 1, Some(160), now);
        put(&mut file, &mut book, 2, Some(200), now);
        put(&mut file, &mut book, 3, None, now);
        put(&mut file, &mut book, 4, None, now);
        book.end(&key(), IpAddr::from([10, 0, 0, 4]));
        let end = Record::End {
            key: key(),
            address: IpAddr::from([10, 0, 0, 4]),
        };
        file.append(&end, &mut book, now);
        // Another boot of the machine, 60 seconds later by the time of day.
        let later = at(10, 5060);
        let (_file, book) = LeasesFile::load(folder.path(), later);
        assert_eq!(addresses(&book), ["10.0.0.2", "10.0.0.3"]);
        assert_eq!(book.of(&key()).unwrap().next_end(), Some(Duration::from_secs(10 + 40)));
        let text = fs::read_to_string(folder.path().join("leases")).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn renewals_do_not_let_the_file_grow() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, mut book) = LeasesFile::load(folder.path(), at(0, 0));
        for second in 0..500 {
            put(&mut file, &mut book, 1, Some(second + 60), at(second, second));
        }
        let text = fs::read_to_string(folder.path().join("leases")).unwrap();
        assert!(text.lines().count() < 80, "{}", text.lines().count());
        let (_file, book) = LeasesFile::load(folder.path(), at(499, 499));
        assert_eq!(book.of(&key()).unwrap().next_end(), Some(Duration::from_secs(559)));
    }

    #[test]
    fn what_is_damaged_is_left_out_and_the_rest_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leases");
        let good = record(&key(), IpAddr::from([10, 0, 0, 1]), lease(None), at(0, 0));
        let cut = record(&key(), IpAddr::from([10, 0, 0, 2]), lease(None), at(0, 0));
        fs::write(&path, format!("{HEADER}\nlease x\n{good}\n\u{7f}\n{cut}")).unwrap();
        let (_file, book) = LeasesFile::load(folder.path(), at(0, 0));
        assert_eq!(addresses(&book), ["10.0.0.1"]);
        fs::write(&path, b"\xff\xfe").unwrap();
        let (mut file, mut book) = LeasesFile::load(folder.path(), at(0, 0));
        assert!(book.is_empty());
        assert!(folder.path().join("leases.set-aside").exists());
        put(&mut file, &mut book, 1, None, at(0, 0));
        assert_eq!(addresses(&LeasesFile::load(folder.path(), at(0, 0)).1), ["10.0.0.1"]);
    }

    #[test]
    fn a_full_disk_is_made_up_for_later() {
        let folder = tempfile::tempdir().unwrap();
        let draft = folder.path().join("leases.new");
        fs::create_dir(&draft).unwrap();
        let now = at(0, 0);
        let (mut file, mut book) = LeasesFile::load(folder.path(), now);
        put(&mut file, &mut book, 1, None, now);
        assert!(file.failing && !folder.path().join("leases").exists());
        fs::remove_dir(&draft).unwrap();
        put(&mut file, &mut book, 2, None, now);
        assert!(!file.failing);
        assert_eq!(
            addresses(&LeasesFile::load(folder.path(), now).1),
            ["10.0.0.1", "10.0.0.2"]
        );
    }
}
