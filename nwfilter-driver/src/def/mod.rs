//! What the user asked for: a filter's definition, read from XML, checked, and printed back as libvirt prints it.
//!
//! ```text
//! XML -> parse -> FilterDef -> validate     FilterDef -> format -> XML
//!            \______ protocol (the table) ______/
//! ```
//!
//! Nothing here does I/O or knows other filters.

pub mod address;
pub mod format;
pub mod kind;
pub mod lines;
pub mod parse;
pub mod protocol;
pub mod validate;
pub mod value;
pub mod vars;

#[cfg(test)]
mod reference;

use driver_api::types::uuid::Uuid;
use protocol::{Attribute, Protocol};
use value::Value;
use vars::{Access, Parameters};

/// A filter as it was defined. Equal definitions mean the same and print the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterDef {
    /// Unique among filters.
    pub name: String,
    /// Never changes.
    pub uuid: Uuid,
    /// The chain in which its Ethernet rules stand: `root`, or a name that begins with a protocol's.
    pub chain: String,
    /// Where the chain stands among others, from -1000 (first) to 1000.
    pub chain_priority: i32,
    /// Rules and references in the order of the document.
    pub entries: Vec<Entry>,
}

impl FilterDef {
    /// The filters that this one refers to, in order, possibly more than once.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Reference(reference) => Some(reference.filter.as_str()),
            Entry::Rule(_) => None,
        })
    }
}

/// A part of a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// A rule of its own.
    Rule(Rule),
    /// Another filter, taken in here.
    Reference(Reference),
}

/// `<filterref>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    /// The other filter's name; it may not exist yet.
    pub filter: String,
    /// Values for its variables, unless whoever refers to this filter gives others.
    pub parameters: Parameters,
}

/// `<rule>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// What happens to what it matches.
    pub action: Action,
    /// Which way the traffic goes, seen from the guest.
    pub direction: Direction,
    /// Where the rule stands among others, from -1000 (first) to 1000.
    pub priority: i32,
    /// Whether connection tracking is used where the rule does not say it itself.
    pub statematch: bool,
    /// What it matches; `None` matches every frame.
    pub matches: Option<Match>,
}

/// A named value of `<rule>`.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$item_doc])* $item,)+ }

        impl $name {
            /// All of them with their names in XML.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$item, $text),)+];

            /// The name in XML.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$item => $text,)+ }
            }
        }
    };
}

named! {
    /// What happens to a packet.
    Action {
        /// It is dropped.
        Drop = "drop",
        /// It goes on and no more rules are asked.
        Accept = "accept",
        /// It is dropped and its sender is told.
        Reject = "reject",
        /// The rest of the chain is skipped.
        Return = "return",
        /// The next rule is asked.
        Continue = "continue",
    }
}

named! {
    /// Which way traffic goes, seen from the guest.
    Direction {
        /// To the guest.
        In = "in",
        /// From the guest.
        Out = "out",
        /// Both ways.
        InOut = "inout",
    }
}

/// What a rule matches: one protocol and conditions of its table that must all hold.
#[derive(Clone, Debug)]
pub struct Match {
    /// The row of the table.
    pub protocol: &'static Protocol,
    /// The conditions in the order of the table, each attribute at most once.
    pub fields: Vec<Field>,
}

impl PartialEq for Match {
    fn eq(&self, other: &Self) -> bool {
        self.protocol.name == other.protocol.name && self.fields == other.fields
    }
}

impl Eq for Match {}

impl Match {
    /// The condition on an attribute.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.attribute.name == name)
    }
}

/// One condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// The attribute, with what it may hold.
    pub attribute: &'static Attribute,
    /// The condition holds if the packet is otherwise (`match='no'`).
    pub negated: bool,
    /// What is compared with.
    pub term: Term,
}

/// A value, or a variable that will have one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Term {
    /// Known now.
    Value(Value),
    /// Known when the filter is bound to a port.
    Variable(Access),
}

/// What every document must survive: if it is accepted, then its printed form is accepted, means the same and prints
/// the same.
///
/// Fuzzing and property tests call this.
///
/// # Panics
/// The driver has a bug.
pub fn check_round_trip(document: &[u8]) {
    for mode in [parse::Mode::Strict, parse::Mode::Compat] {
        let Ok(parsed) = parse::parse(document, mode) else {
            continue;
        };
        let printed = parsed.def.to_string();
        match parse::parse(printed.as_bytes(), mode) {
            Ok(again) => {
                assert_eq!(
                    again.def, parsed.def,
                    "the printed form means something else:\n{printed}"
                );
                assert_eq!(again.def.to_string(), printed, "the printed form is not stable");
            }
            Err(error) => assert_eq!(None, Some(error.to_string()), "the printed form is refused:\n{printed}"),
        }
    }
}
