//! The few values that random filters and random packets share, so that they meet often.

use fastrand::Rng;

/// The guest's own address.
pub(crate) const GUEST: &str = "52:54:00:00:00:01";

/// Senders, as a bridge lets them pass.
pub(crate) const MACS: [&str; 5] = [
    GUEST,
    "52:54:00:00:00:fe",
    "52:54:00:00:01:05",
    "02:00:00:00:00:05",
    "52:55:ff:00:00:02",
];

/// Receivers besides them.
pub(crate) const GROUPS: [&str; 4] = [
    "ff:ff:ff:ff:ff:ff",
    "01:80:c2:00:00:00",
    "33:33:00:00:00:01",
    "01:00:5e:00:00:01",
];

pub(crate) const MAC_MASKS: [&str; 5] = [
    "ff:ff:ff:ff:ff:ff",
    "ff:ff:ff:00:00:00",
    "ff:fe:00:00:00:00",
    "ff:ff:ff:ff:ff:f0",
    "00:00:00:00:00:00",
];

pub(crate) const V4: [&str; 8] = [
    "192.0.2.10",
    "192.0.2.1",
    "192.0.2.77",
    "198.51.100.66",
    "10.1.2.3",
    "10.1.2.4",
    "0.0.0.0",
    "255.255.255.255",
];

pub(crate) const V4_MASKS: [&str; 7] = ["32", "24", "16", "31", "25", "0", "255.0.0.0"];

pub(crate) const V6: [&str; 6] = [
    "2001:db8::10",
    "2001:db8::77",
    "fe80::1",
    "ff02::1",
    "2001:db8:66::66",
    "::",
];

pub(crate) const V6_MASKS: [&str; 6] = ["128", "64", "10", "127", "33", "0"];

pub(crate) const PORTS: [u32; 10] = [22, 53, 67, 68, 80, 443, 1023, 1024, 5000, 65535];

pub(crate) const ETHER_TYPES: [u32; 7] = [0x0800, 0x0806, 0x8035, 0x86dd, 0x8100, 0x88cc, 0xffff];

pub(crate) const IP_PROTOCOLS: [u32; 11] = [1, 2, 6, 17, 41, 47, 50, 51, 58, 132, 136];

pub(crate) const ICMP: [u32; 7] = [0, 3, 8, 11, 13, 128, 129];

pub(crate) const ICMPV6: [u32; 8] = [1, 3, 128, 129, 133, 135, 136, 143];

pub(crate) const OPTIONS: [u32; 6] = [0, 1, 2, 3, 5, 30];

/// Code points, and 8 as a whole byte too.
pub(crate) const SERVICES: [u32; 5] = [0, 8, 32, 46, 63];

pub(crate) const VLANS: [u32; 5] = [0, 1, 5, 7, 4095];

/// One of a few.
pub(crate) fn one<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

/// Whether something happens that happens so often in a hundred times.
pub(crate) fn often(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(..100) < percent
}
