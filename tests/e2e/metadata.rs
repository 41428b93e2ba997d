//! Titles, descriptions and metadata elements as stock virsh sets and shows them.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "metadata_set_by_virsh_survives_a_crash",
        needs: &[Virsh],
        run: survives,
    },
    Case {
        name: "metadata_of_a_running_domain_is_changed_where_asked",
        needs: &[Root, Uml, Virsh],
        run: running,
    },
    Case {
        name: "metadata_that_makes_no_sense_is_refused",
        needs: &[Virsh],
        run: refused,
    },
    Case {
        name: "metadata_of_a_driver_without_it_is_not_supported",
        needs: &[Virsh],
        run: not_offered,
    },
];

const NOTE: &str = "<owner>\n  <name>ops</name>\n</owner>";

fn survives() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["desc", "vm1", "--title", "the first"]).ok();
    let _out = host.virsh(&["desc", "vm1", "what it is for"]).ok();
    let set = ["metadata", "vm1", "urn:ops", "--key", "ops", "--set", NOTE];
    let _out = host.virsh(&set).ok();
    host.kill();
    host.serve();
    assert_eq!(host.virsh(&["desc", "vm1", "--title"]).ok().trim(), "the first");
    assert_eq!(host.virsh(&["desc", "vm1"]).ok().trim(), "what it is for");
    assert_eq!(host.virsh(&["metadata", "vm1", "urn:ops"]).ok().trim(), NOTE);
    let xml = host.virsh(&["dumpxml", "vm1"]).ok();
    assert!(xml.contains("<ops:owner xmlns:ops='urn:ops'>"), "{xml}");
    let _out = host.virsh(&["metadata", "vm1", "urn:ops", "--remove"]).ok();
    assert!(host.virsh(&["metadata", "vm1", "urn:ops"]).fails().contains("vm1"));
    assert!(!host.virsh(&["dumpxml", "vm1"]).ok().contains("<metadata"));
    let list = host.virsh(&["list", "--all", "--title"]).ok();
    assert!(list.contains("the first"), "{list}");
}

fn running() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    assert!(
        host.virsh(&["desc", "vm1", "--live", "x"])
            .fails()
            .contains("not running")
    );
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["desc", "vm1", "--live", "now"]).ok();
    let _out = host.virsh(&["desc", "vm1", "--config", "later"]).ok();
    host.kill();
    host.serve();
    assert_eq!(host.virsh(&["desc", "vm1"]).ok().trim(), "now");
    assert_eq!(host.virsh(&["desc", "vm1", "--config"]).ok().trim(), "later");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.virsh(&["desc", "vm1"]).ok().trim(), "later");
}

fn refused() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    let before = host.virsh(&["dumpxml", "vm1"]).ok();
    for (note, why) in [
        ("<a/><b/>", "line 1"),
        ("<a xmlns='urn:other'/>", "urn:other"),
        ("<a>", "never closed"),
    ] {
        let set = ["metadata", "vm1", "urn:ops", "--key", "ops", "--set", note];
        let message = host.virsh(&set).fails();
        assert!(message.contains(why), "{note}: {message}");
    }
    assert_eq!(host.virsh(&["dumpxml", "vm1"]).ok(), before);
}

fn not_offered() {
    let host = Host::start();
    let uri = host.uri().replace("uml+unix", "hello+unix");
    let document = host.document("<domain><name>vm1</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></domain>");
    let define = format!("connect {uri}; define {}; desc vm1 text", document.display());
    let message = host.virsh(&[&define]).fails();
    assert!(
        message.contains("not supported") && message.contains("'hello'"),
        "{message}"
    );
}
