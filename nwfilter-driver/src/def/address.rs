//! Addresses and masks as libvirt reads and prints them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Six bytes of a MAC address or mask.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Six numbers of one or two hexadecimal digits with `:` between them; blanks may follow.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = text.trim_ascii_end().split(':');
        for byte in &mut bytes {
            let part = parts.next()?;
            if part.is_empty() || part.len() > 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(bytes))
    }

    /// Whether ones are followed by zeros only.
    #[must_use]
    pub fn is_mask(self) -> bool {
        let bits = self.0.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte)) << 16;
        bits.leading_ones() == bits.count_ones()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// An IPv4 address in any of the forms of `inet_aton`: the last part fills what is left (`10.1` is 10.0.0.1), a leading
/// `0` means octal and `0x` hexadecimal.
#[must_use]
pub fn read_v4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(read_part).collect::<Option<_>>()?;
    let (last, before) = parts.split_last()?;
    if before.len() > 3 || before.iter().any(|part| *part > 0xff) {
        return None;
    }
    let left = 8 * (4 - before.len());
    if u64::from(*last) >> left != 0 {
        return None;
    }
    let high = before
        .iter()
        .zip([24, 16, 8])
        .fold(0, |bits, (part, shift)| bits | part << shift);
    Some(Ipv4Addr::from_bits(high | last))
}

fn read_part(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// An IPv6 address without a scope.
#[must_use]
pub fn read_v6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok()
}

/// The address as the C library prints it: an IPv4-compatible one ends in dotted form.
#[must_use]
pub fn print_v6(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
            let [.., a, b, c, d] = address.octets();
            format!("::{}", Ipv4Addr::new(a, b, c, d))
        }
        _ => address.to_string(),
    }
}

/// The prefix length of a mask that is given as a prefix length or as an address.
#[must_use]
pub fn read_v4_mask(text: &str) -> Option<u8> {
    match super::value::digits(text, 10) {
        Some(length) => u8::try_from(length).ok().filter(|length| *length <= 32),
        None => {
            let bits = read_v4(text)?.to_bits();
            prefix(bits.leading_ones(), bits.count_ones())
        }
    }
}

/// As [`read_v4_mask`], for IPv6.
#[must_use]
pub fn read_v6_mask(text: &str) -> Option<u8> {
    match super::value::digits(text, 10) {
        Some(length) => u8::try_from(length).ok().filter(|length| *length <= 128),
        None => {
            let bits = read_v6(text)?.to_bits();
            prefix(bits.leading_ones(), bits.count_ones())
        }
    }
}

fn prefix(leading: u32, ones: u32) -> Option<u8> {
    (leading == ones).then(|| u8::try_from(ones).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_odd_forms_of_addresses_mean_what_the_resolver_makes_of_them() {
        for (text, address) in [
            ("1.2.3.4", "1.2.3.4"),
            ("10.1", "10.0.0.1"),
            ("1.2.3", "1.2.0.3"),
            ("256", "0.0.1.0"),
            ("4294967295", "255.255.255.255"),
            ("010.0.0.1", "8.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0x1020304", "1.2.3.4"),
        ] {
            assert_eq!(read_v4(text).map(|a| a.to_string()).as_deref(), Some(address), "{text}");
        }
        for text in [
            "",
            "1.2.3.256",
            "1.2.3.4.5",
            "1.2.3.08",
            "1.2.3.4 ",
            "+1",
            "4294967296",
            "256.1",
            "::1",
            "1..2",
            "0x",
        ] {
            assert_eq!(read_v4(text), None, "{text}");
        }
        for (text, address) in [
            ("::1.2.3.4", "::1.2.3.4"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("::1", "::1"),
            ("::1:0", "::0.1.0.0"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ] {
            assert_eq!(read_v6(text).map(print_v6).as_deref(), Some(address), "{text}");
        }
        assert_eq!(read_v6("fe80::1%lo"), None);
    }

    #[test]
    fn masks_are_ones_then_zeros() {
        assert_eq!(read_v4_mask("255.255.0.0"), Some(16));
        assert_eq!(read_v4_mask("0.0.0.0"), Some(0));
        assert_eq!(read_v4_mask("+024"), Some(24));
        for text in ["33", "255.0.255.0", "255.255", "0x18", ""] {
            assert_eq!(read_v4_mask(text), None, "{text}");
        }
        assert_eq!(read_v6_mask("ffff:ffff::"), Some(32));
        assert_eq!(read_v6_mask("128"), Some(128));
        assert_eq!(read_v6_mask("129"), None);
        assert_eq!(read_v6_mask("ffff::ffff"), None);
        assert!(Mac([0xfe, 0, 0, 0, 0, 0]).is_mask() && Mac([0; 6]).is_mask() && Mac([0xff; 6]).is_mask());
        assert!(!Mac([0xff, 0, 0xff, 0, 0, 0]).is_mask() && !Mac([0x7f, 0, 0, 0, 0, 0]).is_mask());
    }

    #[test]
    fn mac_parts_have_one_or_two_digits() {
        assert_eq!(Mac::read("1:2:a:B:5:6 ").unwrap().to_string(), "01:02:0a:0b:05:06");
        for text in [
            "",
            "1:2:3:4:5",
            "1:2:3:4:5:6:7",
            "001:2:3:4:5:6",
            "g:2:3:4:5:6",
            "+1:2:3:4:5:6",
            " 1:2:3:4:5:6",
            "01-02-03-04-05-06",
        ] {
            assert_eq!(Mac::read(text), None, "{text}");
        }
    }
}
