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

fn refusal(document: &str) -> (Code, String) {
    let error = parse(document.as_bytes(), Mode::Strict).unwrap_err();
    (error.code(), error.to_string())
}

/// A filter with one rule on its third line.
fn ruled(rule: &str, body: &str) -> String {
    format!("<filter name='x'\n  chain='root'>\n <rule {rule}>{body}</rule>\n</filter>")
}

#[test]
fn every_refusal_tells_line_column_and_the_nearest_name() {
    let accept = "action='accept' direction='in'";
    for (document, code, position, hint) in [
        (
            "<filter\n nam='x'/>".to_owned(),
            1,
            "line 2, column 2",
            "is 'nam' meant",
        ),
        (
            "<filter name='x'\n  chian='root'/>".to_owned(),
            27,
            "line 2, column 3",
            "'chain'",
        ),
        (
            "<filter name='x'\n  chain='apr-x'/>".to_owned(),
            8,
            "line 2, column 3",
            "'arp'",
        ),
        (
            "<filter name='x'\n  chain='rootx'/>".to_owned(),
            8,
            "line 2, column 3",
            "'root'",
        ),
        (
            "<filter name='x' chain='arp'\n priority='1001'/>".to_owned(),
            8,
            "line 2, column 2",
            "1000",
        ),
        (
            "<filter name='x'\n priority='1'/>".to_owned(),
            27,
            "line 2, column 2",
            "chain",
        ),
        (
            "<filter name='x'>\n<uuid>1</uuid></filter>".to_owned(),
            27,
            "line 2, column 1",
            "uuid '1'",
        ),
        (
            "<filter name='x'>\n<rul/></filter>".to_owned(),
            27,
            "line 2, column 1",
            "'rule'",
        ),
        (
            ruled("acton='drop' direction='in'", ""),
            1,
            "line 3, column 8",
            "is 'acton' meant",
        ),
        (
            ruled("action='accpet' direction='in'", ""),
            67,
            "line 3, column 8",
            "'accept'",
        ),
        (
            ruled("action='drop' direction='inuot'", ""),
            67,
            "line 3, column 22",
            "'inout'",
        ),
        (
            ruled("action='drop' direction='in' priority='x'", ""),
            27,
            "line 3, column 37",
            "1000",
        ),
        (
            ruled("action='drop' direction='in' statematch='flase'", ""),
            27,
            "line 3, column 37",
            "'false'",
        ),
        (
            ruled("action='drop' direction='in' prioritty='1'", ""),
            27,
            "line 3, column 37",
            "'priority'",
        ),
        (ruled(accept, "<tpc/>"), 27, "line 3, column 39", "'tcp'"),
        (
            ruled(accept, "<tcp dstport='1'/>"),
            27,
            "line 3, column 44",
            "'dstportstart'",
        ),
        (ruled(accept, "<tcp\n state='NWE'/>"), 1, "line 4, column 2", "'NEW'"),
        (ruled(accept, "<tcp flags='SYN/AKC'/>"), 1, "line 3, column 44", "'ACK'"),
        (
            ruled(accept, "<mac protocolid='apr'/>"),
            1,
            "line 3, column 44",
            "'arp'",
        ),
        (
            ruled(accept, "<arp opcode='Requst'/>"),
            1,
            "line 3, column 44",
            "'Request'",
        ),
        (
            ruled(accept, "<tcp ipset='s' ipsetflags='scr'/>"),
            1,
            "line 3, column 54",
            "'src'",
        ),
        (ruled(accept, "<tcp match='On'/>"), 27, "line 3, column 44", "'no'"),
        (
            ruled(accept, "<tcp dstportend='1'/>"),
            27,
            "line 3, column 44",
            "'dstportstart'",
        ),
        (
            ruled(accept, "<tcp/><tcp\tdstportstart='65536'/>"),
            1,
            "line 3, column 50",
            "65535",
        ),
        (
            ruled(accept, "<ip dscp='1'\r\n  dstportstart='1'/>"),
            1,
            "line 4, column 3",
            "'protocol'",
        ),
        (
            ruled(accept, "<ip dstportstart='1' protocol='esp'/>"),
            1,
            "line 3, column 60",
            "tcp",
        ),
        (
            ruled(accept, "<all srcipaddr='1.1.1.1' srcipfrom='1.1.1.1'/>"),
            27,
            "line 3, column 64",
            "one of them",
        ),
        (
            ruled(accept, "<tcp srcipaddr='$A[x]'/>"),
            1,
            "line 3, column 44",
            "number of an element",
        ),
        (
            ruled(accept, "<tcp srcipaddr='$A[1]x'/>"),
            27,
            "line 3, column 44",
            "'x' behind the bracket",
        ),
        (
            "<filter name='x'>\n<filterref name='y'/></filter>".to_owned(),
            1,
            "line 2, column 1",
            "'filter'",
        ),
        (
            "<filter name='x'><filterref filter='y'>\n<parameter name='A' value='1/2'/></filterref></filter>"
                .to_owned(),
            27,
            "line 2, column 21",
            "'1/2'",
        ),
        (
            "<filter name='x'><filterref filter='y'>\n<parameter nmae='A' value='1'/></filterref></filter>".to_owned(),
            27,
            "line 2, column 12",
            "is 'nmae' meant",
        ),
    ] {
        let (got, message) = refusal(&document);
        assert_eq!(got, Code(code), "{document}: {message}");
        assert!(message.contains(&format!("{position}: ")), "{document}: {message}");
        assert!(message.contains(hint), "{document}: {message}");
    }
}

