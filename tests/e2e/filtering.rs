//! Filters on ports without a guest, as stock virsh binds them, with frames that pass or do not.

use conformance::case::Case;
use conformance::host::Host;
use conformance::need::Need::{Root, Virsh};
use conformance::net::{Net, Tap, frame, udp};
use conformance::wait::until;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "binding_filters_a_port_until_it_is_deleted",
        needs: &[Root, Virsh],
        run: bound,
    },
    Case {
        name: "binding_changes_with_its_filter_or_not_at_all",
        needs: &[Root, Virsh],
        run: redefined,
    },
    Case {
        name: "binding_outlives_the_host_and_its_device",
        needs: &[Root, Virsh],
        run: outlives,
    },
    Case {
        name: "binding_that_can_not_be_is_refused_with_its_reason",
        needs: &[Root, Virsh],
        run: refused,
    },
    Case {
        name: "binding_rules_that_somebody_else_flushed_are_made_anew",
        needs: &[Root, Virsh],
        run: flushed,
    },
    Case {
        name: "binding_without_an_address_is_closed_until_it_is_learned",
        needs: &[Root, Virsh],
        run: learned,
    },
    Case {
        name: "binding_whose_file_is_damaged_is_closed_and_stops_nobody",
        needs: &[Root, Virsh],
        run: damaged,
    },
    Case {
        name: "binding_is_made_by_one_host_at_a_time",
        needs: &[Root, Virsh],
        run: rivals,
    },
    Case {
        name: "binding_of_an_ordinary_users_host_is_refused_with_its_reason",
        needs: &[Root, Virsh],
        run: ordinary,
    },
];

const FILTER: &str = "lab";
const UUID: &str = "5c6d49af-b071-6127-b4ec-6f8ed4b55335";
const GUEST: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const OTHER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];

/// Two taps on a bridge; the first one is the guest's.
struct Lab {
    net: Net,
    guest: Tap,
    other: Tap,
}

impl Lab {
    fn new() -> Self {
        let net = Net::unshare();
        net.bridge("br0");
        let (guest, other) = (net.tap("tap0", Some("br0")), net.tap("tap1", Some("br0")));
        Self { net, guest, other }
    }

    /// Whether the guest's packet from this address to this port comes out at the other end.
    fn passes(&self, from: [u8; 6], port: u16) -> bool {
        self.passes_from(from, [10, 0, 0, 1], port)
    }

    fn passes_from(&self, from: [u8; 6], address: [u8; 4], port: u16) -> bool {
        // The kernel takes padding away from shorter packets.
        let packet = udp((address, 1000), ([10, 0, 0, 2], port), b"long enough for a frame");
        let frame = frame(OTHER, from, 0x0800, &packet);
        self.guest.send(&frame);
        self.other.got(&frame)
    }
}

fn rule(conditions: &str) -> String {
    format!("<rule action='drop' direction='out' priority='100'>{conditions}</rule>")
}

fn define(host: &Host, rules: &str) -> conformance::virsh::Answer {
    let document = host.document(&format!("<filter name='{FILTER}'><uuid>{UUID}</uuid>{rules}</filter>"));
    host.virsh(&["nwfilter-define", &document.to_string_lossy()])
}

fn binding(port: &str, parameters: &str) -> String {
    format!(
        "<filterbinding>\n  <owner>\n    <name>vm1</name>\n    <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>\n  </owner>\n  \
         <portdev name='{port}'/>\n  <mac address='02:00:00:00:00:01'/>\n  <filterref filter='{FILTER}'>\n{parameters}    \
         <parameter name='MAC' value='02:00:00:00:00:01'/>\n  </filterref>\n</filterbinding>\n"
    )
}

fn create(host: &Host, xml: &str) -> conformance::virsh::Answer {
    let document = host.document(xml);
    host.virsh(&["nwfilter-binding-create", &document.to_string_lossy()])
}

const OWN_MAC: &str = "<mac match='no' srcmacaddr='$MAC'/>";

