//! XDR (RFC 4506) as the protocol uses it: the trait, the plain types, and the macro that makes structs of them.

use driver_api::types::uuid::Uuid;
use std::fmt;

/// The longest string on the wire, in bytes.
pub const STRING_MAX: usize = 4_194_304;

/// A value that has a form on the wire.
pub trait Xdr: Sized {
    /// Appends the wire form.
    ///
    /// # Errors
    /// A string, list or buffer is longer than its bound.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError>;

    /// Reads one value. Bounds are checked before anything is allocated.
    ///
    /// # Errors
    /// The bytes end early, a bound is exceeded, a string is not text, or a union has an unknown tag.
    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError>;
}

/// Why a value could not be decoded or encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XdrError {
    /// The bytes end before the value does.
    Short,
    /// A count is above its bound.
    TooLong {
        /// What was counted, or asked for.
        count: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A string is not UTF-8 or contains a NUL.
    NotText,
    /// No such union arm.
    BadTag(i32),
}

impl fmt::Display for XdrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the message ends too early"),
            Self::TooLong { count, limit } => write!(f, "{count} elements where at most {limit} are allowed"),
            Self::NotText => f.write_str("a string is not UTF-8 text"),
            Self::BadTag(tag) => write!(f, "unknown union tag {tag}"),
        }
    }
}

impl std::error::Error for XdrError {}

/// Bytes not yet decoded.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// All of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that were not taken yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], XdrError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(XdrError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], XdrError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(XdrError::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn count(&mut self, limit: usize) -> Result<usize, XdrError> {
        let count = usize::try_from(u32::decode(self)?).unwrap_or(usize::MAX);
        if count > limit {
            return Err(XdrError::TooLong { count, limit });
        }
        Ok(count)
    }

    fn padded(&mut self, limit: usize) -> Result<&'a [u8], XdrError> {
        let count = self.count(limit)?;
        let bytes = self.take(count)?;
        self.take(padding(count))?;
        Ok(bytes)
    }
}

/// Decodes `bytes` from their start; what follows the value is ignored, as the peer's daemon ignores it.
///
/// # Errors
/// As [`Xdr::decode`].
pub fn decode<T: Xdr>(bytes: &[u8]) -> Result<T, XdrError> {
    T::decode(&mut Input::new(bytes))
}

/// The wire form of `value`.
///
/// # Errors
/// As [`Xdr::encode`].
pub fn encode<T: Xdr>(value: &T) -> Result<Vec<u8>, XdrError> {
    let mut out = Vec::new();
    value.encode(&mut out)?;
    Ok(out)
}

const fn padding(count: usize) -> usize {
    count.wrapping_neg() & 3
}

fn encode_count(count: usize, limit: usize, out: &mut Vec<u8>) -> Result<(), XdrError> {
    if count > limit {
        return Err(XdrError::TooLong { count, limit });
    }
    u32::try_from(count)
        .map_err(|_| XdrError::TooLong { count, limit })?
        .encode(out)
}

fn encode_padded(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), XdrError> {
    encode_count(bytes.len(), limit, out)?;
    out.extend_from_slice(bytes);
    out.resize(out.len() + padding(bytes.len()), 0);
    Ok(())
}

macro_rules! xdr_number {
    ($($type:ty)*) => { $(
        impl Xdr for $type {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
                out.extend_from_slice(&self.to_be_bytes());
                Ok(())
            }

            fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
                Ok(Self::from_be_bytes(input.array()?))
            }
        }
    )* };
}

xdr_number!(i32 u32 i64 u64 f64);

/// One byte: four on the wire.
impl Xdr for u8 {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        u32::from(*self).encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(u32::decode(input)?.to_be_bytes()[3])
    }
}

/// Two bytes: four on the wire.
impl Xdr for u16 {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        u32::from(*self).encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        let [_, _, high, low] = u32::decode(input)?.to_be_bytes();
        Ok(Self::from_be_bytes([high, low]))
    }
}

