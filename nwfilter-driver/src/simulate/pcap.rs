//! Captures: the Ethernet frames of a classic pcap or a pcapng file.

use driver_api::error::{Code, Error, Origin, Result};

const ETHERNET: u32 = 1;

/// All frames of a capture, in their order.
///
/// # Errors
/// 8 when the bytes are no capture, are cut, or hold something else than Ethernet frames.
pub fn frames(capture: &[u8]) -> Result<Vec<Vec<u8>>> {
    let magic = capture.first_chunk::<4>().copied().unwrap_or_default();
    match magic {
        // Microseconds or nanoseconds, in either order of bytes.
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => classic(Reader::new(capture, true)),
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => classic(Reader::new(capture, false)),
        [0x0a, 0x0d, 0x0d, 0x0a] => blocks(capture),
        _ => refuse("the file is neither a pcap nor a pcapng capture"),
    }
}

/// Whether the bytes begin as a capture does.
#[must_use]
pub fn is_capture(bytes: &[u8]) -> bool {
    matches!(
        bytes.first_chunk::<4>(),
        Some(
            [0xd4, 0xc3, 0xb2, 0xa1]
                | [0x4d, 0x3c, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0xc3, 0xd4]
                | [0xa1, 0xb2, 0x3c, 0x4d]
                | [0x0a, 0x0d, 0x0d, 0x0a]
        )
    )
}

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::new(Code::INVALID_ARG, Origin::NWFILTER, message))
}

fn link_type(kind: u32) -> Result<()> {
    // The upper bits of a classic file's field say how frames' checksums were kept.
    match kind & 0xffff {
        ETHERNET => Ok(()),
        other => refuse(format!(
            "the capture has frames of link type {other}, only Ethernet (1) can be tested"
        )),
    }
}

struct Reader<'a> {
    left: &'a [u8],
    little: bool,
}

impl<'a> Reader<'a> {
    const fn new(left: &'a [u8], little: bool) -> Self {
        Self { left, little }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        match self.left.split_at_checked(len) {
            Some((taken, left)) => {
                self.left = left;
                Ok(taken)
            }
            None => refuse(format!(
                "the capture is cut: {len} bytes are wanted, {} are left",
                self.left.len()
            )),
        }
    }

