//! What is written is what is read: every expression and object, there and back.

use super::expression::{ct, exthdr, meta, payload};
use super::object::PlacedRule;
use super::wire::{Attributes, Header, Messages, Writer};
use super::*;
use proptest::prelude::*;

fn register() -> impl Strategy<Value = Register> {
    (0..16_u8).prop_map(Register)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..=16)
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_.:-]{1,40}"
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Accept),
        Just(Verdict::Drop),
        Just(Verdict::Continue),
        Just(Verdict::Return),
        name().prop_map(Verdict::Jump),
        name().prop_map(Verdict::Goto),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
    ]
}

fn expression() -> impl Strategy<Value = Expression> {
    let reads = prop_oneof![
        register().prop_map(|into| Expression::Meta {
            key: meta::IIFNAME,
            into
        }),
        register().prop_map(|from| Expression::MetaSet { key: meta::MARK, from }),
        register().prop_map(|into| Expression::Connection { key: ct::STATE, into }),
        (0..3_u32, any::<u8>(), 1..=16_u32, register()).prop_map(|(base, offset, len, into)| Expression::Payload {
            base: base.min(payload::TRANSPORT),
            offset: offset.into(),
            len,
            into,
        }),
        (any::<u8>(), register()).prop_map(|(kind, into)| Expression::Present {
            header: exthdr::TCP_OPTION,
            kind,
            into,
        }),
        (register(), value()).prop_map(|(into, value)| Expression::Immediate { into, value }),
    ];
    let works = prop_oneof![
        (register(), register(), value()).prop_map(|(from, into, mask)| Expression::Mask {
            from,
            into,
            xor: mask.iter().map(|byte| !byte).collect(),
            mask,
        }),
        (register(), comparison(), value()).prop_map(|(from, how, with)| Expression::Compare { from, how, with }),
        (register(), any::<bool>(), value(), value()).prop_map(|(from, negated, low, high)| Expression::Range {
            from,
            negated,
            low,
            high,
        }),
        (name(), register(), any::<bool>()).prop_map(|(set, key, negated)| Expression::Lookup { set, key, negated }),
        (name(), register()).prop_map(|(map, key)| Expression::Dispatch { map, key }),
    ];
    let acts = prop_oneof![
        verdict().prop_map(Expression::Verdict),
        Just(Expression::Counter),
        (1..u64::from(u32::MAX), 1..u32::MAX).prop_map(|(per_second, burst)| Expression::Limit { per_second, burst }),
        any::<u8>().prop_map(|code| Expression::Reject { code }),
        (name(), register(), any::<u32>()).prop_map(|(set, key, above)| Expression::CountConnections {
            set,
            key,
            above,
        }),
        (name(), any::<u32>(), value()).prop_map(|(name, revision, info)| Expression::Match { name, revision, info }),
    ];
    prop_oneof![reads, works, acts]
}

/// Writes a message, and reads it.
fn through<T>(write: impl FnOnce(&mut Writer), read: impl FnOnce(wire::Message<'_>) -> Option<T>) -> Option<T> {
    let mut writer = Writer::default();
    let header = Header {
        kind: 0,
        flags: 0,
        sequence: 0,
        port: 0,
    };
    writer.message(header, Family::Bridge.number(), 0, write);
    let message = Messages(writer.bytes()).next()?;
    read(message)
}

proptest! {
    #[test]
    fn rules_come_back(expressions in proptest::collection::vec(expression(), 0..8), comment in "[ -~]{0,100}") {
        let rule = Rule { expressions, comment: Some(comment) };
        let write = |w: &mut Writer| {
            rule.encode("table", "chain", w);
            w.long(3, 7);
        };
        let placed: Option<PlacedRule> = through(write, Rule::decode);
        prop_assert_eq!(placed.unwrap().rule, rule);
    }

    #[test]
    fn elements_come_back(keys in proptest::collection::vec((value(), verdict()), 0..20)) {
        let elements: Vec<_> = keys.into_iter().map(|(key, verdict)| Element { key, verdict: Some(verdict) }).collect();
        let read = through(|w| Element::encode_list(&elements, "t", "s", w), Element::decode_list);
        prop_assert_eq!(read.unwrap(), elements);
    }

    #[test]
    fn any_bytes_are_some_expression(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Expression::decode(Attributes(&bytes));
        let _ = through(|w| w.bytes_of(4, &bytes), Rule::decode);
        let _ = through(|w| w.bytes_of(3, &bytes), Element::decode_list);
    }
}

#[test]
fn objects_come_back() {
    let table = Table {
        name: "t".to_owned(),
        comment: Some("a word".to_owned()),
        owned: true,
        dormant: false,
    };
    assert_eq!(through(|w| table.encode(w), Table::decode), Some(table));
    for base in [
        None,
        Some(BaseChain {
            hook: 2,
            priority: -200,
        }),
    ] {
        let chain = Chain {
            table: "t".to_owned(),
            name: "c".to_owned(),
            base,
        };
        assert_eq!(through(|w| chain.encode(w), Chain::decode), Some(chain));
    }
    for (map, evaluated) in [(true, None), (false, Some(9)), (false, None)] {
        let set = Set {
            table: "t".to_owned(),
            name: "s".to_owned(),
            key_type: 41,
            key_len: 16,
            map,
            evaluated,
        };
        assert_eq!(through(|w| set.encode(1, w), Set::decode), Some(set));
    }
}

#[test]
fn a_long_list_of_elements_takes_several_messages() {
    let elements: Vec<_> = (0..5000_u32)
        .map(|number| Element {
            key: number.to_be_bytes().repeat(16),
            verdict: None,
        })
        .collect();
    let lists: Vec<_> = batch::parts(&elements).collect();
    assert!(lists.len() > 5);
    assert_eq!(lists.concat(), elements);
    let mut batch = Batch::default();
    batch.add_elements(Family::Bridge, "t", "s", &elements, &());
    assert_eq!(batch.len(), lists.len());
    assert!(batch.finish(true).is_some());
}
