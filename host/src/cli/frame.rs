//! Ethernet frames on the command line: out of captures, hexadecimal digits or words, and in words again.

mod capture;
mod compose;
pub mod summary;

use super::exit::{Context, Failure};
use std::path::Path;

/// A MAC address.
type Mac = [u8; 6];

/// The frames that an argument means.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// Each from its Ethernet header on.
    pub frames: Vec<Vec<u8>>,
    /// How many of them a capture holds only the beginning of.
    pub cut: usize,
}

impl Frames {
    /// The frames of a capture file, of hexadecimal digits, or of words; the guest's MAC and the direction fill in what
    /// words leave out.
    ///
    /// # Errors
    /// None of these, or a file that is no capture of Ethernet frames.
    pub fn read(argument: &str, guest: Option<Mac>, to_guest: bool) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Usage(format!("'{argument}' is no packet: {why}"));
        if let Some(bytes) = hexadecimal(argument) {
            return whole(bytes).map_err(wrong);
        }
        let path = Path::new(argument);
        if path.is_file() {
            let bytes = std::fs::read(path).context(|| format!("cannot read '{argument}'"))?;
            return capture::read(&bytes)
                .map_err(|why| Failure::Usage(format!("'{argument}' is no capture of Ethernet frames: {why}")));
        }
        compose::compose(argument, guest, to_guest)
            .and_then(whole)
            .map_err(wrong)
    }
}

fn whole(bytes: Vec<u8>) -> Result<Frames, String> {
    const LEAST: usize = 14;
    const MOST: usize = crate::rpc::codec::inspect::FRAME_MAX;
    if !(LEAST..=MOST).contains(&bytes.len()) {
        return Err(format!("it has {} bytes, not {LEAST} to {MOST}", bytes.len()));
    }
    Ok(Frames {
        frames: vec![bytes],
        cut: 0,
    })
}

/// Digits in pairs, with blanks and colons wherever one likes; `None` for anything else.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|c| !c.is_ascii_whitespace() && *c != b':')
        .collect();
    let value = |c: &u8| char::from(*c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(value(high)? << 4 | value(low)?),
        _ => None,
    };
    (!digits.is_empty()).then(|| digits.chunks(2).map(pair).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_packet_however_they_are_grouped() {
        let bytes: Vec<u8> = (0..14).collect();
        for text in [
            "000102030405060708090a0b0c0d",
            "00:01:02:03:04:05 06:07:08:09:0A:0B 0c0d",
        ] {
            assert_eq!(
                Frames::read(text, None, false).unwrap().frames,
                std::slice::from_ref(&bytes)
            );
        }
        for text in ["00", "000", "nonsense", ""] {
            let error = Frames::read(text, None, false).unwrap_err().to_string();
            assert!(error.contains("is no packet"), "{error}");
        }
    }
}
