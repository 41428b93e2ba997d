//! `Expression`: what rules are made of, as the kernel takes it and as it gives it back.

mod decode;
mod encode;

pub(super) use decode::count;

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
    /// Ends the rule for what comes faster than so many packets in a second.
    Limit {
        /// So many.
        per_second: u64,
        /// So many more at once.
        burst: u32,
    },
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
    /// The kernel's name of it.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Meta { .. } | Self::MetaSet { .. } => "meta",
            Self::Payload { .. } => "payload",
            Self::Mask { .. } => "bitwise",
            Self::Compare { .. } => "cmp",
            Self::Range { .. } => "range",
            Self::Lookup { .. } | Self::Dispatch { .. } => "lookup",
            Self::Verdict(_) | Self::Immediate { .. } => "immediate",
            Self::Counter => "counter",
            Self::Limit { .. } => "limit",
            Self::Present { .. } => "exthdr",
            Self::Connection { .. } => "ct",
            Self::Reject { .. } => "reject",
            Self::CountConnections { .. } => "dynset",
            Self::Match { .. } => "match",
            Self::Unknown(name) => name,
        }
    }
}
