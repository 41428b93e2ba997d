//! `Frame`: one message as it crosses a socket: a length word that counts itself, a header, a payload.

use super::header::{HEADER_LEN, Header};
use super::xdr::{Input, Xdr, XdrError};
use std::fmt;
use std::io::{self, Read};

/// Bytes of the length word.
pub const LENGTH_LEN: usize = 4;
/// The most bytes that may follow a length word: header and payload.
pub const BODY_MAX: usize = 33_554_432;
/// The largest payload.
pub const PAYLOAD_MAX: usize = BODY_MAX - HEADER_LEN;
/// The largest payload of a stream packet that we send; older clients accept no more.
pub const STREAM_CHUNK_MAX: usize = 262_120;
/// The most file descriptors that may follow one frame.
pub const FDS_MAX: u32 = 32;

/// A header with its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub header: Header,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// Why bytes are not a frame. After any of these nothing on the connection can be trusted, so it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// The length word is too small for a header or above the limit.
    Length(u32),
    /// The header holds an unknown kind or status.
    Header(XdrError),
    /// The payload to be sent does not fit into a frame.
    Payload(usize),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(word) => write!(
                f,
                "frame length {word} is not between {} and {}",
                LENGTH_LEN + HEADER_LEN,
                LENGTH_LEN + BODY_MAX
            ),
            Self::Header(error) => write!(f, "bad frame header: {error}"),
            Self::Payload(size) => write!(f, "a payload of {size} bytes is above the limit of {PAYLOAD_MAX}"),
        }
    }
}

impl std::error::Error for FrameError {}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// How many bytes follow this length word.
///
/// # Errors
/// The word is out of bounds; nothing may be allocated for it.
pub fn body_len(word: [u8; LENGTH_LEN]) -> Result<usize, FrameError> {
    let word = u32::from_be_bytes(word);
    match usize::try_from(word).unwrap_or(usize::MAX).checked_sub(LENGTH_LEN) {
        Some(len) if (HEADER_LEN..=BODY_MAX).contains(&len) => Ok(len),
        _ => Err(FrameError::Length(word)),
    }
}

impl Frame {
    /// Takes apart what follows a length word.
    ///
    /// # Errors
    /// The header is short or holds unknown numbers.
    pub fn from_body(mut body: Vec<u8>) -> Result<Self, FrameError> {
        let mut input = Input::new(&body);
        let header = Header::decode(&mut input).map_err(FrameError::Header)?;
        body.drain(..HEADER_LEN);
        Ok(Self { header, payload: body })
    }

    /// Reads one frame; `None` when the stream ends before its first byte.
    ///
    /// # Errors
    /// `InvalidData` for a [`FrameError`], `UnexpectedEof` within a frame, or the reader's own.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut word = [0; LENGTH_LEN];
        if from.read(&mut word[..1])? == 0 {
            return Ok(None);
        }
        from.read_exact(&mut word[1..])?;
        let len = body_len(word)?;
        let mut body = Vec::new();
        // Memory grows with the bytes that came, not with what the length word promised.
        from.take(u64::try_from(len).unwrap_or(u64::MAX))
            .read_to_end(&mut body)?;
        if body.len() < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(Self::from_body(body)?))
    }
}

/// The bytes of a frame, length word first.
///
/// # Errors
/// The payload is too large.
pub fn encode(header: &Header, payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    let too_large = |_| FrameError::Payload(payload.len());
    if payload.len() > PAYLOAD_MAX {
        return Err(FrameError::Payload(payload.len()));
    }
    let len = LENGTH_LEN + HEADER_LEN + payload.len();
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(&u32::try_from(len).map_err(too_large)?.to_be_bytes());
    header.encode(&mut bytes).map_err(FrameError::Header)?;
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(payload: &[u8]) -> Vec<u8> {
        encode(&Header::call(23, 7), payload).unwrap()
    }

    #[test]
    fn a_call_has_the_protocols_form() {
        let expected = [
            0, 0, 0, 32, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 1, 2, 3, 4,
        ];
        assert_eq!(wire(&[1, 2, 3, 4]), expected);
    }

    #[test]
    fn reading_gives_back_what_was_encoded_then_the_end() {
        let two = [wire(&[1; 4]), wire(&[])].concat();
        let mut from = two.as_slice();
        for payload in [vec![1; 4], vec![]] {
            let frame = Frame::read(&mut from).unwrap().unwrap();
            assert_eq!((frame.header, frame.payload), (Header::call(23, 7), payload));
        }
        assert_eq!(Frame::read(&mut from).unwrap(), None);
    }

    #[test]
    fn every_truncation_is_an_unexpected_end() {
        let whole = wire(&[5; 8]);
        for len in 1..whole.len() {
            let error = Frame::read(&mut &whole[..len]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{len}");
        }
    }

    #[test]
    fn lengths_out_of_bounds_are_refused_before_anything_is_read() {
        let max = u32::try_from(LENGTH_LEN + BODY_MAX).unwrap();
        for word in [0, 3, 4, 27, max + 1, u32::MAX] {
            assert_eq!(body_len(word.to_be_bytes()), Err(FrameError::Length(word)));
        }
        assert_eq!(body_len(28_u32.to_be_bytes()), Ok(HEADER_LEN));
        assert_eq!(body_len(max.to_be_bytes()), Ok(BODY_MAX));
        assert_eq!(
            encode(&Header::call(1, 0), &vec![0; PAYLOAD_MAX + 1]),
            Err(FrameError::Payload(PAYLOAD_MAX + 1))
        );
    }

    #[test]
    fn unknown_kinds_and_states_are_refused() {
        for place in [19, 27] {
            let mut bytes = wire(&[]);
            bytes[place] = 9;
            let error = Frame::read(&mut bytes.as_slice()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