fn rule(body: &str) -> String {
    let document = ruled("action='drop' direction='in'", body);
    let printed = parse(document.as_bytes(), Mode::Strict).unwrap().def.to_string();
    let (_, rest) = printed.split_once("priority='500'>\n    ").unwrap();
    rest.split_once("\n  </rule>").unwrap().0.to_owned()
}

/// Where libvirt loses a condition without a word or can not read one, this keeps it.
#[test]
fn conditions_that_libvirt_loses_are_kept() {
    for body in [
        "<tcp ipset='s' ipsetflags='src,dst'/>",
        "<udp-ipv6 ipset='s' ipsetflags='dst'/>",
        "<all ipset='s' ipsetflags='src'/>",
        "<tcp-ipv6 flags='SYN,ACK/SYN'/>",
        "<tcp-ipv6 dstipfrom='2001:db8::1' dstipto='2001:db8::9'/>",
        "<all-ipv6 match='no' dstipfrom='2001:db8::1' dstipto='2001:db8::9'/>",
        "<tcp match='no' dstportstart='25'/>",
        "<ipv6 match='no' code='1'/>",
    ] {
        assert_eq!(rule(body), body);
    }
    assert_eq!(rule("<all ipset='s'/>"), "<all ipset='s' ipsetflags='src'/>");
    assert_eq!(
        rule("<esp match='no' ipset='s'/>"),
        "<esp match='no' ipset='s' ipsetflags='src'/>"
    );
    let (code, message) = refusal(&ruled(
        "action='drop' direction='in'",
        "<all-ipv6 dstipfrom='::1' dstipto='10.1'/>",
    ));
    assert!(
        code == Code::INTERNAL && message.contains("an IPv6 address"),
        "{message}"
    );
}

#[test]
fn a_chain_without_priority_has_the_one_of_its_kind() {
    for (chain, priority) in [
        ("root", 0),
        ("stp", -810),
        ("stp-lab", -810),
        ("mac", -800),
        ("vlan", -750),
        ("ipv4", -700),
        ("ipv6-x", -600),
        ("arp", -500),
        ("arpx", -500),
        ("rarp", -400),
    ] {
        let def = |text: String| parse(text.as_bytes(), Mode::Strict).unwrap().def;
        let given = def(format!("<filter name='x' chain='{chain}'/>"));
        assert_eq!(given.chain_priority, priority, "{chain}");
        assert_eq!(
            def(format!("<filter name='x' chain='{chain}' priority='7'/>")).chain_priority,
            7
        );
        assert_eq!(def(given.to_string()), given);
    }
}

#[test]
fn compat_is_chosen_by_name_and_tells_what_it_let_pass() {
    let document = |name: &str| {
        format!(
            "<filter name='{name}'>\n<rule action='accept' direction='in' priority='9999'><tcp dstport='22'/></rule></filter>"
        )
    };
    let modes = |name: &str| if name == "old" { Mode::Compat } else { Mode::Strict };
    let error = parse_by(document("new").as_bytes(), &modes).unwrap_err();
    assert_eq!(error.code(), Code::XML_ERROR);
    let parsed = parse_by(document("old").as_bytes(), &modes).unwrap();
    assert_eq!(parsed.doubts.len(), 2, "{:?}", parsed.doubts);
    assert!(
        parsed.doubts[0].starts_with("line 2, column 38: "),
        "{:?}",
        parsed.doubts
    );
    assert!(
        parsed.doubts[1].starts_with("line 2, column 59: "),
        "{:?}",
        parsed.doubts
    );
    assert!(parsed.def.to_string().contains("<tcp/>"));
}
