//! The XML kit: bytes to an order-preserving tree, and the tree back to text in libvirt's layout.
//!
//! A reader owns its [`Element`] and *takes* from it what it understands ([`Element::take_child`],
//! [`Element::take_attr`]). What remains in the end is what nobody understood: keep it and print it back, or refuse it
//! by name and position ([`Element::refuse_rest`]).

mod namespace;
mod near;
mod parse;
mod text;
mod tree;
mod write;

pub use near::nearest;
pub use parse::{Limits, parse};
pub use tree::{Attribute, Element, Node, Position};

/// What every document must survive: if it parses, then its printed form parses to the same tree and prints the same.
///
/// Fuzzing and property tests call this; no driver needs it.
///
/// # Panics
/// The kit has a bug.
pub fn check_round_trip(document: &[u8]) {
    let origin = crate::error::Origin::XML;
    let Ok(tree) = parse(document, origin, &Limits::default()) else {
        return;
    };
    let printed = tree.to_string();
    // Escapes and indentation may make the printed form longer than the limit that the source just met.
    let roomy = Limits {
        bytes: usize::MAX,
        ..Limits::default()
    };
    match parse(printed.as_bytes(), origin, &roomy) {
        Ok(again) => {
            assert_eq!(tree, again, "the printed form parses to another tree:\n{printed}");
            assert_eq!(printed, again.to_string(), "the printed form is not stable");
        }
        Err(error) => assert_eq!(None, Some(error.to_string()), "the printed form is refused:\n{printed}"),
    }
}

#[cfg(test)]
mod tests;
