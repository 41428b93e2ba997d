//! What a volume's first bytes tell: its format, and how large the disk in it is.

use super::Format;

/// How many bytes of a file are looked at.
pub(super) const HEADER: usize = 64;

/// The format and the bytes that a guest sees, from the beginning of a file that has `size` bytes.
pub(super) fn look(header: &[u8], size: u64) -> (Format, u64) {
    let word = |at: usize| header.get(at..)?.first_chunk().copied().map(u32::from_be_bytes);
    let long = |at: usize| header.get(at..)?.first_chunk().copied().map(u64::from_be_bytes);
    match (header.first_chunk(), word(4)) {
        (Some(b"QFI\xfb"), Some(2 | 3)) => (Format::Qcow2, long(24).unwrap_or(size)),
        // The version that UML kernels write.
        (Some(b"OOOM"), Some(3)) => (Format::Cow, long(12).unwrap_or(size)),
        _ => (Format::Raw, size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(magic: &[u8; 4], version: u32, at: usize, capacity: u64) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[..4].copy_from_slice(magic);
        bytes[4..8].copy_from_slice(&version.to_be_bytes());
        bytes[at..at + 8].copy_from_slice(&capacity.to_be_bytes());
        bytes
    }

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        for (bytes, told) in [
            (header(b"QFI\xfb", 3, 24, 77), (Format::Qcow2, 77)),
            (header(b"QFI\xfb", 2, 24, 77), (Format::Qcow2, 77)),
            (header(b"QFI\xfb", 9, 24, 77), (Format::Raw, 5)),
            (header(b"OOOM", 1, 12, 78), (Format::Raw, 5)),
            (header(b"OOOM", 3, 12, 79), (Format::Cow, 79)),
            (vec![1; HEADER], (Format::Raw, 5)),
            (b"QFI\xfb\0\0\0\x03".to_vec(), (Format::Qcow2, 5)),
            (Vec::new(), (Format::Raw, 5)),
        ] {
            assert_eq!(look(&bytes, 5), told);
        }
    }
}
