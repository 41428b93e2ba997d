//! The entry point of the fuzz target and of the tests that replay its corpus.

use super::Figures;
use super::definition::Definition;
use super::volume::Request;

/// Reads any bytes as the documents of a pool and of a volume.
///
/// # Panics
/// When a pool that was read is not the one that its printed document describes, or a volume is larger than a file can be.
pub fn check_documents(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(pool) = Definition::parse(text) {
        let printed = pool.format(Figures::default()).to_string();
        let again = Definition::parse(&printed);
        assert!(again.is_ok_and(|again| again == pool), "{printed}");
    }
    if let Ok(volume) = Request::parse(text) {
        assert!(volume.allocation <= volume.capacity, "{text}");
        // What a file's length may be.
        assert!(i64::try_from(volume.capacity).is_ok(), "{text}");
    }
}
