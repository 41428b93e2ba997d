//! Reads captures: pcap of either byte order and precision, and pcapng; Ethernet only.

use super::Frames;

const ETHERNET: u32 = 1;

/// Numbers of a capture in its byte order.
struct Reader<'a> {
    rest: &'a [u8],
    big: bool,
}

fn short() -> String {
    "it ends in the middle of a packet".to_owned()
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(short)?;
        self.rest = rest;
        Ok(if self.big {
            u32::from_be_bytes(*taken)
        } else {
            u32::from_le_bytes(*taken)
        })
    }

    fn length(&mut self) -> Result<usize, String> {
        self.u32().map(|length| usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// The frames of a capture.
///
/// # Errors
/// Why it is none, in words.
pub(super) fn read(bytes: &[u8]) -> Result<Frames, String> {
    let magic = bytes.first_chunk::<4>().ok_or_else(|| "it is empty".to_owned())?;
    let big = match *magic {
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => true,
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => false,
        [0x0a, 0x0d, 0x0d, 0x0a] => return blocks(bytes),
        _ => return Err("it is neither pcap nor pcapng".to_owned()),
    };
    let mut reader = Reader { rest: bytes, big };
    let _magic_version_zone_accuracy_length = reader.take(20)?;
    // The upper bits tell of frame checksums.
    ethernet(reader.u32()? & 0xffff)?;
    let mut found = Frames::default();
    while !reader.rest.is_empty() {
        let _time = reader.take(8)?;
        let (kept, whole) = (reader.length()?, reader.length()?);
        found.add(reader.take(kept)?, whole)?;
    }
    Ok(found)
}

fn ethernet(link: u32) -> Result<(), String> {
    if link == ETHERNET {
        return Ok(());
    }
    Err(format!("its link type is {link}, not {ETHERNET}"))
}

impl Frames {
    fn add(&mut self, bytes: &[u8], whole: usize) -> Result<(), String> {
        self.frames.extend(super::whole(bytes.to_vec())?.frames);
        self.cut += usize::from(bytes.len() < whole);
        Ok(())
    }
}

/// pcapng: sections of blocks, each with its length at both ends.
fn blocks(bytes: &[u8]) -> Result<Frames, String> {
    const SECTION: u32 = 0x0a0d_0d0a;
    const INTERFACE: u32 = 1;
    const SIMPLE_PACKET: u32 = 3;
    const PACKET: u32 = 6;
    let mut found = Frames::default();
    let mut reader = Reader {
        rest: bytes,
        big: false,
    };
    let mut links = Vec::new();
    while !reader.rest.is_empty() {
        // The section's own kind reads the same in both orders.
        let kind = reader.u32()?;
        if kind == SECTION {
            reader.big = reader.rest.get(4..8) == Some(&[0x1a, 0x2b, 0x3c, 0x4d]);
            links.clear();
        }
        let length = reader.length()?;
        let inner = length
            .checked_sub(12)
            .ok_or_else(|| "a block is shorter than its frame".to_owned())?;
        let mut body = Reader {
            rest: reader.take(inner)?,
            big: reader.big,
        };
        reader.take(4)?;
        match kind {
            INTERFACE => links.push(body.u32()? & if body.big { u32::MAX } else { 0xffff }),
            PACKET => {
                let interface = body.length()?;
                let link = links
                    .get(interface)
                    .ok_or_else(|| "a packet is of no interface".to_owned())?;
                // Two bytes of link type, two reserved: the first two in either order.
                ethernet(if body.big { link >> 16 } else { *link })?;
                let _time = body.take(8)?;
                let (kept, whole) = (body.length()?, body.length()?);
                found.add(body.take(kept)?, whole)?;
            }
            SIMPLE_PACKET => {
                let whole = body.length()?;
                let kept = whole.min(body.rest.len());
                found.add(body.take(kept)?, whole)?;
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: u32, big: bool) -> [u8; 4] {
        if big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn joined(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn pcap(big: bool, link: u32, kept: usize, whole: u32) -> Vec<u8> {
        let kept_word = u32::try_from(kept).unwrap();
        joined(&[
            &number(0xa1b2_c3d4, big),
            &[0; 16],
            &number(link, big),
            &[0; 8],
            &number(kept_word, big),
            &number(whole, big),
            &vec![7; kept],
        ])
    }

    fn block(kind: u32, big: bool, body: &[u8]) -> Vec<u8> {
        let length = number(u32::try_from(body.len() + 12).unwrap(), big);
        joined(&[&number(kind, big), &length, body, &length])
    }

    fn pcapng(big: bool) -> Vec<u8> {
        let link = if big { [0, 1, 0, 0] } else { [1, 0, 0, 0] };
        let packet = joined(&[&[0; 12], &number(16, big), &number(20, big), &[7; 16]]);
        joined(&[
            &block(0x0a0d_0d0a, big, &joined(&[&number(0x1a2b_3c4d, big), &[0; 12]])),
            &block(1, big, &joined(&[&link, &[0; 4]])),
            &block(99, big, &[1, 2, 3, 4]),
            &block(6, big, &packet),
        ])
    }

    #[test]
    fn captures_of_both_orders_and_kinds_are_read() {
        for big in [false, true] {
            let found = read(&pcap(big, 1, 16, 16)).unwrap();
            assert_eq!((found.frames, found.cut), (vec![vec![7; 16]], 0));
            assert_eq!(read(&pcap(big, 1, 16, 20)).unwrap().cut, 1);
            let found = read(&pcapng(big)).unwrap();
            assert_eq!((found.frames, found.cut), (vec![vec![7; 16]], 1));
        }
    }

    #[test]
    fn what_is_no_capture_of_frames_is_refused_and_damage_is_no_panic() {
        assert!(
            read(&pcap(false, 101, 16, 16))
                .unwrap_err()
                .contains("link type is 101")
        );
        assert!(read(b"PK\x03\x04").unwrap_err().contains("neither pcap"));
        for whole in [pcap(true, 1, 16, 16), pcapng(false), pcapng(true)] {
            for end in 0..whole.len() {
                let _ = read(&whole[..end]);
            }
            for place in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[place] = 0xff;
                let _ = read(&damaged);
            }
        }
    }
}
