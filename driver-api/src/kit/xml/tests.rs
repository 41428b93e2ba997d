//! Tests of the XML kit: what is read, what is refused and where, and that printing loses nothing.

use super::*;
use crate::error::{Code, Origin};
use proptest::prelude::*;

fn read(document: &str) -> Element {
    parse(document.as_bytes(), Origin::XML, &Limits::default()).unwrap()
}

fn refusal(document: impl AsRef<[u8]>) -> String {
    let error = parse(document.as_ref(), Origin::NWFILTER, &Limits::default()).unwrap_err();
    assert_eq!((error.code(), error.origin()), (Code::XML_ERROR, Origin::NWFILTER));
    error.to_string()
}

#[test]
fn order_text_comments_and_positions_survive() {
    let tree = read("<?xml version='1.0' encoding='UTF-8'?>\n<a z='1' b='2'>\n  <c/>é<!-- x --><c>t</c>\n</a>\n");
    let names: Vec<_> = tree.attributes.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["z", "b"]);
    let second = tree.elements().nth(1).unwrap();
    assert_eq!(second.position, Position { line: 3, column: 18 });
    assert_eq!(second.text(), "t");
    assert_eq!(tree.attributes[1].position, Position { line: 2, column: 10 });
    let lines = read("<é\n a='&lt;é'\tb='\n' c=''/>");
    let places: Vec<_> = lines
        .attributes
        .iter()
        .map(|a| (a.position.line, a.position.column))
        .collect();
    assert_eq!(places, [(2, 2), (2, 12), (3, 3)]);
    assert!(
        matches!(&tree.children[..], [Node::Text(_), Node::Element(_), Node::Text(e), Node::Comment(x), ..] if e == "é" && x == " x ")
    );
}

#[test]
fn prints_as_libvirt_prints() {
    let tree = read(
        "<domain type=\"uml\"><name>a&quot;b'c&lt;&gt;&amp;é</name><description>line1\nline2</description>
         <metadata><x:foo xmlns:x='http://x/'>  text <x:bar/>  </x:foo></metadata><devices></devices>
         <os><cmdline>a=\"b c\" \t</cmdline></os></domain>",
    );
    let expected = "<domain type='uml'>
  <name>a&quot;b&apos;c&lt;&gt;&amp;é</name>
  <description>line1
line2</description>
  <metadata>
    <x:foo xmlns:x='http://x/'>  text <x:bar/>  </x:foo>
  </metadata>
  <devices/>
  <os>
    <cmdline>a=&quot;b c&quot; \t</cmdline>
  </os>
</domain>
";
    assert_eq!(tree.to_string(), expected);
    let mut moved = String::new();
    read("<a><b/></a>").write(&mut moved, 4);
    assert_eq!(moved, "    <a>\n      <b/>\n    </a>\n");
}

#[test]
fn attribute_white_space_survives_the_round_trip() {
    let element = Element::new("a").with_attr("b", "x\ty\nz\r'\"");
    assert_eq!(element.to_string(), "<a b='x&#9;y&#10;z&#13;&apos;&quot;'/>\n");
    assert_eq!(read(&element.to_string()), element);
    assert_eq!(read("<a b='1\r\n2\t3'/>").attr("b"), Some("1 2 3"));
    assert_eq!(read("<a>1\r\n2\r3</a>").text(), "1\n2\n3");
}

#[test]
fn each_refusal_tells_where_and_why() {
    let cases = [
        ("", "line 1, column 1: the document is empty"),
        ("<a>\n<b></a>", "line 2, column 4: ill-formed document"),
        ("<a>\n <b>", "line 2, column 2: <b> is never closed"),
        ("<a/><b/>", "line 1, column 5: a second root element"),
        ("x<a/>", "line 1, column 1: text 'x' outside the root element"),
        ("<a/>&amp;", "line 1, column 5: text '&' outside the root element"),
        (
            "<a/><![CDATA[x]]>",
            "line 1, column 5: text 'x' outside the root element",
        ),
        ("<a b='1' b='2'/>", "line 1, column 1: in <a>: "),
        ("<a b=1/>", "line 1, column 1: in <a>: "),
        ("<a b='<'/>", "attribute 'b' of <a>: '<' must be written as '&lt;'"),
        ("<a b='& '/>", "attribute 'b' of <a>: '&' must be written as '&amp;'"),
        (
            "<a b='&x;'/>",
            "attribute 'b' of <a>: '&x;' is not a character or a predefined entity",
        ),
        ("<1a/>", "'1a' is not a name for an element"),
        ("<a 1='2'/>", "'1' is not a name for an attribute"),
        (
            "<a>&nbsp;</a>",
            "line 1, column 4: '&nbsp;' is not a character or a predefined entity",
        ),
        ("<a>&#0;</a>", "'&#0;' is not a character"),
        ("<a>&#x1;</a>", "'&#x1;' is not a character"),
        (
            "<a>\u{1}</a>",
            "line 1, column 4: character U+0001 is not allowed in XML",
        ),
        ("<a>]]></a>", "text must not contain ']]>'"),
        (
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
            "line 1, column 1: document types and entity declarations are not",
        ),
        (
            "<?xml version='1.0' encoding='latin1'?><a/>",
            "encoding 'latin1' is not accepted, only UTF-8 is",
        ),
        (
            "<a/><?xml version='1.0'?>",
            "line 1, column 5: an XML declaration may only open the document",
        ),
    ];
    for (document, expected) in cases {
        let message = refusal(document);
        assert!(message.contains(expected), "{document}: {message}");
    }
    assert_eq!(refusal(b"<a>\n\xff</a>"), "line 2, column 1: the document is not UTF-8");
}

