//! The entry points of the fuzz targets and of the tests that replay their corpus.

use super::codec;
use super::frame::Frame;

/// Reads frames from `bytes` until they end or are refused, and decodes what each carries as what it claims to be.
pub fn frames(bytes: &[u8]) {
    let mut from = bytes;
    while let Ok(Some(frame)) = Frame::read(&mut from) {
        codec::decode_any(frame.header.procedure.cast_unsigned(), &frame.payload);
    }
}

/// Decodes `bytes` as arguments and results of every procedure that has a codec, and as an error.
pub fn payload(bytes: &[u8]) {
    for number in codec::numbers() {
        codec::decode_any(number, bytes);
    }
    codec::decode_others(bytes);
}
