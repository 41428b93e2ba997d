//! The layout of a table in words, and the stamp that is reckoned from them.
//!
//! The words are what `layouts/*.golden` holds for each release, and what the C header is made from; so a stamp that
//! agrees says that both sides were made from the same frozen layout. How they are written is frozen with them.

use super::interface::Table;
use super::plain::Stamp;
use abi_stable::type_layout::{TLField, TypeLayout};
use std::collections::BTreeMap;

/// Every type of this crate once, by name, with its fields in order.
#[derive(Clone, Default, Debug)]
pub struct Book(BTreeMap<String, String>);

impl Book {
    /// A type's name; what belongs to this crate is noted under it, with all that it leads to.
    pub fn name(&mut self, layout: &'static TypeLayout) -> String {
        let name = layout.full_type().to_string().trim().to_owned();
        let fields: Vec<TLField> = layout.get_fields().into_iter().flatten().collect();
        let inner = |book: &mut Self, field: &TLField| book.name(field.layout());
        match (layout.name(), fields.as_slice()) {
            ("RString" | "RStr" | "TypeLayout", _) => layout.name().to_owned(),
            // The first field leads to the elements, the others are the same for all.
            ("RVec" | "RSlice", [elements, ..]) => format!("{}[{}]", layout.name(), inner(self, elements)),
            ("ROption" | "RResult", _) => {
                let variants: Vec<String> = fields.iter().map(|field| inner(self, field)).collect();
                format!("{}[{}]", layout.name(), variants.join(", "))
            }
            _ if layout.package().as_str() == env!("CARGO_PKG_NAME") => {
                self.note(&name, layout, &fields);
                name
            }
            // A pointer has no fields; what it leads to is reported beside them.
            (_, []) => match layout.phantom_fields().iter().next() {
                Some(target) => inner(self, &target),
                None => name,
            },
            (_, [only]) if !only.is_function() => inner(self, only),
            _ => name,
        }
    }

    fn note(&mut self, name: &str, layout: &'static TypeLayout, fields: &[TLField]) {
        if self.0.contains_key(name) {
            return;
        }
        // In before its fields are looked at: a type may lead to itself.
        self.0.insert(name.to_owned(), String::new());
        let mut text = format!("  size {} align {}\n", layout.size(), layout.alignment());
        for field in fields {
            let line = self.field(field);
            text.push_str(&format!("  {}: {line}\n", field.name()));
        }
        self.0.insert(name.to_owned(), text);
    }

    fn field(&mut self, field: &TLField) -> String {
        let Some(function) = field.function_range().iter().next() else {
            return self.name(field.layout());
        };
        let parameters: Vec<String> = function.param_type_layouts.iter().map(|get| self.name(get())).collect();
        let answer = function.return_type_layout().map(|get| self.name(get()));
        format!("fn({}) -> {}", parameters.join(", "), answer.as_deref().unwrap_or("()"))
    }

    /// What was noted: each type's name on a line of its own, its size and fields below it.
    #[must_use]
    pub fn text(&self) -> String {
        let types = self.0.iter().map(|(name, body)| format!("\n{name}\n{body}"));
        types.collect()
    }
}

/// A table and every type of this crate that it leads to, in words.
#[must_use]
pub fn describe<T: Table>() -> String {
    let mut book = Book::default();
    let name = book.name(T::LAYOUT);
    format!("{} = {name}\n{}", T::ID, book.text())
}

/// What a driver without layout reports shows for this table.
#[must_use]
pub fn stamp<T: Table>() -> Stamp {
    Stamp {
        size: u64::try_from(size_of::<T>()).unwrap_or(u64::MAX),
        hash: hash(describe::<T>().as_bytes()),
    }
}

/// FNV-1a: it tells layouts apart that differ by accident, which is all that it is for.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_everybody_knows() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
