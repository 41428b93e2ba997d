//! `Numbers`: guest ids that are never used twice under one root.

use super::record::{self, Durable};
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "next-id.json";
/// Ids taken from the disk at once: an fsync for each start would be felt.
const BLOCK: u64 = 64;

/// The counter; what is on the disk is always beyond every id that was given out.
#[derive(Debug)]
pub(super) struct Numbers {
    dir: PathBuf,
    next: u64,
    ceiling: u64,
}

impl Numbers {
    /// Goes on behind what was given out before, and behind `highest`, should the file be lost.
    pub(super) fn open(dir: &Path, highest: u64) -> io::Result<Self> {
        let next = match record::read::<u64>(dir, FILE) {
            Ok(stored) => stored.unwrap_or(1).max(highest + 1),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(path = %dir.join(FILE).display(), error = %e, "the guest counter is damaged; it goes on behind the newest run folder");
                highest + 1
            }
            Err(e) => return Err(e),
        };
        Ok(Self {
            dir: dir.to_owned(),
            next,
            ceiling: next,
        })
    }

    pub(super) fn take(&mut self) -> io::Result<u64> {
        if self.next == self.ceiling {
            record::write(&self.dir, FILE, &(self.ceiling + BLOCK), Durable::Yes)?;
            self.ceiling += BLOCK;
        }
        self.next += 1;
        Ok(self.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_comes_twice_over_restarts_and_damage() {
        let dir = tempfile::tempdir().unwrap();
        let mut given = Vec::new();
        for _ in 0..3 {
            let mut numbers = Numbers::open(dir.path(), 0).unwrap();
            given.extend((0..70).map(|_| numbers.take().unwrap()));
        }
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        let highest = *given.last().unwrap();
        given.push(Numbers::open(dir.path(), highest).unwrap().take().unwrap());
        assert!(given.is_sorted_by(|a, b| a < b), "{given:?}");
    }
}
