//! Addresses that the host learns from a guest's frames: what passes before, meanwhile and after.

use conformance::case::Case;
use conformance::host::Host;
use conformance::need::Need::{Root, Virsh};
use conformance::net::{Net, Tap, frame, udp};
use conformance::wait;
use std::net::Ipv6Addr;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "learning_dhcp_opens_a_port_for_its_leases_only",
        needs: &[Root, Virsh],
        run: leases,
    },
    Case {
        name: "learning_dhcp_knows_its_leases_after_a_restart",
        needs: &[Root, Virsh],
        run: restart,
    },
    Case {
        name: "learning_any_opens_a_port_for_the_first_address",
        needs: &[Root, Virsh],
        run: first,
    },
    Case {
        name: "learning_ipv6_from_neighbours_and_dhcp",
        needs: &[Root, Virsh],
        run: ipv6,
    },
    Case {
        name: "learning_ignores_rogues_and_floods_and_tells_them_once",
        needs: &[Root, Virsh],
        run: rogues,
    },
];

const GUEST: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const OTHER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
const ALL: [u8; 6] = [0xff; 6];
const SERVER: [u8; 4] = [10, 0, 0, 254];

/// DHCP passes, and what comes from the guest's own addresses.
const FILTER: &str = "<filter name='own-address'><uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55336</uuid>\
    <rule action='accept' direction='out'><ip protocol='udp' srcportstart='68' dstportstart='67'/></rule>\
    <rule action='accept' direction='in'><ip protocol='udp' srcportstart='67' dstportstart='68'/></rule>\
    <rule action='accept' direction='out'><ip srcipaddr='$IP'/></rule>\
    <rule action='drop' direction='inout' priority='1000'/></filter>";

/// The same for IPv6.
const FILTER6: &str = "<filter name='own-address6'><uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55337</uuid>\
    <rule action='accept' direction='out'><ipv6 srcipaddr='$IPV6'/></rule>\
    <rule action='drop' direction='inout' priority='1000'/></filter>";

/// Two taps on a bridge: the guest's port, and all the rest.
struct Lab {
    _net: Net,
    guest: Tap,
    other: Tap,
}

impl Lab {
    fn new() -> Self {
        let net = Net::unshare();
        net.bridge("br0");
        let (guest, other) = (net.tap("tap0", Some("br0")), net.tap("tap1", Some("br0")));
        Self {
            _net: net,
            guest,
            other,
        }
    }

    /// Whether a packet of the guest with this last byte of its address comes out at the other end.
    fn passes(&self, last: u8) -> bool {
        let packet = udp(
            ([10, 0, 0, last], 1000),
            ([10, 0, 0, 200], 53),
            b"long enough for a frame",
        );
        let frame = frame(OTHER, GUEST, 0x0800, &packet);
        self.guest.send(&frame);
        self.other.got(&frame)
    }

    #[track_caller]
    fn opens(&self, last: u8) {
        wait::until("the port is open for what was learned", || {
            self.passes(last).then_some(())
        });
    }

    #[track_caller]
    fn closes(&self, last: u8) {
        wait::until("the port is closed for what ended", || {
            (!self.passes(last)).then_some(())
        });
    }

    /// The guest says something to DHCP servers; whether they get it.
    fn asks(&self, kind: u8, xid: u32, current: [u8; 4], options: &[u8]) -> bool {
        let message = dhcp(1, kind, xid, current, [0; 4], options);
        let frame = frame(ALL, GUEST, 0x0800, &udp((current, 68), ([255; 4], 67), &message));
        self.guest.send(&frame);
        self.other.got(&frame)
    }

    /// A server answers; whether the guest gets it.
    fn answers(&self, server: [u8; 4], kind: u8, xid: u32, given: u8, seconds: u32) -> bool {
        let options = [&[51, 4][..], &seconds.to_be_bytes(), &[54, 4], &server].concat();
        let message = dhcp(2, kind, xid, [0; 4], [10, 0, 0, given], &options);
        let frame = frame(ALL, OTHER, 0x0800, &udp((server, 67), ([255; 4], 68), &message));
        self.other.send(&frame);
        self.guest.got(&frame)
    }

    /// The guest gets a lease.
    fn lease(&self, xid: u32, last: u8, seconds: u32) {
        assert!(self.asks(3, xid, [0; 4], &[50, 4, 10, 0, 0, last]));
        assert!(self.answers(SERVER, 5, xid, last, seconds));
    }
}

fn dhcp(op: u8, kind: u8, xid: u32, current: [u8; 4], given: [u8; 4], options: &[u8]) -> Vec<u8> {
    let mut message = [
        &[op, 1, 6, 0][..],
        &xid.to_be_bytes(),
        &[0; 4],
        &current,
        &given,
        &[0; 8],
        &GUEST,
    ]
    .concat();
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, kind]);
    message.extend(options);
    message.push(255);
    message
}

