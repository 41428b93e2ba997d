//! Expressions as the kernel takes them.

use super::{
    DATA_VALUE, DYNSET_EXPRESSION, EXPRESSION_DATA, EXPRESSION_NAME, EXTHDR_PRESENT, Expression, LOOKUP_INVERTED,
    VERDICT_REGISTER, equality,
};
use crate::nft::wire::Writer;

impl Expression {
    /// Writes it as one element of a list of expressions.
    pub fn encode(&self, list_item: u16, writer: &mut Writer) {
        writer.nest(list_item, |w| {
            w.text(EXPRESSION_NAME, self.kind());
            w.nest(EXPRESSION_DATA, |w| self.encode_body(w));
        });
    }

    fn encode_body(&self, w: &mut Writer) {
        match self {
            Self::Meta { key, into } => {
                w.number(1, into.number());
                w.number(2, *key);
            }
            Self::MetaSet { key, from } => {
                w.number(2, *key);
                w.number(3, from.number());
            }
            Self::Payload {
                base,
                offset,
                len,
                into,
            } => {
                w.number(1, into.number());
                w.number(2, *base);
                w.number(3, *offset);
                w.number(4, *len);
            }
            Self::Mask { from, into, mask, xor } => {
                w.number(1, from.number());
                w.number(2, into.number());
                w.number(3, u32::try_from(mask.len()).unwrap_or(u32::MAX));
                w.nest(4, |w| w.bytes_of(DATA_VALUE, mask));
                w.nest(5, |w| w.bytes_of(DATA_VALUE, xor));
            }
            Self::Compare { from, how, with } => {
                w.number(1, from.number());
                w.number(2, *how as u32);
                w.nest(3, |w| w.bytes_of(DATA_VALUE, with));
            }
            Self::Range {
                from,
                negated,
                low,
                high,
            } => {
                w.number(1, from.number());
                w.number(2, equality(*negated));
                w.nest(3, |w| w.bytes_of(DATA_VALUE, low));
                w.nest(4, |w| w.bytes_of(DATA_VALUE, high));
            }
            Self::Lookup { set, key, negated } => {
                w.text(1, set);
                w.number(2, key.number());
                w.number(5, if *negated { LOOKUP_INVERTED } else { 0 });
            }
            Self::Dispatch { map, key } => {
                w.text(1, map);
                w.number(2, key.number());
                w.number(3, VERDICT_REGISTER);
            }
            Self::Verdict(verdict) => {
                w.number(1, VERDICT_REGISTER);
                verdict.encode(2, w);
            }
            Self::Immediate { into, value } => {
                w.number(1, into.number());
                w.nest(2, |w| w.bytes_of(DATA_VALUE, value));
            }
            Self::Counter | Self::Unknown(_) => {}
            Self::Limit { per_second, burst } => {
                w.long(1, *per_second);
                w.long(2, 1);
                w.number(3, *burst);
            }
            Self::Present { header, kind, into } => {
                w.number(1, into.number());
                w.bytes_of(2, &[*kind]);
                w.number(3, 0);
                w.number(4, 1);
                w.number(5, EXTHDR_PRESENT);
                w.number(6, *header);
            }
            Self::Connection { key, into } => {
                w.number(1, into.number());
                w.number(2, *key);
            }
            Self::Reject { code } => {
                w.number(1, 0);
                w.bytes_of(2, &[*code]);
            }
            Self::CountConnections { set, key, above } => {
                w.text(1, set);
                w.number(3, 0);
                w.number(4, key.number());
                w.nest(DYNSET_EXPRESSION, |w| {
                    w.text(EXPRESSION_NAME, "connlimit");
                    w.nest(EXPRESSION_DATA, |w| {
                        w.number(1, *above);
                        w.number(2, 1);
                    });
                });
            }
            Self::Match { name, revision, info } => {
                w.text(1, name);
                w.number(2, *revision);
                w.bytes_of(3, info);
            }
        }
    }
}
