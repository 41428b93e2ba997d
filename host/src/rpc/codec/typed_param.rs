//! Named values of one of seven types, the protocol's way to carry figures and limits: the drivers' values as they are.

use crate::rpc::xdr::{Input, List, Xdr, XdrError};
pub use driver_api::types::param::{Param as TypedParam, Value};

/// Flag of whoever gets named values: it can take texts among them (`VIR_TYPED_PARAM_STRING_OKAY`).
pub const TEXTS: u32 = 4;

impl Xdr for Value {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        match self {
            Self::Int(value) => (1, *value).encode(out),
            Self::Uint(value) => (2, *value).encode(out),
            Self::Long(value) => (3, *value).encode(out),
            Self::Ulong(value) => (4, *value).encode(out),
            Self::Double(value) => (5, *value).encode(out),
            Self::Bool(value) => (6, *value).encode(out),
            Self::Text(value) => {
                7_i32.encode(out)?;
                value.encode(out)
            }
        }
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(match i32::decode(input)? {
            1 => Self::Int(Xdr::decode(input)?),
            2 => Self::Uint(Xdr::decode(input)?),
            3 => Self::Long(Xdr::decode(input)?),
            4 => Self::Ulong(Xdr::decode(input)?),
            5 => Self::Double(Xdr::decode(input)?),
            6 => Self::Bool(Xdr::decode(input)?),
            7 => Self::Text(Xdr::decode(input)?),
            other => return Err(XdrError::BadTag(other)),
        })
    }
}

impl Xdr for TypedParam {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        self.name.encode(out)?;
        self.value.encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(Self {
            name: Xdr::decode(input)?,
            value: Xdr::decode(input)?,
        })
    }
}

/// What getters of named values answer: the values, if there was room for any, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted<const MAX: usize> {
    /// Empty when only the count was wanted.
    pub params: List<TypedParam, MAX>,
    /// The number of values, also when they are not sent.
    pub count: i32,
}

impl<const MAX: usize> Xdr for Counted<MAX> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        self.params.encode(out)?;
        self.count.encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(Self {
            params: Xdr::decode(input)?,
            count: Xdr::decode(input)?,
        })
    }
}

/// A tag followed by a value.
impl<T: Xdr> Xdr for (i32, T) {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        self.0.encode(out)?;
        self.1.encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok((Xdr::decode(input)?, Xdr::decode(input)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::xdr::{decode, encode};

    #[test]
    fn each_type_has_its_tag() {
        let values = [
            Value::Int(-1),
            Value::Uint(1),
            Value::Long(-1),
            Value::Ulong(1),
            Value::Double(0.5),
            Value::Bool(true),
            Value::Text("x".to_owned()),
        ];
        for (tag, value) in (1..).zip(values) {
            let wire = encode(&value).unwrap();
            assert_eq!(decode::<i32>(&wire), Ok(tag));
            assert_eq!(decode::<Value>(&wire), Ok(value));
        }
        assert_eq!(decode::<Value>(&[0, 0, 0, 8]), Err(XdrError::BadTag(8)));
    }
}
