//! mconsole datagrams: encoding and decoding, without any I/O.

use std::fmt;

/// The first word of requests and notifications.
pub const MAGIC: u32 = 0xcafe_babe;
/// The protocol version that requests carry.
pub const VERSION: u32 = 2;
/// The most data that one datagram carries, in bytes.
pub const MAX_DATA: usize = 512;
// An order is planned without knowing of packets, yet has to fit into one with its final zero.
const _: () = assert!(crate::plan::order::MAX_ORDER == MAX_DATA - 1);
/// The largest datagram that is looked at, in bytes: a header of four words and the data.
pub const MAX_DATAGRAM: usize = 16 + MAX_DATA;
/// The most text that one answer may have, in bytes; real ones stay under 16 KiB.
pub const MAX_ANSWER: usize = 64 * 1024;

/// A datagram that does not follow the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadPacket {
    /// Shorter than its header.
    Short,
    /// A notification that begins with another word than [`MAGIC`].
    Magic,
    /// The length field promises more than came, or more than the protocol allows.
    Length,
    /// The parts of one answer add up to more than [`MAX_ANSWER`], or never end.
    Endless,
}

impl fmt::Display for BadPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the datagram is shorter than its header",
            Self::Magic => "the datagram does not begin with the mconsole magic number",
            Self::Length => "the datagram's length field does not fit its size",
            Self::Endless => "the answer does not end",
        })
    }
}

impl std::error::Error for BadPacket {}

/// Encodes a command; commands are the driver's own fixed strings, so anything longer than [`MAX_DATA`] is cut.
#[must_use]
pub fn request(command: &str) -> Vec<u8> {
    let text = &command.as_bytes()[..command.len().min(MAX_DATA - 1)];
    let mut packet = Vec::with_capacity(12 + MAX_DATA);
    for word in [MAGIC, VERSION, u32::try_from(text.len()).unwrap_or(0)] {
        packet.extend_from_slice(&word.to_ne_bytes());
    }
    packet.extend_from_slice(text);
    // The kernel reads a fixed-size record; a short one would be completed by what its buffer held before.
    packet.resize(12 + MAX_DATA, 0);
    packet
}

/// One datagram of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// 0, 1 for a general failure, or a negative errno.
    pub error: i32,
    /// More datagrams follow.
    pub more: bool,
    /// The text without its closing NUL.
    pub data: Vec<u8>,
}

fn word(datagram: &[u8], index: usize) -> Result<u32, BadPacket> {
    let bytes = datagram.get(index * 4..index * 4 + 4).ok_or(BadPacket::Short)?;
    bytes.try_into().map(u32::from_ne_bytes).map_err(|_| BadPacket::Short)
}

fn payload(datagram: &[u8], header: usize, length: u32) -> Result<Vec<u8>, BadPacket> {
    let length = usize::try_from(length).map_err(|_| BadPacket::Length)?;
    if length > MAX_DATA {
        return Err(BadPacket::Length);
    }
    let data = datagram.get(header..header + length).ok_or(BadPacket::Length)?;
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    Ok(data[..end].to_vec())
}

/// Decodes one datagram of an answer.
///
/// # Errors
/// When it does not follow the protocol; a request with a wrong magic number, for one, is answered by bare text.
pub fn reply(datagram: &[u8]) -> Result<Part, BadPacket> {
    Ok(Part {
        error: word(datagram, 0)?.cast_signed(),
        more: word(datagram, 1)? != 0,
        data: payload(datagram, 12, word(datagram, 2)?)?,
    })
}

/// A whole answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// 0, 1 for a general failure, or a negative errno.
    pub error: i32,
    /// The text; what is not UTF-8 in it is replaced.
    pub text: String,
}

/// Joins the datagrams of one answer.
#[derive(Clone, Default, Debug)]
pub struct Assembly {
    text: Vec<u8>,
    parts: usize,
}

impl Assembly {
    /// Takes the next datagram; answers the whole when it was the last one.
    ///
    /// # Errors
    /// When the datagram is malformed or the answer grows beyond [`MAX_ANSWER`].
    pub fn push(&mut self, datagram: &[u8]) -> Result<Option<Answer>, BadPacket> {
        let part = reply(datagram)?;
        self.parts += 1;
        // A part may be empty, so bytes alone do not bound the number of parts.
        if self.text.len() + part.data.len() > MAX_ANSWER || self.parts > MAX_ANSWER / 64 {
            return Err(BadPacket::Endless);
        }
        self.text.extend_from_slice(&part.data);
        Ok((!part.more).then(|| Answer {
            error: part.error,
            text: String::from_utf8_lossy(&self.text).trim().to_owned(),
        }))
    }
}