fn bound() {
    let lab = Lab::new();
    let host = Host::start();
    let _out = define(&host, &rule(OWN_MAC)).ok();
    assert!(lab.passes(OTHER, 53));
    let _out = create(&host, &binding("tap0", "")).ok();
    assert!(lab.passes(GUEST, 53) && !lab.passes([2, 0, 0, 0, 0, 9], 53));
    assert!(host.virsh(&["nwfilter-binding-list"]).ok().contains("tap0"));
    assert_eq!(
        host.virsh(&["nwfilter-binding-dumpxml", "tap0"]).ok(),
        binding("tap0", "")
    );
    let in_use = host.virsh(&["nwfilter-undefine", FILTER]).fails();
    assert!(in_use.contains("'tap0'"), "{in_use}");
    let twice = create(&host, &binding("tap0", "")).fails();
    assert!(twice.contains("bound already"), "{twice}");
    let _out = host.virsh(&["nwfilter-binding-delete", "tap0"]).ok();
    assert!(lab.passes([2, 0, 0, 0, 0, 9], 53));
    assert!(!lab.net.ruleset().contains("tap0"));
    let _out = host.virsh(&["nwfilter-undefine", FILTER]).ok();
}

fn redefined() {
    let lab = Lab::new();
    let host = Host::start();
    let port = |number: u16| format!("<ip protocol='udp' dstportstart='{number}'/>");
    let _out = define(&host, &rule(&port(53))).ok();
    let _out = create(&host, &binding("tap0", "")).ok();
    assert!(!lab.passes(GUEST, 53) && lab.passes(GUEST, 67));
    let _out = define(&host, &rule(&port(67))).ok();
    assert!(lab.passes(GUEST, 53) && !lab.passes(GUEST, 67));
    let before = host.virsh(&["nwfilter-dumpxml", FILTER]).ok();
    let error = define(&host, &rule("<ip srcipaddr='$NOBODY'/>")).fails();
    assert!(error.contains("$NOBODY") && error.contains("'tap0'"), "{error}");
    assert_eq!(host.virsh(&["nwfilter-dumpxml", FILTER]).ok(), before);
    assert!(lab.passes(GUEST, 53) && !lab.passes(GUEST, 67));
}

fn outlives() {
    let mut lab = Lab::new();
    let mut host = Host::start();
    let _out = define(&host, &rule(OWN_MAC)).ok();
    let _out = create(&host, &binding("tap0", "")).ok();
    let rules = lab.net.ruleset();
    host.kill();
    assert!(!lab.passes(OTHER, 53));
    host.serve();
    // Not a counter is set back.
    assert_eq!(
        host.virsh(&["nwfilter-binding-dumpxml", "tap0"]).ok(),
        binding("tap0", "")
    );
    let handles = |rules: &str| rules.matches("p-").count();
    assert_eq!(handles(&lab.net.ruleset()), handles(&rules));
    assert!(!lab.passes(OTHER, 53) && lab.passes(GUEST, 53));
    lab.net.ip("link del tap0");
    lab.guest = lab.net.tap("tap0", Some("br0"));
    assert!(!lab.passes(OTHER, 53) && lab.passes(GUEST, 53));
    let _out = host.virsh(&["nwfilter-binding-delete", "tap0"]).ok();
    assert!(lab.passes(OTHER, 53));
}

fn refused() {
    let lab = Lab::new();
    let host = Host::start();
    let _out = define(&host, &rule("<ip srcipaddr='$A' dstipaddr='$B'/>")).ok();
    let given = "    <parameter name='A' value='10.0.0.9'/>\n";
    for (xml, text) in [
        (binding("tap0", given), "$B"),
        (binding("../tap0", given), "must not contain '/'"),
        (binding("tap0", given).replace(FILTER, "nothing"), "no filter 'nothing'"),
        (
            binding("tap0", given).replace("<mac address='02:00:00:00:00:01'/>", ""),
            "<mac address='...'/>",
        ),
    ] {
        let error = create(&host, &xml).fails();
        assert!(error.contains(text), "{error}");
    }
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(
        host.virsh(&["nwfilter-binding-dumpxml", "tap0"])
            .fails()
            .contains("tap0")
    );
    assert!(lab.passes(GUEST, 53) && !lab.net.ruleset().contains("tap0"));
}

