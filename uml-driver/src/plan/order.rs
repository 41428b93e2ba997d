//! `Order`: a command about one device of a running guest, made of parts that have been checked.

use std::fmt;
use std::str::FromStr;

/// One of a guest's devices, as its kernel calls it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Unit {
    /// `ubda` to `ubdp`, by number.
    Disk(u8),
    /// `vec0`...
    Interface(u32),
    /// `con0`...
    Console(u32),
    /// `ssl0`...
    Serial(u32),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(number) => write!(f, "ubd{}", char::from(b'a'.saturating_add(*number))),
            Self::Interface(number) => write!(f, "vec{number}"),
            Self::Console(number) => write!(f, "con{number}"),
            Self::Serial(number) => write!(f, "ssl{number}"),
        }
    }
}

/// The text names no device of a UML kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAUnit;

impl FromStr for Unit {
    type Err = NotAUnit;

    fn from_str(text: &str) -> Result<Self, NotAUnit> {
        let (driver, unit) = text.split_at_checked(3).ok_or(NotAUnit)?;
        let number = || unit.parse().map_err(|_| NotAUnit);
        let found = match (driver, unit.as_bytes()) {
            ("ubd", [letter @ b'a'..=b'p']) => Self::Disk(letter - b'a'),
            ("vec", _) => Self::Interface(number()?),
            ("con", _) => Self::Console(number()?),
            ("ssl", _) => Self::Serial(number()?),
            _ => return Err(NotAUnit),
        };
        // A sign or a leading zero would be a second spelling.
        if found.to_string() == text {
            Ok(found)
        } else {
            Err(NotAUnit)
        }
    }
}

/// The longest text that a kernel takes, in bytes: its buffer has 512, of which the last ends the text.
pub const MAX_ORDER: usize = 511;

/// Why an order can not be given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unspeakable {
    /// It has this many bytes.
    Long(usize),
    /// It has this character, which the kernel would take for something else.
    Odd(char),
}

impl fmt::Display for Unspeakable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long(bytes) => write!(
                f,
                "what the guest kernel would have to be told has {bytes} bytes, it takes {MAX_ORDER}"
            ),
            Self::Odd(c) => write!(f, "the guest kernel can not be told '{}'", c.escape_debug()),
        }
    }
}

impl std::error::Error for Unspeakable {}

/// A command with a device's name and settings in it.
///
/// Nothing of it is a user's own text: names, numbers and fixed words, and of paths and serial numbers only those that
/// neither end a field nor the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order(String);

impl Order {
    /// Asks how a device is configured; the answer is empty for a disk that is not there. A network device does not tell.
    #[must_use]
    pub fn query(unit: Unit) -> Self {
        Self(format!("config {unit}"))
    }

    /// Takes a device out. Only for a device that the guest has: a kernel was seen to panic over one that it knew only by
    /// its default.
    #[must_use]
    pub fn remove(unit: Unit) -> Self {
        Self(format!("remove {unit}"))
    }

    /// Puts a disk in: the unit with its flags, and its files and serial number as the kernel's command line has them.
    ///
    /// # Errors
    /// For control characters and for too many bytes.
    pub fn disk(unit: &str, value: &str) -> Result<Self, Unspeakable> {
        Self::checked(format!("config {unit}={value}"), char::is_control)
    }

    /// Puts a network device in: `vecN:transport=tap,...`. With `=` in the place of the colon the kernel takes all for the
    /// number.
    ///
    /// # Errors
    /// For control characters and blanks, and for too many bytes.
    pub fn interface(argument: &str) -> Result<Self, Unspeakable> {
        match argument.chars().find(|c| c.is_whitespace()) {
            Some(odd) => Err(Unspeakable::Odd(odd)),
            None => Self::checked(format!("config {argument}"), char::is_control),
        }
    }

    /// Leads a console or serial line to one of the descriptors that the guest was born with.
    #[must_use]
    pub fn line(unit: Unit, descriptor: i32) -> Self {
        Self(format!("config {unit}=fd:{descriptor}"))
    }

    /// Leads a console or serial line nowhere.
    #[must_use]
    pub fn null(unit: Unit) -> Self {
        Self(format!("config {unit}=null"))
    }

    /// Takes so many KiB of memory from the guest.
    #[must_use]
    pub fn shrink(kib: u64) -> Self {
        Self(format!("config mem=-{kib}K"))
    }

    /// Gives so many KiB of memory back to the guest; more than was taken is no error.
    #[must_use]
    pub fn grow(kib: u64) -> Self {
        Self(format!("config mem=+{kib}K"))
    }

    fn checked(text: String, odd: impl Fn(char) -> bool) -> Result<Self, Unspeakable> {
        if let Some(odd) = text.chars().find(|c| odd(*c)) {
            return Err(Unspeakable::Odd(odd));
        }
        match text.len() {
            bytes if bytes > MAX_ORDER => Err(Unspeakable::Long(bytes)),
            _ => Ok(Self(text)),
        }
    }

    /// The text that is sent.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_order_is_one_line_of_at_most_511_bytes() {
        let of = |value: &str| Order::disk("ubdcd", value).map(|order| order.text().to_owned());
        assert_eq!(of("/a b,,S1").unwrap(), "config ubdcd=/a b,,S1");
        let longest = "x".repeat(MAX_ORDER - "config ubdcd=".len());
        assert_eq!(of(&longest).unwrap().len(), 511);
        assert_eq!(of(&format!("{longest}x")), Err(Unspeakable::Long(512)));
        for odd in ['\n', '\0', '\u{85}'] {
            assert_eq!(of(&format!("/a{odd}b")), Err(Unspeakable::Odd(odd)));
        }
        let vec = "vec0:transport=tap,ifname=lab0";
        assert_eq!(Order::interface(vec).unwrap().text(), format!("config {vec}"));
        assert_eq!(Order::interface("vec0:ifname=a b"), Err(Unspeakable::Odd(' ')));
    }

    proptest! {
        #[test]
        fn units_read_back_as_they_are_written(
            unit in prop_oneof![
                (0_u8..16).prop_map(Unit::Disk),
                any::<u32>().prop_map(Unit::Interface),
                any::<u32>().prop_map(Unit::Console),
                any::<u32>().prop_map(Unit::Serial),
            ],
            text in "(ubd|vec|con|ssl|x)?[+0-9a-q]{0,4}",
        ) {
            prop_assert_eq!(unit.to_string().parse(), Ok(unit));
            if let Ok(unit) = text.parse::<Unit>() {
                prop_assert_eq!(unit.to_string(), text);
            }
        }
    }
}
