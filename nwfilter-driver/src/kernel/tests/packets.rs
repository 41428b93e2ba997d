//! What becomes of frames: a bridge with two taps in a network namespace of its own.

use super::*;
use crate::kernel::trace::Happening;
use crate::nft::sys::tap;
use std::os::fd::OwnedFd;
use std::process::Command;

const ONE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const TWO: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// A bridge with a guest's port and another.
pub(super) struct Bridge {
    pub(super) guest: OwnedFd,
    pub(super) other: OwnedFd,
}

impl Bridge {
    pub(super) fn new() -> Self {
        ip("link add br0 type bridge stp_state 0 ageing_time 0 mcast_snooping 0");
        std::fs::write("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "1").unwrap();
        ip("link set br0 up");
        // Who tells a sender needs an address of its own, and the sender's.
        ip("addr add 10.0.0.254/24 dev br0");
        let port = |name: &str| {
            let tap = tap(name);
            std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1").unwrap();
            ip(&format!("link set {name} master br0"));
            ip(&format!("link set {name} up"));
            tap
        };
        let (guest, other) = (port("port0"), port("other"));
        ip("neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev br0 nud permanent");
        ip("neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev br0 nud permanent");
        Self { guest, other }
    }

    /// Whether the frame comes out at the other end; the kernel cuts off what is behind an IP packet.
    fn passes(&self, out: bool, frame: &[u8]) -> bool {
        let (from, to) = if out {
            (&self.guest, &self.other)
        } else {
            (&self.other, &self.guest)
        };
        while receive(to).is_some() {}
        assert_eq!(rustix::io::write(from, frame).unwrap(), frame.len());
        std::iter::from_fn(|| receive(to)).any(|got| got.len() >= 42 && frame.starts_with(&got))
    }
}

pub(super) fn receive(tap: &OwnedFd) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4096];
    let len = rustix::io::read(tap, &mut frame[..]).ok()?;
    frame.truncate(len);
    Some(frame)
}

fn ip(words: &str) {
    assert!(
        Command::new("ip").args(words.split(' ')).status().unwrap().success(),
        "{words}"
    );
}