    fn number(&mut self) -> Result<u32> {
        let bytes = self.take(4)?.first_chunk().copied().unwrap_or_default();
        Ok(if self.little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    fn len(&mut self) -> Result<usize> {
        let number = self.number()?;
        usize::try_from(number).or_else(|_| refuse(format!("the capture has a length of {number} bytes")))
    }
}

fn classic(mut reader: Reader<'_>) -> Result<Vec<Vec<u8>>> {
    reader.take(20)?;
    link_type(reader.number()?)?;
    let mut frames = Vec::new();
    while !reader.left.is_empty() {
        reader.take(8)?;
        let len = reader.len()?;
        reader.number()?;
        frames.push(reader.take(len)?.to_vec());
    }
    Ok(frames)
}

fn blocks(capture: &[u8]) -> Result<Vec<Vec<u8>>> {
    const SECTION: u32 = 0x0a0d_0d0a;
    const INTERFACE: u32 = 1;
    const SIMPLE: u32 = 3;
    const ENHANCED: u32 = 6;
    let mut frames = Vec::new();
    let mut reader = Reader::new(capture, true);
    while !reader.left.is_empty() {
        // Each section says in its first block in which order its bytes are.
        if reader.number()? == SECTION {
            reader.little = reader.left.get(4..8) == Some(&[0x4d, 0x3c, 0x2b, 0x1a]);
            skip_block(&mut reader)?;
            continue;
        }
        reader.left = &capture[capture.len() - reader.left.len() - 4..];
        let kind = reader.number()?;
        let mut body = Reader::new(skip_block(&mut reader)?, reader.little);
        match kind {
            INTERFACE => {
                let kind = body.take(2)?;
                let kind = [kind[0], kind[1]];
                link_type(u32::from(if body.little {
                    u16::from_le_bytes(kind)
                } else {
                    u16::from_be_bytes(kind)
                }))?;
            }
            ENHANCED => {
                body.take(12)?;
                let len = body.len()?;
                body.number()?;
                frames.push(body.take(len)?.to_vec());
            }
            SIMPLE => {
                let len = body.len()?;
                frames.push(body.take(len.min(body.left.len()))?.to_vec());
            }
            // Names, statistics and whatever else is no frame.
            _ => {}
        }
    }
    Ok(frames)
}

/// The body of a block whose type was read.
fn skip_block<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let len = reader.len()?;
    let Some(body) = len.checked_sub(12) else {
        return refuse(format!("the capture has a block of {len} bytes, the shortest has 12"));
    };
    let body = reader.take(body)?;
    // The length stands there once more, and blocks fill whole words.
    reader.number()?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(little: bool, number: u32) -> [u8; 4] {
        if little {
            number.to_le_bytes()
        } else {
            number.to_be_bytes()
        }
    }

    fn pcap(little: bool, kind: u32, frames: &[&[u8]]) -> Vec<u8> {
        let n = |value| number(little, value);
        let mut file = [n(0xa1b2_c3d4), n(0x0002_0004), n(0), n(0), n(65535), n(kind)].concat();
        for frame in frames {
            let len = n(u32::try_from(frame.len()).unwrap());
            file.extend([n(1), n(2), len, len].concat());
            file.extend_from_slice(frame);
        }
        file
    }

    fn block(little: bool, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let len = number(little, u32::try_from(body.len() + 12).unwrap());
        [&number(little, kind)[..], &len, &body, &len].concat()
    }

    fn pcapng(little: bool, kind: u32, frames: &[&[u8]]) -> Vec<u8> {
        let n = |value| number(little, value);
        let mut file = block(little, 0x0a0d_0d0a, &[n(0x1a2b_3c4d), n(1), n(0), n(0)].concat());
        let kind = if little { kind } else { kind << 16 };
        file.extend(block(little, 1, &[n(kind), n(0)].concat()));
        file.extend(block(little, 5, b"what is no frame"));
        for frame in frames {
            let len = n(u32::try_from(frame.len()).unwrap());
            file.extend(block(
                little,
                6,
                &[&[n(0), n(1), n(2), len, len].concat(), *frame].concat(),
            ));
        }
        file
    }

    #[test]
    fn frames_come_out_of_captures_of_both_kinds_and_orders() {
        let frames_in: [&[u8]; 3] = [b"first frame....", b"2nd", b""];
        for little in [true, false] {
            for file in [pcap(little, 1, &frames_in), pcapng(little, 1, &frames_in)] {
                assert!(is_capture(&file));
                assert_eq!(frames(&file).unwrap(), frames_in, "{little}");
            }
        }
        let two_sections = [pcapng(true, 1, &frames_in[..1]), pcapng(false, 1, &frames_in[1..2])].concat();
        assert_eq!(frames(&two_sections).unwrap(), frames_in[..2]);
    }

    #[test]
    fn other_files_and_cut_ones_are_refused() {
        let whole = pcap(true, 1, &[b"frame"]);
        let next = pcapng(false, 1, &[b"frame"]);
        for file in [
            &whole[..whole.len() - 1],
            &whole[..30],
            &next[..next.len() - 1],
            &next[..next.len() - 5],
            &next[..6],
        ] {
            let error = frames(file).unwrap_err().to_string();
            assert!(error.contains("cut"), "{error}");
        }
        for file in [pcap(false, 113, &[]), pcapng(true, 113, &[])] {
            let error = frames(&file).unwrap_err().to_string();
            assert!(error.contains("link type 113"), "{error}");
        }
        assert!(frames(b"").unwrap_err().to_string().contains("neither"));
        let small = [
            &number(true, 0x0a0d_0d0a)[..],
            &number(true, 11),
            &number(true, 0x1a2b_3c4d),
        ]
        .concat();
        assert!(frames(&small).unwrap_err().to_string().contains("11 bytes"));
    }
}