/// Any non-zero number is true.
impl Xdr for bool {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        u32::from(*self).encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(u32::decode(input)? != 0)
    }
}

/// Nothing on the wire.
impl Xdr for () {
    fn encode(&self, _: &mut Vec<u8>) -> Result<(), XdrError> {
        Ok(())
    }

    fn decode(_: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(())
    }
}

/// Sixteen raw bytes.
impl Xdr for Uuid {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(Self::from_bytes(input.array()?))
    }
}

impl Xdr for String {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        encode_padded(self.as_bytes(), STRING_MAX, out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        let text = std::str::from_utf8(input.padded(STRING_MAX)?).map_err(|_| XdrError::NotText)?;
        // A C client ends its strings at the first NUL, so it would see another name than we do.
        if text.contains('\0') {
            return Err(XdrError::NotText);
        }
        Ok(text.to_owned())
    }
}

/// A flag, then the value. Any non-zero flag says that it is there: some clients do not send 1.
impl<T: Xdr> Xdr for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        self.is_some().encode(out)?;
        self.as_ref().map_or(Ok(()), |value| value.encode(out))
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        bool::decode(input)?.then(|| T::decode(input)).transpose()
    }
}

/// A list of at most `MAX` elements.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T, const MAX: usize>(pub Vec<T>);

impl<T: Xdr, const MAX: usize> Xdr for List<T, MAX> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        encode_count(self.0.len(), MAX, out)?;
        self.0.iter().try_for_each(|item| item.encode(out))
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        let count = input.count(MAX)?;
        // No element is shorter than four bytes, so a count that the message can not hold allocates nothing.
        if count > input.rest.len() / 4 {
            return Err(XdrError::Short);
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(T::decode(input)?);
        }
        Ok(Self(items))
    }
}

impl<T, const MAX: usize> From<Vec<T>> for List<T, MAX> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

/// At most `MAX` packed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque<const MAX: usize>(pub Vec<u8>);

impl<const MAX: usize> Xdr for Opaque<MAX> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        encode_padded(&self.0, MAX, out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(Self(input.padded(MAX)?.to_vec()))
    }
}

/// A fixed array of `N` chars, each FOUR bytes on the wire; short texts are filled with NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chars<const N: usize>(String);

impl<const N: usize> Chars<N> {
    /// The text, cut to the `N - 1` bytes that leave room for a C reader's NUL.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text[..text.floor_char_boundary(N.saturating_sub(1))].to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const N: usize> Xdr for Chars<N> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        let bytes = self.0.as_bytes();
        (0..N).try_for_each(|i| bytes.get(i).copied().unwrap_or(0).encode(out))
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        let mut bytes = [0_u8; N];
        for byte in &mut bytes {
            *byte = u8::decode(input)?;
        }
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Self::new(std::str::from_utf8(text).map_err(|_| XdrError::NotText)?))
    }
}

/// Declares structs whose wire form is their fields, one after the other.
macro_rules! xdr_struct {
    ($( $(#[$meta:meta])* $name:ident { $( $field:ident: $type:ty ),* $(,)? } )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs, reason = "the fields have the protocol's own names and meanings")]
        pub struct $name { $( pub $field: $type ),* }

        impl $crate::rpc::xdr::Xdr for $name {
            #[allow(unused_variables, reason = "a struct without fields touches no bytes")]
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), $crate::rpc::xdr::XdrError> {
                $( self.$field.encode(out)?; )*
                Ok(())
            }

            #[allow(unused_variables, reason = "a struct without fields touches no bytes")]
            fn decode(input: &mut $crate::rpc::xdr::Input<'_>) -> Result<Self, $crate::rpc::xdr::XdrError> {
                // Fields are evaluated in the order written, which is the order on the wire.
                Ok(Self { $( $field: $crate::rpc::xdr::Xdr::decode(input)? ),* })
            }
        }
    )* };
}
pub(crate) use xdr_struct;

#[cfg(test)]
mod tests;