fn frame(out: bool, kind: u16, payload: &[u8]) -> Vec<u8> {
    let (from, to) = if out { (ONE, TWO) } else { (TWO, ONE) };
    let mut frame = [&to[..], &from, &kind.to_be_bytes(), payload].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// UDP from the guest's 10.0.0.1 port 1000 to 10.0.0.2 and some port, or back.
pub(super) fn udp(out: bool, port: u16) -> Vec<u8> {
    let (own, far) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let (from, to) = if out { (own, far) } else { (far, own) };
    let (source, target) = if out { (1000, port) } else { (port, 1000_u16) };
    let mut header = [&[0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0][..], &from, &to].concat();
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    let mut datagram = [source.to_be_bytes(), target.to_be_bytes(), [0, 8], [0, 0]].concat();
    let sum = checksum(&[&from[..], &to, &[0, 17, 0, 8], &datagram].concat());
    datagram[6..8].copy_from_slice(&sum);
    frame(out, 0x800, &[header, datagram].concat())
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let [_, _, rest @ ..] = (!((sum & 0xffff) + (sum >> 16))).to_be_bytes();
    rest
}

pub(super) fn program(chains: Vec<(Hook, Vec<Rule>)>) -> Desired {
    let chains = chains.into_iter().map(|(hook, rules)| (ChainName::first(hook), rules));
    let program = Program {
        chains: chains.collect(),
        slots: Vec::new(),
    };
    let mut desired = desired(program, 1);
    desired
        .ports
        .values_mut()
        .for_each(|port| Arc::make_mut(port).slots.clear());
    desired
}

fn installed(desired: &Desired) -> Kernel {
    let kernel = Kernel::open(Options::default()).unwrap();
    kernel.install(desired).unwrap();
    kernel
}

#[test]
fn rules_count_and_tell_whose_they_are() {
    in_own_network(|| {
        let bridge = Bridge::new();
        let strange = || bytes(Base::Link, 12, &[0x12, 0x34]);
        let seen = rule(0, vec![strange()], Does::Continue);
        let gone = rule(1, vec![strange()], Does::Drop);
        let desired = program(vec![(Hook::FrameOut, vec![seen]), (Hook::FrameIn, vec![gone])]);
        let kernel = installed(&desired);
        let mut trace = kernel.trace("port0").unwrap();
        assert!(bridge.passes(true, &frame(true, 0x1234, &[1])));
        assert!(bridge.passes(false, &frame(false, 0x4321, &[1])));
        assert!(!bridge.passes(false, &frame(false, 0x1234, &[1])));

        let counted = kernel.counters(&desired, "port0").unwrap().unwrap();
        assert_eq!(counted.ports, ["port0"]);
        let packets: Vec<_> = counted
            .rules
            .iter()
            .map(|rule| (rule.origin.entry, rule.count.packets))
            .collect();
        assert_eq!(packets, [(0, 1), (1, 1)]);
        assert_eq!(kernel.counters(&desired, "port1").unwrap(), None);

        let mut steps = Vec::new();
        while let Some(step) = trace.next_step().unwrap() {
            steps.push(step);
        }
        let at = |entry| {
            let entry = Some(origin(entry));
            let hit = |happening: &Happening| matches!(happening, Happening::Rule { origin, .. } if *origin == entry);
            steps.iter().filter(|step| hit(&step.happening)).collect::<Vec<_>>()
        };
        assert_eq!((at(0).len(), at(1).len()), (1, 1), "{steps:?}");
        assert!(matches!(
            &at(1)[0].happening,
            Happening::Rule {
                verdict: Verdict::Drop,
                ..
            }
        ));
        assert!(at(1)[0].chain.ends_with("-frame-in"));
        let headers = steps.iter().find(|step| !step.headers.is_empty()).unwrap();
        assert_eq!(headers.headers[6..14], frame(true, 0x1234, &[])[6..14]);
        drop(trace);
        assert_eq!(kernel.verify(&desired).unwrap(), []);
        let tables = Command::new("nft").args(["list", "tables"]).output().unwrap().stdout;
        assert!(!String::from_utf8(tables).unwrap().contains("trace"));
    });
}

#[test]
fn an_answer_passes_and_a_stranger_does_not() {
    in_own_network(|| {
        let bridge = Bridge::new();
        let state = |states| Condition::State { states, negated: false };
        let out = rule(0, vec![ipv4(), state(1 | 2), Condition::Reply(false)], Does::Accept);
        let back = rule(1, vec![ipv4(), state(2), Condition::Reply(true)], Does::Accept);
        let rest = |entry| rule(entry, vec![ipv4()], Does::Drop);
        let desired = program(vec![
            (Hook::PacketOut, vec![out, rest(2)]),
            (Hook::PacketIn, vec![back, rest(3)]),
        ]);
        let kernel = installed(&desired);
        assert!(!bridge.passes(false, &udp(false, 53)), "nobody asked");
        assert!(bridge.passes(true, &udp(true, 53)));
        assert!(bridge.passes(false, &udp(false, 53)));
        assert!(bridge.passes(true, &udp(true, 53)));
        assert!(!bridge.passes(false, &udp(false, 54)));
        // Without a rule that asks for states nothing of connection tracking is left.
        let none = program(vec![(Hook::FrameIn, vec![rest(3)])]);
        kernel.apply(&desired, &none).unwrap();
        assert_eq!(kernel.verify(&none).unwrap(), []);
        let tables = Command::new("nft").args(["list", "tables"]).output().unwrap().stdout;
        assert_eq!(String::from_utf8(tables).unwrap(), "table bridge lockstep_nwfilter\n");
    });
}

#[test]
fn who_is_rejected_is_told() {
    in_own_network(|| {
        let bridge = Bridge::new();
        for hook in [Hook::PacketOut, Hook::FrameOut, Hook::PacketIn] {
            let out = hook.is_out();
            let desired = program(vec![(hook, vec![rule(0, vec![ipv4()], Does::Reject)])]);
            let kernel = installed(&desired);
            let sender = if out { &bridge.guest } else { &bridge.other };
            while receive(sender).is_some() {}
            assert!(!bridge.passes(out, &udp(out, 53)));
            let told = std::iter::from_fn(|| receive(sender)).any(|frame| is_unreachable(&frame));
            assert!(told, "{hook:?}");
            // Without br_netfilter it is dropped all the same.
            std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0").unwrap();
            assert!(!kernel.facts().calls_ip);
            assert!(!bridge.passes(out, &udp(out, 53)));
            std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "1").unwrap();
            assert!(bridge.passes(out, &frame(out, 0x4321, &[])));
        }
    });
}