fn flushed() {
    let lab = Lab::new();
    let host = Host::start();
    let _out = define(&host, &rule(OWN_MAC)).ok();
    let _out = create(&host, &binding("tap0", "")).ok();
    for commands in [
        "flush ruleset",
        "delete table bridge lockstep_nwfilter",
        "flush table bridge lockstep_nwfilter",
    ] {
        lab.net.nft(commands);
        until("the rules are made anew", || (!lab.passes(OTHER, 53)).then_some(()));
        assert!(lab.passes(GUEST, 53), "{commands}");
    }
    until("the culprit is told", || host.log().contains("\"nft (").then_some(()));
}

fn learned() {
    let lab = Lab::new();
    let mut host = Host::start();
    let _out = define(&host, &rule("<ip match='no' srcipaddr='$IP'/>")).ok();
    let reply = || {
        let packet = udp(([10, 0, 0, 2], 53), ([10, 0, 0, 1], 1000), b"long enough for a frame");
        let frame = frame(GUEST, OTHER, 0x0800, &packet);
        lab.other.send(&frame);
        lab.guest.got(&frame)
    };
    assert!(reply());
    let _out = create(&host, &binding("tap0", "")).ok();
    assert!(!reply(), "a port that learns is closed in both directions");
    assert!(!lab.passes_from(GUEST, [10, 0, 0, 1], 53));
    until("the address is learned", || {
        lab.passes_from(GUEST, [10, 0, 0, 1], 53).then_some(())
    });
    assert!(!lab.passes_from(GUEST, [10, 0, 0, 9], 53) && reply());
    // The address is no parameter of the binding.
    assert_eq!(
        host.virsh(&["nwfilter-binding-dumpxml", "tap0"]).ok(),
        binding("tap0", "")
    );
    host.kill();
    host.serve();
    assert!(lab.passes_from(GUEST, [10, 0, 0, 1], 53) && !lab.passes_from(GUEST, [10, 0, 0, 9], 53));
}

fn damaged() {
    let lab = Lab::new();
    let mut host = Host::start();
    let _out = define(&host, &rule(OWN_MAC)).ok();
    let _out = create(&host, &binding("tap0", "")).ok();
    let _out = create(&host, &binding("tap1", "")).ok();
    host.stop();
    let file = host.root().join("run/lockstep/nwfilter/bindings/tap0.xml");
    std::fs::write(file, "<filterbindingstatus").expect("the file is there");
    host.serve();
    assert!(!lab.passes(GUEST, 53) && !lab.passes(OTHER, 53));
    assert!(host.log().contains("the port is closed"), "{}", host.log());
    assert!(host.virsh(&["nwfilter-binding-dumpxml", "tap1"]).ok().contains("tap1"));
    let shown = host.virsh(&["nwfilter-binding-dumpxml", "tap0"]).ok();
    assert!(
        shown.contains("delete it and make it anew") && shown.contains("<portdev name='tap0'/>"),
        "{shown}"
    );
    let _out = host.virsh(&["nwfilter-binding-delete", "tap0"]).ok();
    let _out = create(&host, &binding("tap0", "")).ok();
    assert!(lab.passes(GUEST, 53) && !lab.passes(OTHER, 53));
}

fn rivals() {
    let lab = Lab::new();
    let mut first = Host::start();
    let second = Host::start();
    for host in [&first, &second] {
        let _out = define(host, &rule(OWN_MAC)).ok();
    }
    let _out = create(&first, &binding("tap0", "")).ok();
    let error = create(&second, &binding("tap1", "")).fails();
    assert!(error.contains("another host (pid "), "{error}");
    assert!(!lab.passes(OTHER, 53));
    first.kill();
    let _out = create(&second, &binding("tap1", "")).ok();
    assert!(lab.passes(GUEST, 53) && lab.passes(OTHER, 53));
}

fn ordinary() {
    let lab = Lab::new();
    let host = Host::start_as_user();
    let _out = define(&host, &rule(OWN_MAC)).ok();
    let error = create(&host, &binding("tap0", "")).fails();
    assert!(error.contains("ports can not be filtered by this host"), "{error}");
    assert!(error.contains("not permitted"), "{error}");
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(lab.passes(OTHER, 53));
}
