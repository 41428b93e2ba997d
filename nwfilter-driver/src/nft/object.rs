//! Tables, chains, rules, sets and elements: the objects of nf_tables, written and read.

use super::expression::{self, DATA_VALUE, Expression, Verdict};
use super::wire::{Attributes, Message, Writer};

/// The protocol family that a table stands in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4 packets.
    Ip,
    /// Frames of a bridge.
    Bridge,
    /// IPv6 packets.
    Ip6,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bridge, Self::Ip, Self::Ip6];

    /// The kernel's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ip => 2,
            Self::Bridge => 7,
            Self::Ip6 => 10,
        }
    }

    /// The family of that number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.number() == number)
    }

    /// As nft calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Bridge => "bridge",
            Self::Ip6 => "ip6",
        }
    }
}

/// The number of nf_tables among the subsystems of netfilter.
pub const SUBSYSTEM: u16 = 10;

/// The kinds of messages; numbers of the nf_tables subsystem.
pub mod kind {
    #![allow(missing_docs, reason = "the names are nf_tables' own")]
    pub const NEWTABLE: u16 = 0;
    pub const GETTABLE: u16 = 1;
    pub const DELTABLE: u16 = 2;
    pub const NEWCHAIN: u16 = 3;
    pub const GETCHAIN: u16 = 4;
    pub const DELCHAIN: u16 = 5;
    pub const NEWRULE: u16 = 6;
    pub const GETRULE: u16 = 7;
    pub const DELRULE: u16 = 8;
    pub const NEWSET: u16 = 9;
    pub const GETSET: u16 = 10;
    pub const DELSET: u16 = 11;
    pub const NEWSETELEM: u16 = 12;
    pub const GETSETELEM: u16 = 13;
    pub const DELSETELEM: u16 = 14;
    pub const NEWGEN: u16 = 15;
    pub const GETGEN: u16 = 16;
    pub const TRACE: u16 = 17;
}

/// Comments are read by nft from a list of (kind, length, value); kind 0 is the comment, with a zero at its end.
fn comment_data(comment: &str) -> Vec<u8> {
    let text = comment.as_bytes();
    let len = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
    let mut data = vec![0, len];
    data.extend(text.iter().copied().take(usize::from(len) - 1));
    data.push(0);
    data
}

fn comment_text(data: &[u8]) -> Option<String> {
    let [0, len, rest @ ..] = data else { return None };
    let text = rest.get(..usize::from(*len))?.strip_suffix(&[0])?;
    String::from_utf8(text.to_vec()).ok()
}

/// A table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// A word to people who list it.
    pub comment: Option<String>,
    /// It goes with the socket that made it, and no other can change it.
    pub owned: bool,
    /// Its chains are not asked.
    pub dormant: bool,
}

const TABLE_DORMANT: u32 = 1;
const TABLE_OWNED: u32 = 2;

impl Table {
    /// Writes what makes it.
    pub fn encode(&self, w: &mut Writer) {
        w.text(1, &self.name);
        let owned = if self.owned { TABLE_OWNED } else { 0 };
        let dormant = if self.dormant { TABLE_DORMANT } else { 0 };
        w.number(2, owned | dormant);
        if let Some(comment) = &self.comment {
            w.bytes_of(6, &comment_data(comment));
        }
    }

    /// Reads one.
    #[must_use]
    pub fn decode(message: Message<'_>) -> Option<Self> {
        let attributes = message.attributes();
        let flags = attributes.number(2).unwrap_or(0);
        Some(Self {
            name: attributes.text(1)?,
            comment: attributes.get(6).and_then(comment_text),
            owned: flags & TABLE_OWNED != 0,
            dormant: flags & TABLE_DORMANT != 0,
        })
    }
}

/// Where a base chain hangs; its policy is always to accept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BaseChain {
    /// The hook's number within the family.
    pub hook: u32,
    /// Smaller comes first.
    pub priority: i32,
}

/// A chain.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Chain {
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where packets come from, if not from jumps.
    pub base: Option<BaseChain>,
}

impl Chain {
    /// Writes what makes it.
    pub fn encode(&self, w: &mut Writer) {
        w.text(1, &self.table);
        w.text(3, &self.name);
        if let Some(base) = self.base {
            w.nest(4, |w| {
                w.number(1, base.hook);
                w.number(2, base.priority.cast_unsigned());
            });
            w.number(5, 1);
            w.text(7, "filter");
        }
    }

    /// Reads one; `None` also if its policy is not to accept.
    #[must_use]
    pub fn decode(message: Message<'_>) -> Option<Self> {
        let attributes = message.attributes();
        let base = match attributes.inside(4) {
            Some(hook) => Some(BaseChain {
                hook: hook.number(1)?,
                priority: hook.number(2)?.cast_signed(),
            }),
            None => None,
        };
        if base.is_some() && attributes.number(5) != Some(1) {
            return None;
        }
        Some(Self {
            table: attributes.text(1)?,
            name: attributes.text(3)?,
            base,
        })
    }
}

/// What a counter counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Count {
    pub packets: u64,
    pub bytes: u64,
}

/// A rule, without its place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    /// Its steps.
    pub expressions: Vec<Expression>,
    /// A word to people who list it.
    pub comment: Option<String>,
}

