//! `Ring`: the last bytes of a console, for tails and for viewers that join late.

use std::collections::VecDeque;

/// Keeps the newest bytes up to a fixed number and grows only as far as it is used.
#[derive(Debug)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    limit: usize,
}

impl Ring {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            limit,
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        let chunk = &chunk[chunk.len().saturating_sub(self.limit)..];
        let surplus = (self.bytes.len() + chunk.len()).saturating_sub(self.limit);
        self.bytes.drain(..surplus);
        self.bytes.extend(chunk);
    }

    /// At most the last `limit` bytes, in order.
    pub(super) fn last(&self, limit: usize) -> Vec<u8> {
        let from = self.bytes.len().saturating_sub(limit);
        self.bytes.range(from..).copied().collect()
    }

    /// The last whole lines within `limit` bytes (a first line longer than that is cut), as text.
    pub(super) fn last_lines(&self, limit: usize) -> String {
        let bytes = self.last(limit);
        let cut = bytes.len() < self.bytes.len();
        let start = match bytes.iter().position(|b| *b == b'\n') {
            Some(end) if cut && end + 1 < bytes.len() => end + 1,
            _ => 0,
        };
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_bytes_stay() {
        let mut ring = Ring::new(8);
        ring.push(b"abc");
        assert_eq!(ring.last(100), b"abc");
        ring.push(b"defghij");
        assert_eq!(ring.last(100), b"cdefghij");
        assert_eq!(ring.last(3), b"hij");
        ring.push(b"0123456789");
        assert_eq!(ring.last(100), b"23456789");
    }

    #[test]
    fn a_tail_starts_with_a_whole_line() {
        let mut ring = Ring::new(100);
        ring.push(b"first\nsecond\nthird\n");
        assert_eq!(ring.last_lines(100), "first\nsecond\nthird\n");
        assert_eq!(ring.last_lines(10), "third\n");
        assert_eq!(ring.last_lines(3), "rd\n");
    }
}
