//! The frozen record of a named value.

use super::value::{text, unsound};
use crate::error::{Error, Result};
use crate::types::param::{Param, Value};
use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// `Param` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct ParamRecord {
    /// The name.
    pub name: RString,
    /// libvirt's number of the type: 1 int, 2 unsigned, 3 long, 4 unsigned long, 5 double, 6 boolean, 7 text.
    pub kind: u32,
    /// The value of types 1 to 6: a number in two's complement, the bits of a double, 0 or 1.
    pub bits: u64,
    /// The value of type 7.
    pub text: RString,
}

impl From<Param> for ParamRecord {
    fn from(param: Param) -> Self {
        let (kind, bits, text) = match param.value {
            Value::Int(value) => (1, i64::from(value).cast_unsigned(), String::new()),
            Value::Uint(value) => (2, value.into(), String::new()),
            Value::Long(value) => (3, value.cast_unsigned(), String::new()),
            Value::Ulong(value) => (4, value, String::new()),
            Value::Double(value) => (5, value.to_bits(), String::new()),
            Value::Bool(value) => (6, value.into(), String::new()),
            Value::Text(text) => (7, 0, text),
        };
        Self {
            name: param.name.into(),
            kind,
            bits,
            text: text.into(),
        }
    }
}

impl TryFrom<ParamRecord> for Param {
    type Error = Error;

    fn try_from(record: ParamRecord) -> Result<Self> {
        let signed = record.bits.cast_signed();
        let narrow = |_| unsound("a number that does not fit its type");
        Ok(Self {
            name: text(record.name)?,
            value: match record.kind {
                1 => Value::Int(i32::try_from(signed).map_err(narrow)?),
                2 => Value::Uint(u32::try_from(record.bits).map_err(narrow)?),
                3 => Value::Long(signed),
                4 => Value::Ulong(record.bits),
                5 => Value::Double(f64::from_bits(record.bits)),
                6 => Value::Bool(record.bits != 0),
                7 => Value::Text(text(record.text)?),
                other => return Err(unsound(&format!("a value of type {other}, which does not exist"))),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_crosses_whole() {
        let values = [
            Value::Int(i32::MIN),
            Value::Uint(u32::MAX),
            Value::Long(i64::MIN),
            Value::Ulong(u64::MAX),
            Value::Double(-0.5),
            Value::Bool(true),
            Value::Text("ä".to_owned()),
        ];
        for value in values {
            let param = Param::new("n", value);
            assert_eq!(Param::try_from(ParamRecord::from(param.clone())).unwrap(), param);
        }
        let mut strange = ParamRecord::from(Param::new("n", 1_u64));
        strange.kind = 8;
        assert!(Param::try_from(strange).is_err());
    }
}
