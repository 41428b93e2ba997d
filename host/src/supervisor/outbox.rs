//! `Outbox`: bytes that wait for a slow reader, bounded, so that the guest behind them never waits.

use std::collections::VecDeque;
use std::io;

/// Bytes that may wait for one reader.
const LIMIT: usize = 256 * 1024;

/// A bounded queue: what does not fit is left out, and a marker tells the reader where and how much.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<u8>,
    skipped: u64,
    /// No marker: the reader is no person.
    silent: bool,
}

impl Outbox {
    /// One that leaves out without a word.
    pub(super) fn silent() -> Self {
        Self {
            silent: true,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        // Once something was left out, nothing more is taken until the marker stands in its place.
        if self.skipped > 0 || self.queue.len() + chunk.len() > LIMIT {
            self.skipped += chunk.len() as u64;
        } else {
            self.queue.extend(chunk);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.skipped = 0;
    }

    /// Gives `write` as much as it takes; a reader that is full is no error.
    pub(super) fn flush(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while !self.queue.is_empty() {
            match write(self.queue.as_slices().0) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.queue.drain(..count)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            if self.queue.is_empty() {
                // A long queue is memory that an idle supervisor must not keep.
                self.queue = VecDeque::new();
                if self.silent {
                    self.skipped = 0;
                }
                if self.skipped > 0 {
                    let marker = format!("\r\n[{} bytes skipped: this viewer was too slow]\r\n", self.skipped);
                    self.skipped = 0;
                    self.queue.extend(marker.as_bytes());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_gets_a_marker_where_bytes_are_missing() {
        let mut outbox = Outbox::default();
        outbox.push(&[b'a'; LIMIT]);
        outbox.push(b"lost");
        outbox.push(b"lost too");
        let mut read = Vec::new();
        let mut room = 10;
        outbox
            .flush(|chunk| {
                let count = room.min(chunk.len());
                room -= count;
                read.extend_from_slice(&chunk[..count]);
                if count == 0 {
                    Err(io::ErrorKind::WouldBlock.into())
                } else {
                    Ok(count)
                }
            })
            .unwrap();
        assert_eq!(read, b"aaaaaaaaaa");
        outbox.push(b"still lost");
        read.clear();
        let mut all = |chunk: &[u8]| {
            read.extend_from_slice(chunk);
            Ok(chunk.len())
        };
        outbox.flush(&mut all).unwrap();
        outbox.push(b"after");
        outbox.flush(&mut all).unwrap();
        let text = String::from_utf8(read).unwrap();
        assert!(text.starts_with('a'), "the bytes before the gap come first");
        assert!(
            text.ends_with("\r\n[22 bytes skipped: this viewer was too slow]\r\nafter"),
            "{text}"
        );
    }
}
