//! Messages as clients and servers send them, and as nobody should.

use super::*;
use crate::learn::testing::{dhcp6, v6};
use proptest::prelude::*;

fn with(option: &[u8]) -> Vec<u8> {
    [&dhcp6(7, 1, &[("2001:db8::5", 60)])[..], option].concat()
}

#[test]
fn addresses_are_read_with_their_lifetimes() {
    let message = Message::read(&dhcp6(7, 0x00ab_cdef, &[("2001:db8::5", 60), ("2001:db8::6", 0)])).unwrap();
    assert_eq!(
        (message.kind, message.xid, message.rapid),
        (Kind::Reply, 0x00ab_cdef, false)
    );
    assert_eq!(message.addresses, [(v6("2001:db8::5"), 60), (v6("2001:db8::6"), 0)]);
    assert!(Message::read(&with(&[0, 14, 0, 0])).unwrap().rapid);
    assert_eq!(Message::read(&dhcp6(2, 1, &[])), None);
    assert_eq!(Message::read(&dhcp6(12, 1, &[])), None);
}

#[test]
fn what_failed_gives_no_address() {
    let mut failed = dhcp6(7, 1, &[("2001:db8::5", 60)]);
    // The association: 12 bytes of its own, an address of 28, then a status of 6.
    failed[11] += 1;
    let length = failed.len() - 14;
    failed[13] = u8::try_from(length + 6).unwrap();
    failed[11] = 3;
    failed.extend([0, 13, 0, 2, 0, 2]);
    assert_eq!(Message::read(&failed).unwrap().addresses, []);
    let last = failed.len() - 1;
    failed[last] = 0;
    assert_eq!(Message::read(&failed).unwrap().addresses.len(), 1);
}

#[test]
fn nothing_runs_over_the_end() {
    let whole = dhcp6(7, 1, &[("2001:db8::5", 60)]);
    for end in 13..whole.len() {
        assert_eq!(Message::read(&whole[..end]), None, "{end}");
    }
    assert_eq!(Message::read(&with(&[0, 99])), None);
    assert_eq!(Message::read(&with(&[0, 99, 0, 1])), None);
    assert_eq!(Message::read(&with(&[0, 3, 0, 2, 1, 1])), None);
    assert!(Message::read(&with(&[0, 99, 0, 1, 5])).is_some());
}

#[test]
fn a_message_of_many_addresses_is_bounded() {
    let many: Vec<(String, u32)> = (0..50).map(|n| (format!("2001:db8::{n:x}"), 60)).collect();
    let many: Vec<(&str, u32)> = many.iter().map(|(address, valid)| (address.as_str(), *valid)).collect();
    let one = dhcp6(7, 1, &many);
    let two = [&one[..], &one[10..]].concat();
    assert_eq!(Message::read(&two).unwrap().addresses.len(), 64);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        more in prop::collection::vec(any::<u8>(), 0..80),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = with(&more);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Message::read(&bytes[..end.index(bytes.len() + 1)]);
    }
}