fn bind(host: &Host, parameters: &[(&str, &str)]) {
    bind_to(host, "own-address", FILTER, parameters);
}

fn bind_to(host: &Host, name: &str, filter: &str, parameters: &[(&str, &str)]) {
    let document = host.document(filter);
    let _out = host.virsh(&["nwfilter-define", &document.to_string_lossy()]).ok();
    let parameters: String = parameters
        .iter()
        .map(|(name, value)| format!("<parameter name='{name}' value='{value}'/>"))
        .collect();
    let document = host.document(&format!(
        "<filterbinding><owner><name>vm1</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></owner>\
         <portdev name='tap0'/><mac address='02:00:00:00:00:01'/>\
         <filterref filter='{name}'>{parameters}</filterref></filterbinding>"
    ));
    let _out = host
        .virsh(&["nwfilter-binding-create", &document.to_string_lossy()])
        .ok();
}

const BY_DHCP: (&str, &str) = ("CTRL_IP_LEARNING", "dhcp");
const BY_SERVER: (&str, &str) = ("DHCPSERVER", "10.0.0.254");

fn leases() {
    let lab = Lab::new();
    let host = Host::start();
    assert!(lab.passes(5));
    bind(&host, &[BY_DHCP]);
    assert!(!lab.passes(5) && !lab.passes(6));
    lab.lease(1, 5, 3600);
    lab.opens(5);
    assert!(!lab.passes(6));
    lab.lease(2, 6, 3600);
    lab.opens(6);
    assert!(lab.passes(5) && !lab.passes(7));
    // A filter that is defined anew keeps what was learned.
    let changed = host.document(&FILTER.replace("priority='1000'", "priority='999'"));
    let _out = host.virsh(&["nwfilter-define", &changed.to_string_lossy()]).ok();
    assert!(lab.passes(5) && lab.passes(6) && !lab.passes(7));
    let _passed = lab.asks(7, 3, [10, 0, 0, 5], &[]);
    lab.closes(5);
    assert!(lab.passes(6));
    let _passed = lab.asks(4, 4, [0; 4], &[50, 4, 10, 0, 0, 6]);
    lab.closes(6);
    // Closed as in the beginning, and open for the next lease.
    lab.lease(5, 7, 3);
    lab.opens(7);
    lab.closes(7);
    let _out = host.virsh(&["nwfilter-binding-delete", "tap0"]).ok();
    assert!(lab.passes(5) && lab.passes(7));
}

fn restart() {
    let lab = Lab::new();
    let mut host = Host::start();
    bind(&host, &[BY_DHCP, BY_SERVER]);
    lab.lease(1, 5, 3600);
    lab.opens(5);
    host.kill();
    assert!(lab.passes(5) && !lab.passes(6));
    host.serve();
    assert!(lab.passes(5) && !lab.passes(6));
    let _passed = lab.asks(7, 3, [10, 0, 0, 5], &[]);
    lab.closes(5);
    lab.lease(4, 6, 3600);
    lab.opens(6);
    // A new binding of the same guest is open at once for a lease that goes on.
    let _out = host.virsh(&["nwfilter-binding-delete", "tap0"]).ok();
    bind(&host, &[BY_DHCP, BY_SERVER]);
    lab.opens(6);
    assert!(!lab.passes(5));
}

fn first() {
    let lab = Lab::new();
    let host = Host::start();
    bind(&host, &[]);
    let arp = |sender: [u8; 4]| {
        let packet = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &GUEST, &sender, &[0; 6], &[10, 0, 0, 1]].concat();
        frame(ALL, GUEST, 0x0806, &packet)
    };
    let probe = arp([0; 4]);
    lab.guest.send(&probe);
    assert!(lab.other.got(&probe));
    let claim = arp([10, 0, 0, 5]);
    lab.guest.send(&claim);
    // Nobody hears of an address before it is known to be the guest's.
    assert!(!lab.other.got(&claim));
    lab.opens(5);
    lab.guest.send(&arp([10, 0, 0, 6]));
    assert!(!lab.passes(6) && lab.passes(5));
}

