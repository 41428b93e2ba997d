//! `Expression`: what rules are made of, as the kernel takes it and as it gives it back.

use super::wire::{Attributes, Writer};

/// A place for values while a rule is asked, counted in words of four bytes from 0 to 15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Register(pub u8);

impl Register {
    /// The first word.
    pub const FIRST: Self = Self(0);

    /// The kernel numbers registers of 16 bytes from 1 and those of 4 bytes from 8, and gives back the wide one where
    /// both begin at the same byte.
    fn number(self) -> u32 {
        let word = u32::from(self.0);
        if word.is_multiple_of(4) { 1 + word / 4 } else { 8 + word }
    }

    fn from_number(number: u32) -> Option<Self> {
        let word = match number {
            1..=4 => (number - 1) * 4,
            8..=23 => number - 8,
            _ => return None,
        };
        u8::try_from(word).ok().map(Self)
    }
}

/// Where a rule or a map's element sends a packet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// Ends this base chain.
    Accept,
    /// Ends everything.
    Drop,
    /// On with the next rule.
    Continue,
    /// Back to where the jump was.
    Return,
    /// Into a chain, and back behind this rule at its end.
    Jump(String),
    /// Into a chain, and not back.
    Goto(String),
}

impl Verdict {
    /// Writes the data attribute that holds it.
    pub(super) fn encode(&self, kind: u16, writer: &mut Writer) {
        let (code, chain) = match self {
            Self::Drop => (0, None),
            Self::Accept => (1, None),
            Self::Continue => (-1, None),
            Self::Jump(chain) => (-3, Some(chain)),
            Self::Goto(chain) => (-4, Some(chain)),
            Self::Return => (-5_i32, None),
        };
        writer.nest(kind, |w| {
            w.nest(DATA_VERDICT, |w| {
                w.number(1, code.cast_unsigned());
                if let Some(chain) = chain {
                    w.text(2, chain);
                }
            });
        });
    }

    /// Reads what is inside a data attribute.
    pub(super) fn decode(data: Attributes<'_>) -> Option<Self> {
        Self::decode_bare(data.inside(DATA_VERDICT)?)
    }

    /// Reads the attributes of a verdict itself.
    pub(crate) fn decode_bare(verdict: Attributes<'_>) -> Option<Self> {
        Some(match verdict.number(1)?.cast_signed() {
            0 => Self::Drop,
            1 => Self::Accept,
            -1 => Self::Continue,
            -3 => Self::Jump(verdict.text(2)?),
            -4 => Self::Goto(verdict.text(2)?),
            -5 => Self::Return,
            _ => return None,
        })
    }
}

/// How a register is compared with a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    const ALL: [Self; 6] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
    ];

    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// Equal, or not.
const fn equality(negated: bool) -> u32 {
    if negated { 1 } else { 0 }
}

pub(super) const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
/// The register number that stands for the packet's fate.
const VERDICT_REGISTER: u32 = 0;
const BITWISE_XOR: u32 = 5;
const EXTHDR_PRESENT: u32 = 1;
const LOOKUP_INVERTED: u32 = 1;
const DYNSET_EXPRESSION: u16 = 7;

/// What `Meta` can read; the kernel's numbers.
pub mod meta {
    #![allow(missing_docs, reason = "the names are nf_tables' own")]
    pub const MARK: u32 = 3;
    pub const IIFNAME: u32 = 6;
    pub const OIFNAME: u32 = 7;
    pub const NFTRACE: u32 = 12;
    pub const L4PROTO: u32 = 16;
}

/// What `Connection` can read; the kernel's numbers.
pub mod ct {
    #![allow(missing_docs, reason = "the names are nf_tables' own")]
    pub const STATE: u32 = 0;
    pub const DIRECTION: u32 = 1;
}

/// Where `Payload` counts from; the kernel's numbers.
pub mod payload {
    #![allow(missing_docs, reason = "the names are nf_tables' own")]
    pub const LINK: u32 = 0;
    pub const NETWORK: u32 = 1;
    pub const TRANSPORT: u32 = 2;
}

/// Which header `Option` looks into; the kernel's numbers.
pub mod exthdr {
    #![allow(missing_docs, reason = "the names are nf_tables' own")]
    pub const TCP_OPTION: u32 = 1;
}