/// Whether it says, by ICMP, that a port can not be reached.
fn is_unreachable(frame: &[u8]) -> bool {
    frame[12..14] == [8, 0] && frame[23] == 1 && frame[34..36] == [3, 3]
}

fn drops_if(predicate: Predicate) -> Desired {
    let conditions = vec![
        ipv4(),
        Condition::Predicate {
            predicate,
            negated: false,
        },
    ];
    program(vec![(Hook::PacketOut, vec![rule(4, conditions, Does::Drop)])])
}

#[test]
fn connections_are_counted_by_sender() {
    in_own_network(|| {
        let bridge = Bridge::new();
        let limit = |above| {
            drops_if(Predicate::Connections {
                v6: false,
                protocol: Some(17),
                above,
            })
        };
        let kernel = installed(&limit(1));
        assert!(bridge.passes(true, &udp(true, 53)));
        assert!(bridge.passes(true, &udp(true, 53)));
        assert!(!bridge.passes(true, &udp(true, 54)), "a second connection");
        // What was counted is no change of the rules.
        assert_eq!(kernel.verify(&limit(1)).unwrap(), []);
        kernel.apply(&limit(1), &limit(2)).unwrap();
        assert_eq!(kernel.verify(&limit(2)).unwrap(), []);
        assert!(bridge.passes(true, &udp(true, 54)));
        kernel.apply(&limit(2), &Desired::default()).unwrap();
        assert_eq!(kernel.verify(&Desired::default()).unwrap(), []);
    });
}

#[test]
fn ip_sets_are_asked() {
    in_own_network(|| {
        let member = |source| {
            drops_if(Predicate::IpSet {
                v6: false,
                name: "strangers".to_owned(),
                sources: vec![source],
            })
        };
        let kernel = Kernel::open(Options::default()).unwrap();
        kernel.install(&Desired::default()).unwrap();
        let missing = kernel.apply(&Desired::default(), &member(false));
        let Err(Failure::Refused { error, rule }) = missing else {
            panic!("the set is not there");
        };
        assert!(error.to_string().contains("no IP set 'strangers'"), "{error}");
        assert_eq!(rule, Some(origin(4)));
        let set = |words: &str| {
            Command::new("ipset")
                .args(words.split(' '))
                .status()
                .is_ok_and(|done| done.success())
        };
        if !set("create strangers hash:ip") {
            return;
        }
        assert!(set("add strangers 10.0.0.2"));
        let bridge = Bridge::new();
        kernel.apply(&Desired::default(), &member(false)).unwrap();
        assert_eq!(kernel.verify(&member(false)).unwrap(), []);
        assert!(!bridge.passes(true, &udp(true, 53)));
        assert!(set("flush strangers"));
        assert!(bridge.passes(true, &udp(true, 53)));
        assert!(set("add strangers 10.0.0.1"));
        assert!(bridge.passes(true, &udp(true, 53)));
        kernel.apply(&member(false), &member(true)).unwrap();
        assert!(!bridge.passes(true, &udp(true, 53)));
    });
}

#[test]
fn two_fields_are_compared() {
    in_own_network(|| {
        let bridge = Bridge::new();
        for negated in [false, true] {
            let same = Condition::Same {
                left: Load::payload(Base::Network, 0, 4),
                right: Load::payload(Base::Network, 8, 4),
                negated,
            };
            let strange = bytes(Base::Link, 12, &[0x12, 0x34]);
            let desired = program(vec![(Hook::FrameOut, vec![rule(0, vec![strange, same], Does::Drop)])]);
            let kernel = installed(&desired);
            let passes = |left: [u8; 4], right: [u8; 4]| {
                let payload = [left, [9; 4], right].concat();
                bridge.passes(true, &frame(true, 0x1234, &payload))
            };
            assert_eq!(passes([1, 2, 3, 4], [1, 2, 3, 4]), negated);
            assert_eq!(passes([0; 4], [0; 4]), negated);
            for at in 0..4 {
                let mut other = [1, 2, 3, 4];
                other[at] ^= 0x80;
                assert_eq!(passes([1, 2, 3, 4], other), !negated, "{at}");
            }
            let counted = kernel.counters(&desired, "port0").unwrap().unwrap();
            assert_eq!(counted.rules[0].count.packets, if negated { 4 } else { 2 });
        }
    });
}
