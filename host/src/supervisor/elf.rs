//! Whether a program file needs a loader and shared libraries beside it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const PT_INTERP: u32 = 3;

/// Whether `program` names an interpreter: a dynamically linked ELF file, or a script.
///
/// # Errors
/// It can not be read.
pub(super) fn needs_loader(program: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    // Linkers put the program headers right behind the file header.
    File::open(program)?.take(4096).read_to_end(&mut head)?;
    Ok(!is_static(&head))
}

/// Whether this is surely the beginning of a statically linked 64-bit little-endian ELF file.
fn is_static(head: &[u8]) -> bool {
    let number = |at: usize, size: usize| -> Option<usize> {
        let bytes = head.get(at..at + size)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | usize::from(*byte)),
        )
    };
    let kinds = || -> Option<bool> {
        if head.get(..6)? != b"\x7fELF\x02\x01" {
            return None;
        }
        let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        for entry in 0..count {
            if number(table.checked_add(entry * size)?, 4)? == PT_INTERP as usize {
                return Some(false);
            }
        }
        Some(true)
    };
    kinds().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(kinds: &[u32]) -> Vec<u8> {
        let mut file = vec![0; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32] = 64;
        file[54] = 56;
        file[56] = u8::try_from(kinds.len()).unwrap();
        for kind in kinds {
            file.extend(kind.to_le_bytes());
            file.resize(file.len() + 52, 0);
        }
        file
    }

    #[test]
    fn only_a_file_without_interpreter_is_static() {
        assert!(is_static(&elf(&[1, 2, 6])));
        assert!(!is_static(&elf(&[6, 3, 1])));
        assert!(!is_static(&elf(&[1, 1])[..100]), "a cut header is not trusted");
        assert!(!is_static(b"#!/bin/sh\n"));
    }
}