#[test]
#[cfg_attr(miri, ignore = "documents as large as the limits take Miri more than minutes")]
fn limits_hold_at_their_edge() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    read(&nested(64));
    assert!(refusal(nested(65)).contains("nested deeper than 64"));
    assert!(refusal("<a>".repeat(64) + "<b/>").contains("nested deeper than 64"));
    let wide = |count: usize| {
        let attributes: Vec<String> = (0..count).map(|i| format!("a{i}=''")).collect();
        format!("<a {}/>", attributes.join(" "))
    };
    read(&wide(256));
    assert!(refusal(wide(257)).contains("<a> has more than 256 attributes"));
    assert!(refusal(format!("<a>{}</a>", "<b/>".repeat(1 << 18))).contains("has more than 262144 elements"));
    let big = vec![b' '; 10_000_000];
    assert_eq!(
        refusal(big),
        "the document has 10000000 bytes, at most 4194304 are read"
    );
}

#[test]
fn what_is_not_taken_is_refused_with_the_nearest_name() {
    let mut rule = read("<rule action='drop' prio='1'>\n  <ip srcipadr='1'/>\n</rule>");
    assert_eq!(rule.take_attr("action").as_deref(), Some("drop"));
    let error = rule.refuse_rest(Origin::NWFILTER, &["priority", "action"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1, column 21: unknown attribute 'prio' of <rule>, did you mean 'priority'?"
    );
    rule.take_attr("prio");
    let error = rule.refuse_rest(Origin::NWFILTER, &["tcp", "ipv6"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2, column 3: unknown element <ip> in <rule>, did you mean 'ipv6'?"
    );
    assert_eq!(rule.take_children("ip").len(), 1);
    rule.refuse_rest(Origin::NWFILTER, &[]).unwrap();
    assert!(read("<a> x </a>").refuse_rest(Origin::XML, &[]).is_err());
}

fn tree() -> impl Strategy<Value = Element> {
    let text = "[ -~éß\t\n]{1,8}";
    let name = "[a-z_][a-z0-9:.-]{0,5}";
    let attributes = prop::collection::btree_map(name, "[ -~é\t\n\r]{0,8}", 0..4);
    let leaf = (name, attributes.clone(), prop::option::of(text)).prop_map(|(name, attributes, text)| {
        let element = Element::new(name).with_text(text.unwrap_or_default());
        attributes
            .iter()
            .fold(element, |element, (key, value)| element.with_attr(key, value))
    });
    leaf.prop_recursive(5, 40, 5, move |inner| {
        (name, attributes.clone(), prop::collection::vec(inner, 1..5)).prop_map(|(name, attributes, children)| {
            let element = Element::new(name).with_children(children);
            attributes
                .iter()
                .fold(element, |element, (key, value)| element.with_attr(key, value))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[cfg_attr(miri, ignore = "the regular expressions behind random trees take Miri more than minutes to compile")]
    fn printing_and_reading_give_the_same_tree(tree in tree()) {
        let printed = tree.to_string();
        prop_assert_eq!(&read(&printed), &tree);
        check_round_trip(printed.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        check_round_trip(&bytes);
    }

    #[test]
    #[cfg_attr(miri, ignore = "the regular expression behind random markup takes Miri more than minutes to compile")]
    fn any_markup_is_read_or_refused(text in "(<a>|</a>|<b c='|'/>|&amp;|&#1;|<!--|-->|-| |\n|x|]]>|<!\\[CDATA\\[){0,24}") {
        check_round_trip(format!("<r>{text}</r>").as_bytes());
    }
}
