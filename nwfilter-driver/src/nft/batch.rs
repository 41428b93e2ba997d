//! `Batch`: messages of one transaction; all take effect or none does.

use super::object::{Chain, Element, Family, Rule, SUBSYSTEM, Set, Table, kind};
use super::wire::{Header, Writer};
use std::fmt::Debug;

const BEGIN: u16 = 16;
const END: u16 = 17;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const CREATE: u16 = 0x400;
const EXCLUSIVE: u16 = 0x200;
const APPEND: u16 = 0x800;
/// What a list of elements may take: its length has 16 bits.
const LIST_ROOM: usize = 60_000;

/// Messages with, for each, what the caller wants to hear if the kernel refuses it.
#[derive(Debug)]
pub struct Batch<L> {
    writer: Writer,
    labels: Vec<L>,
    /// Where the last message begins.
    last: usize,
    sets: u32,
}

/// The kernel's no to one message, or to the whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal<L> {
    /// The message; `None` is the transaction as a whole.
    pub at: Option<L>,
    /// Why, as a number.
    pub errno: i32,
    /// Why, in the kernel's words.
    pub words: Option<String>,
}

impl<L> Default for Batch<L> {
    fn default() -> Self {
        let mut batch = Self {
            writer: Writer::default(),
            labels: Vec::new(),
            last: 0,
            sets: 0,
        };
        batch.frame(BEGIN, REQUEST);
        batch
    }
}

impl<L> Batch<L> {
    /// Whether it would do nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// How many messages it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// A table, made unless it is there.
    pub fn add_table(&mut self, family: Family, table: &Table, label: L) {
        self.push(family, kind::NEWTABLE, CREATE, label, |w| table.encode(w));
    }

    /// A table and all in it.
    pub fn delete_table(&mut self, family: Family, name: &str, label: L) {
        self.push(family, kind::DELTABLE, 0, label, |w| w.text(1, name));
    }

    /// A chain that is not there yet.
    pub fn add_chain(&mut self, family: Family, chain: &Chain, label: L) {
        self.push(family, kind::NEWCHAIN, CREATE | EXCLUSIVE, label, |w| chain.encode(w));
    }

    /// A chain that nothing refers to any more, with its rules.
    pub fn delete_chain(&mut self, family: Family, table: &str, chain: &str, label: L) {
        self.push(family, kind::DELCHAIN, 0, label, |w| {
            w.text(1, table);
            w.text(3, chain);
        });
    }

    /// All rules of a chain.
    pub fn flush_chain(&mut self, family: Family, table: &str, chain: &str, label: L) {
        self.push(family, kind::DELRULE, 0, label, |w| {
            w.text(1, table);
            w.text(2, chain);
        });
    }

    /// A rule at the end of a chain.
    pub fn add_rule(&mut self, family: Family, table: &str, chain: &str, rule: &Rule, label: L) {
        self.push(family, kind::NEWRULE, CREATE | APPEND, label, |w| {
            rule.encode(table, chain, w);
        });
    }

    /// A set that is not there yet.
    pub fn add_set(&mut self, family: Family, set: &Set, label: L) {
        self.sets += 1;
        let id = self.sets;
        self.push(family, kind::NEWSET, CREATE | EXCLUSIVE, label, |w| set.encode(id, w));
    }

    /// A set that no rule asks any more, with its elements.
    pub fn delete_set(&mut self, family: Family, table: &str, set: &str, label: L) {
        self.push(family, kind::DELSET, 0, label, |w| {
            w.text(1, table);
            w.text(2, set);
        });
    }

    /// Has the kernel refuse one message.
    #[cfg(test)]
    pub(crate) fn spoil(&mut self, index: usize) {
        let mut start = 0;
        // BEGIN is the first.
        for _ in 0..=index {
            start += super::wire::native_u32(&self.writer.bytes()[start..]).unwrap() as usize;
        }
        self.writer.spoil(start);
    }

    fn push(&mut self, family: Family, operation: u16, flags: u16, label: L, body: impl FnOnce(&mut Writer)) {
        self.labels.push(label);
        self.last = self.writer.bytes().len();
        let header = Header {
            kind: (SUBSYSTEM << 8) | operation,
            flags: REQUEST | flags,
            // BEGIN has the number 0.
            sequence: u32::try_from(self.labels.len()).unwrap_or(u32::MAX),
            port: 0,
        };
        self.writer.message(header, family.number(), 0, body);
    }

    fn frame(&mut self, kind: u16, flags: u16) {
        let header = Header {
            kind,
            flags,
            sequence: 0,
            port: 0,
        };
        self.writer.message(header, 0, SUBSYSTEM, |_| {});
    }

    /// The bytes to send; `None` if something did not fit its length field. Without its end the kernel undoes a
    /// transaction after it looked at it.
    #[must_use]
    pub(super) fn finish(mut self, end: bool) -> Option<(Vec<u8>, Vec<L>)> {
        // One answer to the last message tells that all are in force; refusals come without being asked for.
        self.writer.add_flags(self.last, ACK);
        if end {
            self.frame(END, REQUEST);
        }
        (!self.writer.overflowed()).then(|| (self.writer.bytes().to_vec(), self.labels))
    }
}

impl<L: Clone> Batch<L> {
    /// Elements that a set does not have yet, in as many messages as they need.
    pub fn add_elements(&mut self, family: Family, table: &str, set: &str, elements: &[Element], label: &L) {
        for part in parts(elements) {
            self.push(family, kind::NEWSETELEM, CREATE | EXCLUSIVE, label.clone(), |w| {
                Element::encode_list(part, table, set, w);
            });
        }
    }

    /// Elements that a set has.
    pub fn delete_elements(&mut self, family: Family, table: &str, set: &str, elements: &[Element], label: &L) {
        for part in parts(elements) {
            self.push(family, kind::DELSETELEM, 0, label.clone(), |w| {
                Element::encode_list(part, table, set, w);
            });
        }
    }
}

/// Cuts a list where one attribute is full.
pub(crate) fn parts(elements: &[Element]) -> impl Iterator<Item = &[Element]> {
    let mut rest = elements;
    std::iter::from_fn(move || {
        let mut room = 0;
        let fits = rest.iter().take_while(|element| {
            room += element.room();
            room <= LIST_ROOM
        });
        let (part, more) = rest.split_at(fits.count().max(1).min(rest.len()));
        rest = more;
        (!part.is_empty()).then_some(part)
    })
}