/// What a guest kernel tells unasked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notification {
    /// It answers commands now; the path of its socket as it sees it.
    Socket(String),
    /// It panicked, with its reason.
    Panic(String),
    /// Its watchdog barked.
    Hang(String),
    /// Guest root wrote to `/proc/mconsole`.
    User(String),
    /// A kind that this driver does not know.
    Other(u32),
}

/// Decodes a notification.
///
/// # Errors
/// When it does not follow the protocol.
pub fn notification(datagram: &[u8]) -> Result<Notification, BadPacket> {
    if word(datagram, 0)? != MAGIC {
        return Err(BadPacket::Magic);
    }
    let kind = word(datagram, 2)?;
    let text = String::from_utf8_lossy(&payload(datagram, 16, word(datagram, 3)?)?).into_owned();
    Ok(match kind {
        0 => Notification::Socket(text),
        1 => Notification::Panic(text),
        2 => Notification::Hang(text),
        3 => Notification::User(text),
        other => Notification::Other(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(words: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn request_is_a_full_record_with_the_commands_length() {
        let packet = request("version");
        assert_eq!(packet.len(), 524);
        assert_eq!(packet[..12], datagram(&[MAGIC, 2, 7], b""));
        assert_eq!(&packet[12..20], b"version\0");
        assert!(packet[20..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn reply_of_one_datagram_loses_its_nul_and_keeps_a_signed_error() {
        let mut assembly = Assembly::default();
        let answer = assembly.push(&datagram(&[0, 0, 5], b"null\0")).unwrap().unwrap();
        assert_eq!((answer.error, answer.text.as_str()), (0, "null"));
        let part = reply(&datagram(&[4_294_967_277, 0, 21], b"Device doesn't exist\0")).unwrap();
        assert_eq!(part.error, -19);
    }

    #[test]
    fn reply_in_parts_is_joined_until_the_last_even_when_that_is_empty() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.push(&datagram(&[0, 1, 2], b"\n\0")), Ok(None));
        assert_eq!(assembly.push(&datagram(&[0, 1, 3], b"ab\0")), Ok(None));
        let answer = assembly.push(&datagram(&[0, 0, 0], b"")).unwrap().unwrap();
        assert_eq!(answer.text, "ab");
    }

    #[test]
    fn reply_with_a_false_length_is_refused() {
        assert_eq!(reply(b"bare text"), Err(BadPacket::Short));
        assert_eq!(reply(&datagram(&[0, 0, 6], b"null\0")), Err(BadPacket::Length));
        assert_eq!(reply(&datagram(&[0, 0, 513], &[b'x'; 600])), Err(BadPacket::Length));
        assert_eq!(reply(&datagram(&[0, 0, u32::MAX], b"x")), Err(BadPacket::Length));
    }

    #[test]
    fn reply_that_never_ends_is_cut_off() {
        let mut assembly = Assembly::default();
        let full = datagram(&[0, 1, 512], &[b'x'; 512]);
        let end = (0..1000).find_map(|_| assembly.push(&full).err());
        assert_eq!(end, Some(BadPacket::Endless));
        let mut assembly = Assembly::default();
        let empty = datagram(&[0, 1, 0], b"");
        let end = (0..10_000).find_map(|_| assembly.push(&empty).err());
        assert_eq!(end, Some(BadPacket::Endless));
    }

    #[test]
    fn notifications_are_told_apart_by_kind() {
        let ready = datagram(&[MAGIC, 2, 0, 9], b"/a/b/mco\0");
        assert_eq!(notification(&ready), Ok(Notification::Socket("/a/b/mco".to_owned())));
        let panic = datagram(&[MAGIC, 2, 1, 4], b"boom");
        assert_eq!(notification(&panic), Ok(Notification::Panic("boom".to_owned())));
        assert_eq!(
            notification(&datagram(&[MAGIC, 2, 9, 0], b"")),
            Ok(Notification::Other(9))
        );
        assert_eq!(notification(&datagram(&[1, 2, 0, 0], b"")), Err(BadPacket::Magic));
    }

    proptest! {
        #[test]
        fn decoding_any_bytes_never_panics_and_never_yields_more_than_came(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
            if let Ok(part) = reply(&bytes) {
                prop_assert!(part.data.len() + 12 <= bytes.len());
            }
            if let Ok(Notification::Panic(text) | Notification::User(text)) = notification(&bytes) {
                // A replaced byte takes three.
                prop_assert!(text.len() <= bytes.len() * 3);
            }
        }

        #[test]
        fn reply_reads_back_what_was_sent(error in any::<i32>(), more: bool, text in "[ -~]{0,500}") {
            let length = u32::try_from(text.len()).unwrap();
            let part = reply(&datagram(&[error.cast_unsigned(), u32::from(more), length], text.as_bytes())).unwrap();
            prop_assert_eq!(part, Part { error, more, data: text.into_bytes() });
        }
    }
}
