//! Rules that are made anew under load: no frame is judged by anything but the old rules or the new.

use super::packets::{Bridge, program, receive, udp};
use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Lets UDP to port 53 pass and nothing else of IPv4, with or without looking at the connection.
fn closed(stateful: bool, entry: u32) -> Desired {
    let protocol = Condition::Bytes {
        load: Load::Protocol,
        mask: None,
        test: Test::Equal(vec![17]),
        negated: false,
    };
    let mut service = vec![ipv4(), protocol, bytes(Base::Transport, 2, &[0, 53])];
    if stateful {
        service.push(Condition::State {
            states: 1 | 2,
            negated: false,
        });
        service.push(Condition::Reply(false));
    }
    let rules = vec![
        rule(entry, service, Does::Accept),
        rule(
            entry + 1,
            vec![ipv4()],
            if entry > 5 { Does::Reject } else { Does::Drop },
        ),
    ];
    program(vec![(Hook::PacketOut, rules)])
}

/// Sends a frame that passes and one that does not while the rules go there and back again and again; gives how many of
/// the good ones were sent and passed, and how many of the others passed.
fn under_load(from: &Desired, to: &Desired) -> (u64, u64, u64) {
    let bridge = Bridge::new();
    let kernel = Kernel::open(Options::default()).unwrap();
    kernel.install(from).unwrap();
    let (good, bad) = (udp(true, 53), udp(true, 54));
    let done = AtomicBool::new(false);
    let (mut sent, mut passed, mut leaked) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..50 {
                kernel.apply(from, to).unwrap();
                kernel.apply(to, from).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            for frame in [&bad, &good] {
                rustix::io::write(&bridge.guest, frame).unwrap();
            }
            sent += 1;
            while let Some(frame) = receive(&bridge.other) {
                passed += u64::from(good.starts_with(&frame));
                leaked += u64::from(bad.starts_with(&frame));
            }
        }
    });
    (sent, passed, leaked)
}

#[test]
fn no_frame_falls_between_old_and_new_rules() {
    let (dropping, other, rejecting, stateless) = (closed(true, 0), closed(true, 3), closed(true, 7), closed(false, 0));
    for to in [other, rejecting, stateless] {
        let Some((sent, passed, leaked)) = in_own_network(|| under_load(&dropping, &to)) else {
            return;
        };
        assert_eq!((passed, leaked), (sent, 0));
    }
}
