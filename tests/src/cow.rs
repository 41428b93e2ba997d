//! A copy-on-write disk of UML as its guest sees it, as one plain image that other tools read.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

/// The header with what fills it up to the alignment.
const HEAD: usize = 8192;
const ALIGNMENT: usize = 4096;
const SECTOR: usize = 512;

/// Writes what `cow` and the backing file `base` are together to `merged`, which stays sparse.
///
/// # Panics
/// When `cow` is no copy-on-write file, or a file can not be read or written.
pub fn merge(cow: &Path, base: &Path, merged: &Path) {
    let copied = Command::new("cp").arg("--sparse=always").args([base, merged]).status();
    assert!(
        copied.expect("cp runs").success(),
        "{} can not be copied",
        base.display()
    );
    let source = File::open(cow).expect("the copy-on-write file opens");
    let mut head = [0; HEAD];
    source.read_exact_at(&mut head, 0).expect("a header");
    assert_eq!(
        &head[..8],
        b"OOOM\0\0\0\x03",
        "{} is no copy-on-write file",
        cow.display()
    );
    let size = u64::from_be_bytes(head[12..20].try_into().expect("eight bytes"));
    let sectors = usize::try_from(size).expect("a size").div_ceil(SECTOR);
    // One bit tells of each sector whether it is here.
    let mut bits = vec![0; sectors.div_ceil(8)];
    source.read_exact_at(&mut bits, HEAD as u64).expect("a bitmap");
    let data = (HEAD + bits.len()).next_multiple_of(ALIGNMENT);
    let target = File::options().write(true).open(merged).expect("the copy opens");
    let mut buffer = [0; SECTOR];
    for sector in (0..sectors).filter(|sector| bits[sector / 8] >> (sector % 8) & 1 == 1) {
        let place = sector * SECTOR;
        source
            .read_exact_at(&mut buffer, (data + place) as u64)
            .expect("a sector");
        target.write_all_at(&buffer, place as u64).expect("room for a sector");
    }
}
