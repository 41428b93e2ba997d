//! Variables: how a rule names one (`$NAME`, `$NAME[2]`, `$NAME[@1]`), and the parameters that give them values.

use std::collections::BTreeMap;
use std::fmt;

/// The greatest number of an iterator.
pub const MAX_ITERATOR: u32 = 1000;

/// Which values of a variable are meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Selector {
    /// All values, one after the other; variables with the same iterator advance together.
    Iterator(u32),
    /// One value, counted from 0.
    Element(u32),
}

/// A use of a variable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Access {
    /// The variable's name.
    pub name: String,
    /// Which of its values.
    pub selector: Selector,
}

impl Access {
    /// Reads what stands behind the `$`. The second value is what follows the closing bracket: it has no meaning.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(text: &str) -> Result<(Self, &str), &'static str> {
        let (name, rest) = match text.find('[') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        if !is_variable(name) {
            return Err("a variable's name has letters of ASCII, digits and '_'");
        }
        let (selector, rest) = match rest.strip_prefix('[') {
            None => (Selector::Iterator(0), ""),
            Some(rest) => {
                let Some((inside, rest)) = rest.split_once(']') else {
                    return Err("the bracket behind the variable is not closed");
                };
                (selector(inside.trim())?, rest)
            }
        };
        let name = name.to_owned();
        Ok((Self { name, selector }, rest))
    }
}

fn selector(inside: &str) -> Result<Selector, &'static str> {
    let number = |digits: &str| match digits.parse::<u32>() {
        Ok(number) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(number),
        _ => None,
    };
    match inside.strip_prefix('@') {
        Some(iterator) => number(iterator)
            .filter(|number| *number <= MAX_ITERATOR)
            .map(Selector::Iterator)
            .ok_or("an iterator is '@' and a number from 0 to 1000"),
        None => number(inside)
            .map(Selector::Element)
            .ok_or("the number of an element, counted from 0, or '@' and an iterator belongs into the brackets"),
    }
}

/// The shortest form that means the same.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.selector {
            Selector::Iterator(0) => write!(f, "${}", self.name),
            Selector::Iterator(iterator) => write!(f, "${}[@{iterator}]", self.name),
            Selector::Element(element) => write!(f, "${}[{element}]", self.name),
        }
    }
}

/// Values of variables: lists in their order, by name.
pub type Parameters = BTreeMap<String, Vec<String>>;

/// Whether this can be a variable's name.
#[must_use]
pub fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether this can be a variable's value.
#[must_use]
pub fn is_value(value: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':');
    !value.is_empty() && value.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_are_read_and_printed_in_their_shortest_form() {
        for (text, printed, rest) in [
            ("IP", "$IP", ""),
            ("IP[@0]", "$IP", ""),
            ("IP[@01]", "$IP[@1]", ""),
            ("IP[@1000]", "$IP[@1000]", ""),
            ("A_9[ 3 ]", "$A_9[3]", ""),
            ("A[65536]", "$A[65536]", ""),
            ("A[1]x", "$A[1]", "x"),
        ] {
            let (access, after) = Access::read(text).unwrap();
            assert_eq!((access.to_string().as_str(), after), (printed, rest), "{text}");
        }
        for text in [
            "",
            "[1]",
            "A-B",
            " A",
            "A]",
            "A[",
            "A[]",
            "A[@]",
            "A[@1001]",
            "A[x]",
            "A[-1]",
            "A[+1]",
            "A[@+1]",
            "A[99999999999]",
        ] {
            assert!(Access::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_and_values_have_their_own_alphabets() {
        assert!(is_variable("_a9") && !is_variable("") && !is_variable("a.b") && !is_variable("é"));
        assert!(is_value("fe80::1") && is_value("1.2.3.4") && is_value("x_y"));
        assert!(!is_value("") && !is_value("1-2") && !is_value("1/2") && !is_value("$A"));
    }
}
