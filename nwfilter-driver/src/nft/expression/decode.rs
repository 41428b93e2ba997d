//! Expressions as the kernel gives them back.

use super::{
    Comparison, DATA_VALUE, DYNSET_EXPRESSION, EXPRESSION_DATA, EXPRESSION_NAME, EXTHDR_PRESENT, Expression,
    LOOKUP_INVERTED, Register, VERDICT_REGISTER, Verdict, equality,
};
use crate::nft::wire::Attributes;

impl Expression {
    /// Reads one element of a list of expressions. What this code does not write becomes [`Expression::Unknown`].
    #[must_use]
    pub fn decode(item: Attributes<'_>) -> Self {
        let name = item.text(EXPRESSION_NAME).unwrap_or_default();
        let data = item.inside(EXPRESSION_DATA).unwrap_or(Attributes(&[]));
        Self::decode_body(&name, data).unwrap_or(Self::Unknown(name))
    }

    fn decode_body(name: &str, data: Attributes<'_>) -> Option<Self> {
        let register = |kind| Register::from_number(data.number(kind)?);
        let value = |kind| Some(data.inside(kind)?.get(DATA_VALUE)?.to_vec());
        Some(match name {
            "meta" if data.get(3).is_some() => Self::MetaSet {
                key: data.number(2)?,
                from: register(3)?,
            },
            "meta" => Self::Meta {
                key: data.number(2)?,
                into: register(1)?,
            },
            "payload" => Self::Payload {
                base: data.number(2)?,
                offset: data.number(3)?,
                len: data.number(4)?,
                into: register(1)?,
            },
            "bitwise" if data.number(6).unwrap_or(0) == 0 => Self::Mask {
                from: register(1)?,
                into: register(2)?,
                mask: value(4)?,
                xor: value(5)?,
            },
            "cmp" => Self::Compare {
                from: register(1)?,
                how: Comparison::from_number(data.number(2)?)?,
                with: value(3)?,
            },
            "range" => Self::Range {
                from: register(1)?,
                negated: data.number(2)? == equality(true),
                low: value(3)?,
                high: value(4)?,
            },
            "lookup" => match data.number(3) {
                None => Self::Lookup {
                    set: data.text(1)?,
                    key: register(2)?,
                    negated: data.number(5).unwrap_or(0) & LOOKUP_INVERTED != 0,
                },
                Some(VERDICT_REGISTER) => Self::Dispatch {
                    map: data.text(1)?,
                    key: register(2)?,
                },
                Some(_) => return None,
            },
            "immediate" if data.number(1)? == VERDICT_REGISTER => Self::Verdict(Verdict::decode(data.inside(2)?)?),
            "immediate" => Self::Immediate {
                into: register(1)?,
                value: value(2)?,
            },
            "counter" => Self::Counter,
            "limit" if data.long(2)? == 1 => Self::Limit {
                per_second: data.long(1)?,
                burst: data.number(3)?,
            },
            "exthdr" if data.number(5) == Some(EXTHDR_PRESENT) => Self::Present {
                header: data.number(6)?,
                kind: *data.get(2)?.first()?,
                into: register(1)?,
            },
            "ct" if data.get(4).is_none() => Self::Connection {
                key: data.number(2)?,
                into: register(1)?,
            },
            "reject" if data.number(1)? == 0 => Self::Reject {
                code: *data.get(2)?.first()?,
            },
            "dynset" => {
                let counted = data.inside(DYNSET_EXPRESSION)?;
                let counted =
                    (counted.text(EXPRESSION_NAME)? == "connlimit").then(|| counted.inside(EXPRESSION_DATA))??;
                Self::CountConnections {
                    set: data.text(1)?,
                    key: register(4)?,
                    above: (counted.number(2)? == 1).then(|| counted.number(1))??,
                }
            }
            "match" => Self::Match {
                name: data.text(1)?,
                revision: data.number(2)?,
                info: data.get(3)?.to_vec(),
            },
            _ => return None,
        })
    }
}

/// What a counter expression says, if the expression is one: packets and bytes.
pub(in crate::nft) fn count(item: Attributes<'_>) -> Option<(u64, u64)> {
    if item.text(EXPRESSION_NAME)? != "counter" {
        return None;
    }
    let data = item.inside(EXPRESSION_DATA)?;
    Some((data.long(2)?, data.long(1)?))
}