fn ipv6() {
    let lab = Lab::new();
    let host = Host::start();
    let packet = |from: &str, to: &str, next: u8, payload: &[u8]| {
        let [from, to] = [from, to].map(|text| text.parse::<Ipv6Addr>().expect("an address").octets());
        let length = u16::try_from(payload.len()).expect("a short packet").to_be_bytes();
        [&[0x60, 0, 0, 0][..], &length, &[next, 255], &from, &to, payload].concat()
    };
    let passes = |from: &str| {
        let frame = frame(OTHER, GUEST, 0x86dd, &packet(from, "2001:db8::200", 59, &[0; 16]));
        lab.guest.send(&frame);
        lab.other.got(&frame)
    };
    let opens = |from: &str| wait::until("the port is open for what was learned", || passes(from).then_some(()));
    let tries = |address: &str| {
        let target = address.parse::<Ipv6Addr>().expect("an address").octets();
        let payload = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target].concat();
        let frame = frame(ALL, GUEST, 0x86dd, &packet("::", "ff02::1:ff00:5", 58, &payload));
        lab.guest.send(&frame);
        lab.other.got(&frame)
    };
    let port = |number: u16| number.to_be_bytes();
    let dhcp6 = |from: &str, ports: (u16, u16), kind: u8| {
        let address = "2001:db8::7".parse::<Ipv6Addr>().expect("an address").octets();
        let lifetimes = [0, 0, 9, 0, 0, 0, 9, 0];
        let ia = [&[0; 12][..], &[0, 5, 0, 24], &address, &lifetimes].concat();
        let message = [&[kind, 0, 0, 9, 0, 3, 0, 40][..], &ia].concat();
        let length = u16::try_from(message.len() + 8).expect("a short message").to_be_bytes();
        let datagram = [&port(ports.0)[..], &port(ports.1), &length, &[0, 0], &message].concat();
        packet(from, "fe80::5", 17, &datagram)
    };
    assert!(passes("fe80::5"));
    bind_to(&host, "own-address6", FILTER6, &[]);
    assert!(!passes("2001:db8::5") && !passes("::"));
    // What was seen first counts, and only for its kind.
    assert!(tries("fe80::5"));
    opens("fe80::5");
    assert!(!passes("fe80::6") && !passes("2001:db8::5"));
    let _passed = tries("2001:db8::5");
    opens("2001:db8::5");
    let _passed = tries("2001:db8::6");
    assert!(!passes("2001:db8::6") && passes("fe80::5"));
    let _out = host.virsh(&["nwfilter-binding-delete", "tap0"]).ok();
    bind_to(&host, "own-address6", FILTER6, &[BY_DHCP]);
    assert!(tries("fe80::5") && !passes("fe80::5"));
    let question = frame(ALL, GUEST, 0x86dd, &dhcp6("fe80::5", (546, 547), 3));
    lab.guest.send(&question);
    assert!(lab.other.got(&question));
    let answer = frame(GUEST, OTHER, 0x86dd, &dhcp6("fe80::1", (547, 546), 7));
    lab.other.send(&answer);
    assert!(lab.guest.got(&answer));
    opens("2001:db8::7");
    assert!(!passes("2001:db8::5"));
    let release = frame(ALL, GUEST, 0x86dd, &dhcp6("fe80::5", (546, 547), 8));
    lab.guest.send(&release);
    wait::until("the port is closed", || (!passes("2001:db8::7")).then_some(()));
}

fn rogues() {
    let lab = Lab::new();
    let host = Host::start();
    bind(&host, &[BY_DHCP]);
    // An answer to nobody's question, and one of the guest to itself.
    for _ in 0..5 {
        assert!(lab.answers(SERVER, 5, 9, 66, 3600));
    }
    assert!(lab.asks(3, 1, [0; 4], &[50, 4, 10, 0, 0, 5]));
    let message = dhcp(2, 5, 1, [0; 4], [10, 0, 0, 67], &[51, 4, 0, 0, 9, 9]);
    let forged = frame(ALL, GUEST, 0x0800, &udp((SERVER, 67), ([255; 4], 68), &message));
    lab.guest.send(&forged);
    assert!(!lab.other.got(&forged));
    assert!(lab.answers(SERVER, 5, 1, 5, 3600));
    lab.opens(5);
    assert!(!lab.passes(66) && !lab.passes(67));
    for xid in 0..5000 {
        let _passed = lab.asks(3, xid, [0; 4], &[]);
    }
    wait::until("the flood is told", || {
        host.log().contains("too many frames").then_some(())
    });
    let log = host.log();
    assert_eq!(log.matches("too many frames").count(), 1, "{log}");
    assert_eq!(log.matches("does not count").count(), 1, "{log}");
    assert!(lab.passes(5) && !lab.passes(66));
    // With servers given, others do not even reach the guest.
    let _out = host.virsh(&["nwfilter-binding-delete", "tap0"]).ok();
    bind(&host, &[("CTRL_IP_LEARNING", "DHCP"), ("DHCPSERVER", "10.0.0.253")]);
    assert!(!lab.passes(5));
    assert!(lab.asks(3, 1, [0; 4], &[50, 4, 10, 0, 0, 5]));
    assert!(!lab.answers(SERVER, 5, 1, 5, 3600));
    assert!(lab.answers([10, 0, 0, 253], 5, 1, 8, 3600));
    lab.opens(8);
    assert!(!lab.passes(5));
}
