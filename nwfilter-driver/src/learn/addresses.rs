//! Which addresses can belong to a guest, and which of those that it is seen to use count.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Whether one machine can have this address: not the unspecified one, no loopback, multicast, broadcast or reserved
/// one.
#[must_use]
pub fn usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !matches!(address.octets()[0], 0 | 127 | 224..),
        IpAddr::V6(address) => {
            let mapped = address.to_ipv4_mapped().is_some();
            !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || mapped)
        }
    }
}

/// What a guest that picks its addresses by itself may have: the first of each kind that it is seen to use. It is the
/// first that counts, since a guest that could go on choosing could take everybody's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pins(BTreeSet<IpAddr>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PinKind {
    V4,
    /// An IPv6 host has one of these for its link beside any other.
    LinkLocal,
    V6,
}

impl Pins {
    /// Those that are known already.
    #[must_use]
    pub fn new(known: &[IpAddr]) -> Self {
        Self(known.iter().copied().collect())
    }

    /// Takes an address if there is none of its kind yet; says whether it did.
    pub fn pin(&mut self, address: IpAddr) -> bool {
        let free = usable(address) && self.is_free(kind(address));
        free && self.0.insert(address)
    }

    /// Whether an IPv4 address can still be pinned.
    #[must_use]
    pub fn takes_v4(&self) -> bool {
        self.is_free(PinKind::V4)
    }

    /// Whether an IPv6 address can still be pinned.
    #[must_use]
    pub fn takes_v6(&self) -> bool {
        self.is_free(PinKind::LinkLocal) || self.is_free(PinKind::V6)
    }

    /// All of them.
    #[must_use]
    pub const fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.0
    }

    fn is_free(&self, wanted: PinKind) -> bool {
        !self.0.iter().any(|pinned| kind(*pinned) == wanted)
    }
}

const fn kind(address: IpAddr) -> PinKind {
    match address {
        IpAddr::V4(_) => PinKind::V4,
        IpAddr::V6(address) if address.is_unicast_link_local() => PinKind::LinkLocal,
        IpAddr::V6(_) => PinKind::V6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_one_machine_count() {
        for (text, expected) in [
            ("10.0.0.1", true),
            ("169.254.3.4", true),
            ("223.255.255.255", true),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("127.0.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("fe80::1", true),
            ("2001:db8::1", true),
            ("::", false),
            ("::1", false),
            ("ff02::1", false),
            ("::ffff:10.0.0.1", false),
        ] {
            assert_eq!(usable(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn the_first_address_of_each_kind_is_pinned() {
        let address = |text: &str| -> IpAddr { text.parse().unwrap() };
        let mut pins = Pins::default();
        assert!(!pins.pin(address("0.0.0.0")) && !pins.pin(address("ff02::1")));
        assert!(pins.takes_v4() && pins.takes_v6());
        assert!(pins.pin(address("fe80::1")) && !pins.pin(address("fe80::2")));
        assert!(pins.pin(address("10.0.0.1")) && !pins.pin(address("10.0.0.2")));
        assert!(!pins.takes_v4() && pins.takes_v6());
        assert!(pins.pin(address("2001:db8::1")) && !pins.pin(address("2001:db8::2")));
        assert!(!pins.takes_v6());
        assert_eq!(pins.addresses().len(), 3);
    }
}
