//! What the XDR types look like on the wire, and what they refuse.

use super::*;

fn both_ways<T: Xdr + PartialEq + fmt::Debug>(value: T, wire: &[u8]) {
    assert_eq!(encode(&value).unwrap(), wire);
    assert_eq!(decode::<T>(wire).unwrap(), value);
    for short in 0..wire.len() {
        assert_eq!(decode::<T>(&wire[..short]), Err(XdrError::Short), "{short} of {wire:?}");
    }
}

#[test]
fn plain_types_have_their_wire_form_and_refuse_every_shorter_one() {
    both_ways(-2_i32, &[255, 255, 255, 254]);
    both_ways(7_u8, &[0, 0, 0, 7]);
    both_ways(0x0102_u16, &[0, 0, 1, 2]);
    both_ways(true, &[0, 0, 0, 1]);
    both_ways(1.0_f64, &[0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
    both_ways(0x0102_0304_0506_0708_i64, &[1, 2, 3, 4, 5, 6, 7, 8]);
    both_ways(Uuid::from_bytes([9; 16]), &[9; 16]);
    both_ways("abcde".to_owned(), &[0, 0, 0, 5, b'a', b'b', b'c', b'd', b'e', 0, 0, 0]);
    both_ways(Some(3_u32), &[0, 0, 0, 1, 0, 0, 0, 3]);
    both_ways(None::<u32>, &[0, 0, 0, 0]);
    both_ways(List::<u32, 2>(vec![1, 2]), &[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
    both_ways(Opaque::<4>(vec![1, 2]), &[0, 0, 0, 2, 1, 2, 0, 0]);
    both_ways(Chars::<3>::new("abc"), &[0, 0, 0, b'a', 0, 0, 0, b'b', 0, 0, 0, 0]);
}

#[test]
fn any_non_zero_flag_is_a_present_option() {
    assert_eq!(decode::<Option<u32>>(&[1, 0, 0, 0, 0, 0, 0, 3]), Ok(Some(3)));
}

#[test]
fn counts_above_the_bound_are_refused_in_both_directions() {
    let huge = [0xff_u8; 8];
    assert!(matches!(
        decode::<List<u32, 2>>(&huge),
        Err(XdrError::TooLong { limit: 2, .. })
    ));
    assert!(matches!(
        decode::<Opaque<4>>(&huge),
        Err(XdrError::TooLong { limit: 4, .. })
    ));
    assert!(matches!(
        decode::<String>(&huge),
        Err(XdrError::TooLong { limit: STRING_MAX, .. })
    ));
    assert_eq!(
        encode(&List::<u32, 2>(vec![1, 2, 3])),
        Err(XdrError::TooLong { count: 3, limit: 2 })
    );
    // Within the bound but more than the message holds.
    assert_eq!(
        decode::<List<u32, 16384>>(&[0, 0, 0x40, 0, 0, 0, 0, 1]),
        Err(XdrError::Short)
    );
}

#[test]
fn strings_must_be_text_without_nul() {
    for bytes in [[0, 0, 0, 1, 0xff, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0]] {
        assert_eq!(decode::<String>(&bytes), Err(XdrError::NotText));
    }
}

#[test]
fn what_follows_a_value_is_ignored() {
    assert_eq!(decode::<u32>(&[0, 0, 0, 1, 9, 9]), Ok(1));
}

#[test]
fn a_text_too_long_for_its_chars_is_cut_between_characters() {
    assert_eq!(Chars::<4>::new("aéé").as_str(), "aé");
    assert_eq!(Chars::<0>::new("x").as_str(), "");
}
