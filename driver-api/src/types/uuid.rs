//! `Uuid`: the identity of a domain or filter, sixteen raw bytes that cross the boundary as they are.

use abi_stable::StableAbi;
use std::fmt;
use std::str::FromStr;

/// A 128-bit identifier, printed in lower case with dashes as libvirt prints it.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, StableAbi)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// Wraps sixteen raw bytes, most significant first.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A random (version 4, RFC 9562) identifier from the kernel's generator.
    ///
    /// # Errors
    /// The kernel's random source failed.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0_u8; 16];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
        }
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAUuid;

impl fmt::Display for NotAUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UUID: 32 hexadecimal digits are wanted, dashes and blanks may stand between bytes")
    }
}

impl std::error::Error for NotAUuid {}

impl FromStr for Uuid {
    type Err = NotAUuid;

    /// Reads what libvirt reads: hexadecimal pairs, with dashes or blanks anywhere between two pairs.
    fn from_str(text: &str) -> Result<Self, NotAUuid> {
        let mut bytes = [0_u8; 16];
        let mut chars = text.trim().chars();
        for byte in &mut bytes {
            let high = chars
                .by_ref()
                .find(|c| *c != '-' && *c != ' ')
                .and_then(|c| c.to_digit(16));
            let low = chars.next().and_then(|c| c.to_digit(16));
            let (Some(high), Some(low)) = (high, low) else {
                return Err(NotAUuid);
            };
            *byte = u8::try_from(high * 16 + low).map_err(|_| NotAUuid)?;
        }
        if chars.next().is_some() {
            Err(NotAUuid)
        } else {
            Ok(Self(bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_accepts_what_libvirt_accepts_and_prints_the_canonical_form() {
        let canonical = "c7a5fdbd-edaf-9455-926a-d65c16db1809";
        for text in [
            canonical,
            "C7A5FDBDEDAF9455926AD65C16DB1809",
            " c7a5fdbd edaf-9455926a-d65c16db1809 ",
        ] {
            assert_eq!(text.parse::<Uuid>().unwrap().to_string(), canonical);
        }
        for text in [
            "",
            "c7a5",
            "g7a5fdbd-edaf-9455-926a-d65c16db1809",
            "c7a5fdbd-edaf-9455-926a-d65c16db18090",
        ] {
            assert_eq!(text.parse::<Uuid>(), Err(NotAUuid), "{text}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel for random bytes by a raw system call")]
    fn random_is_version_four_and_differs() {
        let (a, b) = (Uuid::random().unwrap(), Uuid::random().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.as_bytes()[6] >> 4, 4);
        assert_eq!(a.as_bytes()[8] >> 6, 2);
    }
}
