//! How much a check has put into its folder, so that one that fills the disk is ended before the machine feels it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes that a check may keep in its folder, its guests' disks among them.
pub(super) const MOST: u64 = 4 << 30;

/// Entries that are looked at: who has more has filled the disk in another way, and each stands for a block.
const MOST_ENTRIES: u64 = 200_000;

/// Whether what is in a folder takes more than [`MOST`] bytes of the disk.
pub(super) fn is_overfull(folder: &Path) -> bool {
    exceeds(folder, MOST, MOST_ENTRIES)
}

fn exceeds(folder: &Path, bytes: u64, entries: u64) -> bool {
    let (mut found, mut seen) = (0, 0);
    let mut next = vec![folder.to_path_buf()];
    while let Some(folder) = next.pop() {
        // It may go while it is looked at.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            // Of a link itself, not of what it leads to.
            let Ok(about) = entry.metadata() else { continue };
            found += about.blocks() * 512;
            seen += 1;
            if found > bytes || seen > entries {
                return true;
            }
            if about.is_dir() {
                next.push(entry.path());
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_entries_at_any_depth_count_and_holes_and_links_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).expect("folders");
        fs::write(deep.join("full"), vec![1; 1 << 20]).expect("a file");
        let hole = fs::File::create(folder.path().join("hole")).expect("a file");
        hole.set_len(1 << 40).expect("a hole");
        std::os::unix::fs::symlink("/", deep.join("everything")).expect("a link");
        assert!(!exceeds(folder.path(), 2 << 20, 100));
        assert!(exceeds(folder.path(), 1 << 19, 100));
        assert!(exceeds(folder.path(), 2 << 20, 4));
    }
}
