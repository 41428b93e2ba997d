//! `Setting`: the kinds of values that `lockstep.toml` knows, how each is read, and how it is printed again.

use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

/// One kind of value: what it is called, how it is read, how it is printed.
pub trait Setting: Sized {
    /// What a person calls such a value, with an example.
    const KIND: &'static str;

    /// The value, or what was found instead.
    ///
    /// # Errors
    /// A fragment that names what was found, to stand behind "expected KIND, found ".
    fn read(value: &DeValue<'_>) -> Result<Self, String>;

    /// The value as TOML text that [`Setting::read`] reads back as the same value.
    fn show(&self) -> String;
}

/// Bytes; written as `"2 MiB"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub u64);

/// Permission bits of a socket; `None` is `"auto"`: 0660 for the system's host, 0600 for a user's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketMode(pub Option<u32>);

/// A value as a message names it.
pub(super) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("'{text}'"),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Setting for String {
    const KIND: &'static str = "a text";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| found(value))
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl Setting for bool {
    const KIND: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| found(value))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for u32 {
    const KIND: &'static str = "a whole number from 0 to 4294967295";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value
            .as_integer()
            .and_then(|number| Self::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok())
            .ok_or_else(|| found(value))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for Vec<PathBuf> {
    const KIND: &'static str = "a list of paths";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let list = value.as_array().ok_or_else(|| found(value))?;
        let path = |item: &DeValue<'_>| item.as_str().map(PathBuf::from).ok_or_else(|| found(item));
        list.iter().map(|item| path(item.get_ref())).collect()
    }

    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(|path| quoted(&path.to_string_lossy())).collect();
        format!("[{}]", items.join(", "))
    }
}

impl Setting for Duration {
    const KIND: &'static str = "a time such as \"30s\", \"500ms\" or \"2min\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().and_then(parse_duration).ok_or_else(|| found(value))
    }

    fn show(&self) -> String {
        let millis = self.as_millis();
        let text = match millis {
            0 => "0s".to_owned(),
            _ if millis.is_multiple_of(60_000) => format!("{}min", millis / 60_000),
            _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
            _ => format!("{millis}ms"),
        };
        quoted(&text)
    }
}

/// A time in words: a whole number and one of `ms`, `s`, `min`, `h`; `s` where none is given.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

impl Setting for Size {
    const KIND: &'static str = "a size such as \"2 MiB\" or \"512 KiB\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().and_then(parse_size).ok_or_else(|| found(value))
    }

    fn show(&self) -> String {
        let text = match self.0 {
            0 => "0 B".to_owned(),
            bytes if bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
            bytes if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
            bytes if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
            bytes => format!("{bytes} B"),
        };
        quoted(&text)
    }
}

fn parse_size(text: &str) -> Option<Size> {
    let (number, unit) = split_unit(text)?;
    let shift = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift).map(Size)
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

impl Setting for SocketMode {
    const KIND: &'static str = "\"auto\" or permission bits such as \"0660\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| found(value))?;
        if text == "auto" {
            return Ok(Self(None));
        }
        match u32::from_str_radix(text, 8) {
            Ok(bits) if bits <= 0o777 => Ok(Self(Some(bits))),
            _ => Err(found(value)),
        }
    }

    fn show(&self) -> String {
        match self.0 {
            None => quoted("auto"),
            Some(bits) => quoted(&format!("{bits:04o}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Setting>(text: &str) -> Result<T, String> {
        T::read(DeValue::parse(text).unwrap().get_ref())
    }

    #[test]
    fn every_kind_reads_back_what_it_prints() {
        for millis in [0, 1, 999, 1_000, 1_500, 60_000, 3_600_000] {
            let value = Duration::from_millis(millis);
            assert_eq!(read(&value.show()), Ok(value), "{}", value.show());
        }
        for bytes in [0, 1, 1023, 1 << 10, 3 << 20, 1 << 31] {
            assert_eq!(read(&Size(bytes).show()), Ok(Size(bytes)));
        }
        for bits in [None, Some(0o600), Some(0o666)] {
            assert_eq!(read(&SocketMode(bits).show()), Ok(SocketMode(bits)));
        }
        let paths = vec![PathBuf::from("/a \"b\""), PathBuf::from("/c")];
        assert_eq!(read(&paths.show()), Ok(paths));
        assert_eq!(
            read(&"quote \" and \n".to_owned().show()),
            Ok("quote \" and \n".to_owned())
        );
        assert_eq!(read::<u32>("0x10"), Ok(16));
    }

    #[test]
    fn wrong_values_are_named_as_found() {
        assert_eq!(read::<u32>("-1"), Err("-1".to_owned()));
        assert_eq!(read::<u32>("4294967296"), Err("4294967296".to_owned()));
        assert_eq!(read::<bool>("'yes'"), Err("'yes'".to_owned()));
        assert_eq!(read::<Duration>("'5 days'"), Err("'5 days'".to_owned()));
        assert_eq!(
            read::<Duration>("'99999999999999999999h'"),
            Err("'99999999999999999999h'".to_owned())
        );
        assert_eq!(read::<Size>("['1']"), Err("a list".to_owned()));
        assert_eq!(read::<SocketMode>("'0999'"), Err("'0999'".to_owned()));
        assert_eq!(read::<SocketMode>("'1777'"), Err("'1777'".to_owned()));
        assert_eq!(read::<Vec<PathBuf>>("['/a', 1]"), Err("1".to_owned()));
    }
}
