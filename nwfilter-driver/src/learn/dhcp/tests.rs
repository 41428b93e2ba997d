//! Messages as clients and servers send them, and as nobody should.

use super::*;
use crate::learn::testing::*;
use proptest::prelude::*;

#[test]
fn a_lease_is_read_with_all_that_matters() {
    let bytes = ack(0xdead_beef, "10.0.0.5", 3600)
        .current("10.0.0.4")
        .option(54, &[10, 0, 0, 1])
        .option(12, b"name")
        .option(80, &[])
        .bytes();
    let expected = Message {
        kind: Kind::Ack,
        xid: 0xdead_beef,
        client: GUEST,
        current: v4("10.0.0.4"),
        given: v4("10.0.0.5"),
        requested: None,
        server: Some(v4("10.0.0.1")),
        lease_time: Some(3600),
        rapid: true,
    };
    assert_eq!(Message::read(&bytes, false), Some(expected));
    assert_eq!(Message::read(&bytes, true), None);
    let question = Message::read(&request(1, "10.0.0.5").bytes(), true).unwrap();
    assert_eq!(
        (question.kind, question.requested),
        (Kind::Request, Some(v4("10.0.0.5")))
    );
}

#[test]
fn options_must_fit_and_the_first_one_counts() {
    let message = |options: &[u8]| {
        let mut bytes = request(1, "10.0.0.5").bytes();
        bytes.truncate(240);
        bytes.extend(options);
        Message::read(&bytes, true)
    };
    assert!(message(&[53, 1, 3]).is_some());
    assert!(message(&[0, 0, 53, 1, 3, 255, 50, 200]).is_some());
    for (what, options) in [
        ("no kind", &[255][..]),
        ("a kind that is none", &[53, 1, 9]),
        ("nothing behind the code", &[53, 1, 3, 50]),
        ("a value that is cut short", &[53, 1, 3, 50, 4, 10, 0, 0]),
        ("an address of three bytes", &[53, 1, 3, 50, 3, 10, 0, 0]),
        ("a kind of two bytes", &[53, 2, 3, 3]),
        ("an empty overload", &[53, 1, 3, 52, 0]),
    ] {
        assert_eq!(message(options), None, "{what}");
    }
    let twice = message(&[53, 1, 3, 50, 4, 10, 0, 0, 1, 50, 4, 10, 0, 0, 2, 53, 1, 4]).unwrap();
    assert_eq!((twice.kind, twice.requested), (Kind::Request, Some(v4("10.0.0.1"))));
}

#[test]
fn overloaded_fields_hold_options_too() {
    let overloaded = |overload| {
        let mut bytes = Dhcp::new(3, 1).option(52, &[overload]).bytes();
        bytes[108..114].copy_from_slice(&[50, 4, 10, 0, 0, 1]);
        bytes[114] = 255;
        bytes[44..50].copy_from_slice(&[54, 4, 10, 0, 0, 2]);
        let message = Message::read(&bytes, true).unwrap();
        (message.requested, message.server)
    };
    assert_eq!(overloaded(0), (None, None));
    assert_eq!(overloaded(1), (Some(v4("10.0.0.1")), None));
    assert_eq!(overloaded(2), (None, Some(v4("10.0.0.2"))));
    assert_eq!(overloaded(3), (Some(v4("10.0.0.1")), Some(v4("10.0.0.2"))));
    // An option in the file field must not run into the options behind it.
    let mut bytes = Dhcp::new(3, 1).option(52, &[1]).bytes();
    bytes[108] = 0;
    bytes[230..236].copy_from_slice(&[50, 5, 10, 0, 0, 1]);
    assert_eq!(Message::read(&bytes, true), None);
}

#[test]
fn only_ethernet_with_the_magic_number() {
    for (at, byte) in [(0, 2), (1, 6), (2, 16), (236, 0), (239, 98)] {
        let mut bytes = request(1, "10.0.0.5").bytes();
        bytes[at] = byte;
        assert_eq!(Message::read(&bytes, true), None, "{at}");
    }
    assert_eq!(Message::read(&[1; 239], true), None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        options in prop::collection::vec(any::<u8>(), 0..80),
        end in any::<prop::sample::Index>(),
        from_client in any::<bool>(),
    ) {
        let mut bytes = ack(1, "10.0.0.5", 60).bytes();
        bytes[0] = if from_client { 1 } else { 2 };
        bytes.truncate(240);
        bytes.extend(options);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Message::read(&bytes[..end.index(bytes.len() + 1)], from_client);
    }
}