/// A rule as it stands in the kernel.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PlacedRule {
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// Its number within the table.
    pub handle: u64,
    /// What it does.
    pub rule: Rule,
    /// What its first counter counted.
    pub count: Count,
}

const LIST_ITEM: u16 = 1;

impl Rule {
    /// Writes what makes it at the end of a chain.
    pub fn encode(&self, table: &str, chain: &str, w: &mut Writer) {
        w.text(1, table);
        w.text(2, chain);
        w.nest(4, |w| {
            for expression in &self.expressions {
                expression.encode(LIST_ITEM, w);
            }
        });
        if let Some(comment) = &self.comment {
            w.bytes_of(7, &comment_data(comment));
        }
    }

    /// Reads one with its place.
    #[must_use]
    pub fn decode(message: Message<'_>) -> Option<PlacedRule> {
        let attributes = message.attributes();
        let items = attributes.inside(4)?;
        let count = items
            .into_iter()
            .find_map(|(_, item)| expression::count(Attributes(item)));
        let (packets, bytes) = count.unwrap_or_default();
        Some(PlacedRule {
            table: attributes.text(1)?,
            chain: attributes.text(2)?,
            handle: attributes.long(3)?,
            rule: Self {
                expressions: items.map(|(_, item)| Expression::decode(Attributes(item))).collect(),
                comment: attributes.get(7).and_then(comment_text),
            },
            count: Count { packets, bytes },
        })
    }
}

/// What a set's elements hold beside their key.
const DATA_TYPE_VERDICT: u32 = 0xffff_ff00;
const FLAG_MAP: u32 = 0x8;
const FLAG_EVALUATED: u32 = 0x20;

/// A set, or a map of verdicts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Set {
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What the key is made of, in nft's numbers of types; 0 where nft has none. Only for people who list it.
    pub key_type: u32,
    /// Bytes of a key.
    pub key_len: u32,
    /// Elements have verdicts.
    pub map: bool,
    /// Rules add elements themselves, at most so many.
    pub evaluated: Option<u32>,
}

impl Set {
    /// Writes what makes it; `id` tells it from others of the same batch.
    pub fn encode(&self, id: u32, w: &mut Writer) {
        let map = if self.map { FLAG_MAP } else { 0 };
        let evaluated = if self.evaluated.is_some() { FLAG_EVALUATED } else { 0 };
        w.text(1, &self.table);
        w.text(2, &self.name);
        w.number(3, map | evaluated);
        w.number(4, self.key_type);
        w.number(5, self.key_len);
        if self.map {
            w.number(6, DATA_TYPE_VERDICT);
        }
        if let Some(size) = self.evaluated {
            w.nest(9, |w| w.number(1, size));
        }
        w.number(10, id);
        if self.map {
            // nft reads a lone name backwards unless it is told that the key is in the machine's order.
            let mut data = vec![0, 4];
            data.extend(1_u32.to_ne_bytes());
            w.bytes_of(13, &data);
        }
    }

    /// Reads one.
    #[must_use]
    pub fn decode(message: Message<'_>) -> Option<Self> {
        let attributes = message.attributes();
        let flags = attributes.number(3).unwrap_or(0);
        let size = attributes.inside(9).and_then(|shape| shape.number(1));
        Some(Self {
            table: attributes.text(1)?,
            name: attributes.text(2)?,
            key_type: attributes.number(4)?,
            key_len: attributes.number(5)?,
            map: flags & FLAG_MAP != 0,
            evaluated: (flags & FLAG_EVALUATED != 0).then(|| size.unwrap_or(0)),
        })
    }
}

/// An element of a set, or of a map.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Element {
    /// As long as the set's keys.
    pub key: Vec<u8>,
    /// Where packets with that key go.
    pub verdict: Option<Verdict>,
}

impl Element {
    /// Room that it takes in a message, at most.
    #[must_use]
    pub fn room(&self) -> usize {
        let chain = match &self.verdict {
            Some(Verdict::Jump(chain) | Verdict::Goto(chain)) => chain.len(),
            _ => 0,
        };
        self.key.len() + chain + 40
    }

    /// Writes a list of elements of one set; the list must be small enough for one attribute.
    pub fn encode_list(elements: &[Self], table: &str, set: &str, w: &mut Writer) {
        w.text(1, table);
        w.text(2, set);
        w.nest(3, |w| {
            for element in elements {
                w.nest(LIST_ITEM, |w| {
                    w.nest(1, |w| w.bytes_of(DATA_VALUE, &element.key));
                    if let Some(verdict) = &element.verdict {
                        verdict.encode(2, w);
                    }
                });
            }
        });
    }

    /// Reads the elements of a message; `None` if there is one that this code can not have made.
    #[must_use]
    pub fn decode_list(message: Message<'_>) -> Option<Vec<Self>> {
        let Some(list) = message.attributes().inside(3) else {
            return Some(Vec::new());
        };
        list.map(|(_, item)| {
            let item = Attributes(item);
            let key = item.inside(1)?.get(DATA_VALUE)?.to_vec();
            let verdict = match item.inside(2) {
                Some(data) => Some(Verdict::decode(data)?),
                None => None,
            };
            Some(Self { key, verdict })
        })
        .collect()
    }
}
