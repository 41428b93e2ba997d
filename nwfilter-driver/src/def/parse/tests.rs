//! Tests of reading: modes, codes, and documents made to cost much.

use super::*;

fn rules(count: usize, body: &str) -> String {
    let rule = format!("<rule action='drop' direction='in'>{body}</rule>");
    format!("<filter name='big'>{}</filter>", rule.repeat(count))
}

#[test]
fn ten_thousand_rules_are_read_and_survive() {
    let document = rules(10_000, "<tcp srcipaddr='10.1' dstportstart='80'/>");
    let parsed = parse(document.as_bytes(), Mode::Strict).unwrap();
    assert_eq!(parsed.def.entries.len(), 10_000);
    let again = parse(parsed.def.to_string().as_bytes(), Mode::Strict).unwrap();
    assert_eq!(again.def, parsed.def);
}

#[test]
fn a_flood_of_doubts_is_cut_short() {
    for document in [
        rules(1, &format!("<tcp/>{}", "<udp/>".repeat(20_000))),
        rules(1, &"<tpc/>".repeat(20_000)),
        rules(5_000, "<tcp dstprot='1' srcprot='2'/>"),
        format!("<filter name='x'>{}</filter>", "<rule_ a='b'/>".repeat(20_000)),
    ] {
        assert_eq!(
            parse(document.as_bytes(), Mode::Compat).unwrap().doubts.len(),
            MAX_DOUBTS
        );
        assert_eq!(
            parse(document.as_bytes(), Mode::Strict).unwrap_err().code(),
            Code::XML_ERROR
        );
    }
}

#[test]
fn a_document_without_uuid_gets_a_fresh_one_each_time() {
    let read = || parse(b"<filter name='x'><uuid/></filter>", Mode::Strict).unwrap();
    let (a, b) = (read(), read());
    assert!(a.fresh_uuid && b.fresh_uuid && a.def.uuid != b.def.uuid);
    let given = parse(
        b"<filter name='x'><uuid> 5c6d49afb07161 27-b4ec6f8ed4b55335</uuid></filter>",
        Mode::Strict,
    );
    assert_eq!(
        given.unwrap().def.uuid.to_string(),
        "5c6d49af-b071-6127-b4ec-6f8ed4b55335"
    );
}
