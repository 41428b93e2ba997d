//! `Speech`: what a companion says, line by line into the supervisor's log, and no more than it is worth.

use std::os::fd::OwnedFd;

/// Bytes of one companion that the log takes.
const LIMIT: usize = 64 * 1024;
/// The longest line.
const LINE: usize = 1024;
/// Bytes that are kept for an error.
const KEPT: usize = 400;

#[derive(Debug)]
pub(super) struct Speech {
    name: String,
    line: Vec<u8>,
    said: usize,
    last: String,
}

impl Speech {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            line: Vec::new(),
            said: 0,
            last: String::new(),
        }
    }

    /// Takes what there is; `false` at the end.
    pub(super) fn read(&mut self, output: &OwnedFd) -> bool {
        let mut chunk = [0_u8; 4096];
        // One that never stops talking must not keep the others waiting.
        for _ in 0..16 {
            match rustix::io::read(output, &mut chunk) {
                Ok(0) => {
                    self.end_line();
                    return false;
                }
                Ok(count) => self.hear(&chunk[..count]),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        true
    }

    fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' || self.line.len() == LINE {
                self.end_line();
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
    }

    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&self.line);
        let text: String = text
            .trim_end()
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        self.line.clear();
        if self.said < LIMIT {
            eprintln!("{}: {text}", self.name);
            self.said += text.len() + 1;
            if self.said >= LIMIT {
                eprintln!("{}: it says too much; the rest is left out", self.name);
            }
        }
        self.last = text.chars().take(KEPT).collect();
    }

    /// How it ended, behind its name.
    pub(super) fn epitaph(&self, (code, signal): (Option<i32>, Option<i32>)) -> String {
        let how = match (code, signal) {
            (Some(code), _) => format!("ended with exit status {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        if self.last.is_empty() {
            how
        } else {
            format!("{how}: {}", self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_bounded_and_the_last_words_are_kept() {
        let mut speech = Speech::new("net0");
        speech.hear(&[b'x'; 3000]);
        for _ in 0..1000 {
            speech.hear(&[b'y'; 1000]);
            speech.hear(b"\n");
        }
        assert!(speech.said <= LIMIT + LINE && speech.line.len() <= LINE);
        speech.hear(b"bind: \x1b[31mAddress in use\r\n");
        assert_eq!(
            speech.epitaph((Some(1), None)),
            "ended with exit status 1: bind: ?[31mAddress in use"
        );
        assert_eq!(Speech::new("a").epitaph((None, Some(9))), "was killed by signal 9");
    }
}
