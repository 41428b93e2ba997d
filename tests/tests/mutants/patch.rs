//! Copies of the reference's file with a few bytes changed: what no source that compiles would make.

use std::fs;
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"LKSTPDRV";
const SYMBOL: &[u8] = b"LOCKSTEP_DRIVER\0";
/// Places in the manifest, after its magic.
const MAJOR: usize = 12;
const KIND: usize = 24;
const PANIC: usize = 28;

/// The file with this change, in a folder.
pub(crate) fn patched(library: &Path, patch: &str, folder: &Path) -> PathBuf {
    let mut bytes = fs::read(library).expect("the reference can be read");
    match patch {
        // The symbol has another name, so nobody finds it.
        "no manifest" => {
            let at = find(&bytes, SYMBOL);
            bytes[at] = b'X';
        }
        "another magic" => {
            let at = find(&bytes, MAGIC);
            bytes[at] = b'X';
        }
        "another major version" => {
            let at = find(&bytes, MAGIC) + MAJOR;
            bytes[at] = 9;
        }
        "a filter driver's kind" => {
            let at = find(&bytes, MAGIC) + KIND;
            bytes[at] = 2;
        }
        "panic is abort" => {
            let at = find(&bytes, MAGIC) + PANIC;
            bytes[at] = 2;
        }
        "cut off" => bytes.truncate(bytes.len() / 8),
        "one more symbol" => export_one_more(&mut bytes),
        other => panic!("nobody knows the patch '{other}'"),
    }
    let path = folder.join("libmock_driver.so");
    fs::write(&path, bytes).expect("the copy can be written");
    path
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    let found = bytes.windows(wanted.len()).position(|window| window == wanted);
    found.expect("the reference is a plug-in")
}

/// Makes a symbol of the dynamic table that leads nowhere lead somewhere. The table that the linker searches does not
/// list it, so nothing is called by it.
fn export_one_more(bytes: &mut [u8]) {
    const DYNSYM: u32 = 11;
    const ENTRY: usize = 24;
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let place = |bytes: &[u8], at: usize| usize::try_from(word(bytes, at)).expect("a place in a file");
    let half = |bytes: &[u8], at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"));
    let (sections, count) = (place(bytes, 40), usize::from(half(bytes, 60)));
    let section = (0..count)
        .map(|number| sections + 64 * number)
        .find(|at| u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes")) == DYNSYM);
    let section = section.expect("a library has dynamic symbols");
    let (offset, size) = (place(bytes, section + 24), place(bytes, section + 32));
    let weak = |info: u8| info >> 4 == 2;
    let symbol = (1..size / ENTRY)
        .map(|number| offset + ENTRY * number)
        .find(|at| weak(bytes[at + 4]) && half(bytes, at + 6) == 0)
        .expect("a library has weak symbols that nobody defined");
    // It stays weak, so that the linker does not miss it.
    bytes[symbol + 6] = 1;
}
