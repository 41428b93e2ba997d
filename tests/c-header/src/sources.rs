//! The frozen records as cbindgen can read them: our sources, with the types of `abi_stable` spelled out before them.

use std::path::Path;

/// The files of `driver-api/src/abi` whose records are in the header.
const FILES: [&str; 26] = [
    "value",
    "plain",
    "root",
    "interface",
    "manifest",
    "lock",
    "log",
    "event",
    "spawn",
    "ports",
    "core",
    "virt",
    "console",
    "domain",
    "node",
    "guest",
    "filter",
    "param",
    "metadata",
    "device",
    "nwfilter",
    "inspect",
    "descriptors",
    "plug",
    "launch",
    "notice",
];

/// What cbindgen reads.
pub(crate) fn all(driver_api: &Path) -> String {
    let mut text = String::from(ABI_STABLE);
    for file in FILES {
        let path = driver_api.join(format!("src/abi/{file}.rs"));
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (records, _tests) = source.split_once("#[cfg(test)]").unwrap_or((&source, ""));
        let records = spelled_out(records);
        let mut comment = Vec::new();
        for line in records.lines().filter(|line| !line.starts_with("//!")) {
            if line.starts_with("///") {
                comment.push(line);
            } else if line.starts_with("pub const ") && !line.starts_with("pub const fn ") {
                // A number: in the header by another way, with its comment.
                comment.clear();
            } else {
                for line in comment.drain(..).chain([line]) {
                    text.push_str(
                        &REWRITES
                            .iter()
                            .fold(line.to_owned(), |line, (from, to)| line.replace(from, to)),
                    );
                    text.push('\n');
                }
            }
        }
    }
    text
}

/// The records of `record! { .. }` as the macro writes them: cbindgen looks into no macro.
fn spelled_out(source: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in source.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let line = match (inside, words.as_slice()) {
            (false, ["record!", "{"]) => {
                inside = true;
                continue;
            }
            (true, ["}"]) if line == "}" => {
                inside = false;
                continue;
            }
            (true, [record, "of", plain, "{"]) => {
                format!("/// `{plain}` as it crosses.\n#[repr(C)]\npub struct {record} {{")
            }
            (true, [field, ty, "=", ..]) => format!("    pub {field} {ty},"),
            (true, ["}"]) => "}".to_owned(),
            _ => line.to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// What C knows no word for: lifetimes, references, and the answer that is nothing.
const REWRITES: [(&str, &str); 9] = [
    ("<'_>", ""),
    ("<'a>", ""),
    ("<'_, ", "<"),
    ("<'a, ", "<"),
    ("&'static TypeLayout", "*const TypeLayout"),
    ("RResult<(), Fault>", "Done"),
    // A driver in C makes no layout reports.
    ("pub root: *const Root", "pub root: *const PlainRoot"),
    // Links between items of Rust.
    ("[`", "`"),
    ("`]", "`"),
];

/// The frozen layouts of `abi_stable` 0.11 and of `Uuid`; `asserts.rs` compares their sizes with the true ones.
const ABI_STABLE: &str = r"
/// Sixteen bytes, most significant first.
#[repr(C)]
pub struct Uuid { pub bytes: [u8; 16] }

/// A text that belongs to the caller: UTF-8, not ended by a zero.
#[repr(C)]
pub struct RStr { pub data: *const u8, pub length: usize }

/// Elements that belong to the caller.
#[repr(C)]
pub struct RSlice<T> { pub data: *const T, pub length: usize }

/// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
/// never null, `capacity` counts elements.
#[repr(C)]
pub struct RVec<T> { pub buffer: *mut T, pub length: usize, pub capacity: usize, pub vtable: *const VecVTable }

/// A text that belongs to whoever holds the record: UTF-8, not ended by a zero.
#[repr(C)]
pub struct RString { pub inner: RVec<u8> }

/// Who can grow and free a vector: functions of the library that made it.
#[repr(C)]
pub struct VecVTable {
    /// A bit for each function below: 15.
    pub field_accessibility: u64,
    /// For messages of Rust; never followed for a vector.
    pub type_layout: *const c_void,
    /// Says whose vectors these are: an address of the library, and zeros.
    pub type_id: extern fn() -> UTypeId,
    /// Drops the elements and frees the buffer; the record is dead then.
    pub destructor: unsafe extern fn(*mut c_void),
    /// Makes room for as many elements; 0 for no more than these, 1 for some more.
    pub grow_capacity_to: unsafe extern fn(*mut c_void, usize, u32),
    /// Gives back what is not used, or does nothing.
    pub shrink_to_fit: unsafe extern fn(*mut c_void),
}

/// Names a library.
#[repr(C)]
pub struct UTypeId { pub executable_identity: *const c_void, pub type_id_array: [u8; 16] }

/// Something or nothing.
#[repr(u8)]
pub enum ROption<T> { Some(T), None }

/// An answer or a fault.
#[repr(u8)]
pub enum RResult<T, E> { Ok(T), Err(E) }

/// An answer that is nothing, or a fault.
#[repr(u8)]
pub enum Done { Ok, Err(Fault) }

/// A layout report of Rust; of no use in C.
pub struct TypeLayout { _private: [u8; 0] }
";
