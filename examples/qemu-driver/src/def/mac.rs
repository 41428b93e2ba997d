//! `Mac`: the address of a network card.

use driver_api::types::uuid::Uuid;
use std::fmt;
use std::io;
use std::str::FromStr;

/// Six bytes, printed as libvirt prints them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mac(pub(crate) [u8; 6]);

impl Mac {
    /// An address with QEMU's own first three bytes.
    ///
    /// # Errors
    /// The kernel's random source failed.
    pub(crate) fn random() -> io::Result<Self> {
        let uuid = Uuid::random()?;
        let [a, b, c, ..] = uuid.as_bytes();
        Ok(Self([0x52, 0x54, 0, *a, *b, *c]))
    }

    /// That of the host's end: another than the guest's, and so high that no bridge takes it for its own.
    pub(crate) const fn host_side(self) -> Self {
        let [_, rest @ ..] = self.0;
        let [b, c, d, e, f] = rest;
        Self([0xfe, b, c, d, e, f])
    }

    /// Whether it is no card's own.
    pub(crate) const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let byte = |part: &str| match part.len() {
            1 | 2 => u8::from_str_radix(part, 16).map_err(drop),
            _ => Err(()),
        };
        let bytes = text.split(':').map(byte).collect::<Result<Vec<_>, _>>()?;
        bytes.try_into().map(Self).map_err(drop)
    }
}
