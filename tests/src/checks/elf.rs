//! `Elf`: as much of a shared library's file as the checks of its outside need: what it exports and what it is linked with.

use crate::check::{Failure, Outcome};
use std::path::Path;

/// What a 64-bit little-endian library says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Elf {
    /// Symbols that others can see, by name.
    pub(crate) exports: Vec<String>,
    /// Libraries that the dynamic linker loads for it.
    pub(crate) needed: Vec<String>,
    /// Places where code is looked for beside the system's own.
    pub(crate) run_paths: Vec<String>,
}

const DYNSYM: u32 = 11;
const DYNAMIC: u32 = 6;
const DT_NEEDED: u64 = 1;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

struct Section {
    kind: u32,
    offset: usize,
    size: usize,
    link: usize,
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn part(&self, at: usize, length: usize) -> Option<&'a [u8]> {
        self.0.get(at..at.checked_add(length)?)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.part(at, 2)?.try_into().ok()?))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.part(at, 4)?.try_into().ok()?))
    }

    fn u64(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.part(at, 8)?.try_into().ok()?))
    }

    fn size(&self, at: usize) -> Option<usize> {
        usize::try_from(self.u64(at)?).ok()
    }

    fn text(&self, table: &Section, at: usize) -> Option<String> {
        let bytes = self.part(table.offset, table.size)?.get(at..)?;
        let end = bytes.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
}

impl Elf {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let file =
            std::fs::read(path).map_err(|error| Failure::new(format!("cannot read '{}': {error}", path.display())))?;
        Self::parse(&file).ok_or_else(|| {
            let path = path.display();
            Failure::new(format!(
                "'{path}': expected a 64-bit little-endian shared library with section headers, found something else"
            ))
        })
    }

    fn parse(file: &[u8]) -> Option<Self> {
        let bytes = Bytes(file);
        if bytes.part(0, 6)? != b"\x7fELF\x02\x01" {
            return None;
        }
        let (table, size) = (bytes.size(0x28)?, usize::from(bytes.u16(0x3a)?));
        let sections: Vec<Section> = (0..usize::from(bytes.u16(0x3c)?))
            .map(|index| {
                let at = table.checked_add(index * size)?;
                Some(Section {
                    kind: bytes.u32(at + 0x04)?,
                    offset: bytes.size(at + 0x18)?,
                    size: bytes.size(at + 0x20)?,
                    link: usize::try_from(bytes.u32(at + 0x28)?).ok()?,
                })
            })
            .collect::<Option<_>>()?;
        let mut found = Self::default();
        for section in &sections {
            let names = sections.get(section.link);
            match (section.kind, names) {
                (DYNSYM, Some(names)) => found.exports = exports(&bytes, section, names)?,
                (DYNAMIC, Some(names)) => dynamic(&bytes, section, names, &mut found)?,
                _ => {}
            }
        }
        Some(found)
    }
}

fn exports(bytes: &Bytes<'_>, symbols: &Section, names: &Section) -> Option<Vec<String>> {
    const ENTRY: usize = 24;
    let mut found = Vec::new();
    for index in 1..symbols.size / ENTRY {
        let at = symbols.offset + index * ENTRY;
        let info = bytes.part(at + 4, 2)?;
        let (global, hidden) = (info[0] >> 4 != 0, matches!(info[1] & 3, 1 | 2));
        let defined = bytes.u16(at + 6)? != 0;
        if global && defined && !hidden {
            found.push(bytes.text(names, usize::try_from(bytes.u32(at)?).ok()?)?);
        }
    }
    found.sort();
    Some(found)
}

fn dynamic(bytes: &Bytes<'_>, entries: &Section, names: &Section, found: &mut Elf) -> Option<()> {
    for at in (entries.offset..entries.offset + entries.size).step_by(16) {
        let value = bytes.size(at + 8)?;
        match bytes.u64(at)? {
            0 => break,
            DT_NEEDED => found.needed.push(bytes.text(names, value)?),
            DT_RPATH | DT_RUNPATH => found.run_paths.push(bytes.text(names, value)?),
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_linked_with_the_c_library() {
        let elf = Elf::read(Path::new("/proc/self/exe")).unwrap();
        assert!(elf.needed.iter().any(|name| name.starts_with("libc.so")), "{elf:?}");
    }

    #[test]
    fn what_is_no_library_is_none_however_it_is_cut() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(Elf::parse(b"#!/bin/sh\n"), None);
        for length in [0, 5, 63, 64, 4096, file.len() / 2] {
            assert_eq!(Elf::parse(&file[..length]), None, "{length} bytes");
        }
    }
}