/// One step of a rule.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Expression {
    /// Reads something about the packet.
    Meta {
        /// One of [`meta`].
        key: u32,
        /// Where to.
        into: Register,
    },
    /// Writes something about the packet.
    MetaSet {
        /// One of [`meta`].
        key: u32,
        /// What.
        from: Register,
    },
    /// Reads bytes of the packet; ends the rule where there are none.
    Payload {
        /// One of [`payload`].
        base: u32,
        /// The first byte.
        offset: u32,
        /// How many.
        len: u32,
        /// Where to.
        into: Register,
    },
    /// `into = from & mask ^ xor`.
    Mask {
        /// What.
        from: Register,
        /// Where to.
        into: Register,
        /// Bits that stay.
        mask: Vec<u8>,
        /// Bits that are then turned over; as long as the mask.
        xor: Vec<u8>,
    },
    /// `into = left ^ right`; kernels from 6.13.
    Xor {
        /// The one.
        left: Register,
        /// The other.
        right: Register,
        /// Where to.
        into: Register,
        /// Bytes.
        len: u32,
    },
    /// Ends the rule unless it holds.
    Compare {
        /// The one side.
        from: Register,
        /// How.
        how: Comparison,
        /// The other side.
        with: Vec<u8>,
    },
    /// Ends the rule unless the value lies between two, both included.
    Range {
        /// What.
        from: Register,
        /// Ends the rule if it does, instead.
        negated: bool,
        /// The lowest.
        low: Vec<u8>,
        /// The highest.
        high: Vec<u8>,
    },
    /// Ends the rule unless the set has the key.
    Lookup {
        /// The set.
        set: String,
        /// Where the key begins.
        key: Register,
        /// Ends the rule if it has the key, instead.
        negated: bool,
    },
    /// Does what the map says for the key; ends the rule if it says nothing.
    Dispatch {
        /// The map.
        map: String,
        /// Where the key begins.
        key: Register,
    },
    /// Sends the packet there.
    Verdict(Verdict),
    /// A value of its own.
    Immediate {
        /// Where to.
        into: Register,
        /// The value.
        value: Vec<u8>,
    },
    /// Counts packets and bytes; what it counted is read with the rule.
    Counter,
    /// Whether a header or an option is there: 1 or 0.
    Present {
        /// One of [`exthdr`].
        header: u32,
        /// Which.
        kind: u8,
        /// Where to.
        into: Register,
    },
    /// Reads something about the packet's connection; ends the rule where there is none.
    Connection {
        /// One of [`ct`].
        key: u32,
        /// Where to.
        into: Register,
    },
    /// Drops the packet and tells its sender by ICMP.
    Reject {
        /// The ICMP code.
        code: u8,
    },
    /// Ends the rule unless so many connections with this key are open.
    CountConnections {
        /// The set that keeps the keys.
        set: String,
        /// Where the key begins.
        key: Register,
        /// More than so many.
        above: u32,
    },
    /// Asks a match of xtables.
    Match {
        /// Its name.
        name: String,
        /// Its revision.
        revision: u32,
        /// Its own structure.
        info: Vec<u8>,
    },
    /// Something that this code never writes.
    Unknown(String),
}

impl Expression {
    /// Writes it as one element of a list of expressions.
    pub fn encode(&self, list_item: u16, writer: &mut Writer) {
        writer.nest(list_item, |w| {
            w.text(EXPRESSION_NAME, self.kind());
            w.nest(EXPRESSION_DATA, |w| self.encode_body(w));
        });
    }

    /// The kernel's name of it.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Meta { .. } | Self::MetaSet { .. } => "meta",
            Self::Payload { .. } => "payload",
            Self::Mask { .. } | Self::Xor { .. } => "bitwise",
            Self::Compare { .. } => "cmp",
            Self::Range { .. } => "range",
            Self::Lookup { .. } | Self::Dispatch { .. } => "lookup",
            Self::Verdict(_) | Self::Immediate { .. } => "immediate",
            Self::Counter => "counter",
            Self::Present { .. } => "exthdr",
            Self::Connection { .. } => "ct",
            Self::Reject { .. } => "reject",
            Self::CountConnections { .. } => "dynset",
            Self::Match { .. } => "match",
            Self::Unknown(name) => name,
        }
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
            Self::Xor { left, right, into, len } => {
                w.number(1, left.number());
                w.number(2, into.number());
                w.number(3, *len);
                w.number(6, BITWISE_XOR);
                w.number(8, right.number());
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
            "bitwise" => match data.number(6).unwrap_or(0) {
                0 => Self::Mask {
                    from: register(1)?,
                    into: register(2)?,
                    mask: value(4)?,
                    xor: value(5)?,
                },
                BITWISE_XOR => Self::Xor {
                    left: register(1)?,
                    right: register(8)?,
                    into: register(2)?,
                    len: data.number(3)?,
                },
                _ => return None,
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
pub(super) fn count(item: Attributes<'_>) -> Option<(u64, u64)> {
    if item.text(EXPRESSION_NAME)? != "counter" {
        return None;
    }
    let data = item.inside(EXPRESSION_DATA)?;
    Some((data.long(2)?, data.long(1)?))
}
