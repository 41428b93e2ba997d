//! Sizes in documents: a number with a unit, bytes unless one is named.

use super::ORIGIN;
use driver_api::error::Result;
use driver_api::kit::xml::Element;

/// The size that an element tells, in bytes.
///
/// # Errors
/// 27 when it is no number, has an unknown unit, or does not fit.
pub(super) fn parse(mut element: Element) -> Result<u64> {
    let unit = element.take_attr("unit");
    let text = element.text();
    let text = text.trim();
    let number: u64 = text.parse().map_err(|_| {
        let message = format!("'{text}' in <{}> is no size: a whole number is wanted", element.name);
        element.error(ORIGIN, message)
    })?;
    let scale = scale(unit.as_deref().unwrap_or("bytes")).ok_or_else(|| {
        let unit = unit.as_deref().unwrap_or_default();
        let message = format!(
            "<{}> does not know the unit '{unit}': bytes, KiB, MiB, GiB, TiB, PiB and EiB, or KB to EB of 1000",
            element.name
        );
        element.error(ORIGIN, message)
    })?;
    // Files end at what `off_t` holds.
    number
        .checked_mul(scale)
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| {
            element.error(
                ORIGIN,
                format!("'{text}' in <{}> is larger than any file", element.name),
            )
        })
}

fn scale(unit: &str) -> Option<u64> {
    let lower = unit.to_ascii_lowercase();
    if matches!(lower.as_str(), "" | "b" | "byte" | "bytes") {
        return Some(1);
    }
    let mut letters = lower.chars();
    let power = "kmgtpe".find(letters.next()?)?;
    let power = u32::try_from(power + 1).ok()?;
    match letters.as_str() {
        "" | "ib" => 1024_u64.checked_pow(power),
        "b" => 1000_u64.checked_pow(power),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_apart() {
        for (unit, bytes) in [
            (None, 3),
            (Some("bytes"), 3),
            (Some("KiB"), 3 << 10),
            (Some("k"), 3 << 10),
            (Some("KB"), 3000),
            (Some("MiB"), 3 << 20),
            (Some("G"), 3 << 30),
            (Some("TB"), 3_000_000_000_000),
        ] {
            let element = Element::new("capacity").with_attr_opt("unit", unit).with_text(" 3 ");
            assert_eq!(parse(element).unwrap(), bytes, "{unit:?}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_in_words() {
        for (unit, text, words) in [
            ("KiB", "-1", "is no size"),
            ("ells", "1", "does not know the unit 'ells'"),
            ("", "9223372036854775808", "larger than any file"),
            ("EiB", "16", "larger than any file"),
        ] {
            let element = Element::new("capacity").with_attr("unit", unit).with_text(text);
            let error = parse(element).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
