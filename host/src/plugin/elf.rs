//! Whether a library's file is as long as its program headers say: the dynamic linker does not ask, and dies by SIGBUS.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Most program headers that are looked at; a shared library has about ten.
const MOST: u16 = 64;

/// Whether segments of this file lie beyond its end. Whatever else is wrong with it, the linker tells.
pub(super) fn is_cut_off(file: &File) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    let mut header = [0_u8; 64];
    if file.read_exact_at(&mut header, 0).is_err() {
        return Ok(false);
    }
    if !header.starts_with(&[0x7f, b'E', b'L', b'F', 2, 1]) {
        return Ok(false);
    }
    let (table, size, count) = (long(&header, 32), short(&header, 54), short(&header, 56));
    for index in 0..u64::from(count.min(MOST)) {
        let mut segment = [0_u8; 56];
        let at = table.saturating_add(index * u64::from(size));
        if file.read_exact_at(&mut segment, at).is_err() {
            return Ok(true);
        }
        if long(&segment, 8).saturating_add(long(&segment, 32)) > length {
            return Ok(true);
        }
    }
    Ok(false)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_whole_and_any_beginning_of_it_is_cut_off() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let cut = |length: usize| {
            let path = dir.path().join("file");
            std::fs::write(&path, &program[..length]).unwrap();
            is_cut_off(&File::open(path).unwrap()).unwrap()
        };
        assert!(!cut(program.len()));
        for length in [64, 100, 4096] {
            assert!(cut(length), "{length}");
        }
        assert!(!cut(10), "too short to be a library: the linker says so");
    }
}
