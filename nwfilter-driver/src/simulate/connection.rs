//! `Connections`: a small tracker that gives packets of simple flows the states that the kernel's would.
//!
//! It knows who opened a connection, whether it was answered, and which ICMP errors belong to it. It does not follow TCP
//! sequence numbers, nor do connections end.

use super::limit::{Limit, Sender};
use super::packet::Packet;
use super::tuple::{Ends, TcpFlags, Tuple};
use crate::ruleset::States;
use std::collections::HashMap;

/// Bits of [`States`].
const NEW: States = 1;
const ESTABLISHED: States = 2;
const RELATED: States = 4;
const INVALID: States = 8;

#[derive(Debug)]
struct Connection {
    opened: Tuple,
    answered: bool,
    /// TCP: asked for, and not yet agreed to.
    asked: bool,
}

impl Connection {
    /// What one of its packets is. Until a TCP connection is agreed to, little makes sense on it.
    fn next(&mut self, is_reply: bool, flags: Option<TcpFlags>) -> (States, Option<bool>) {
        if let Some(flags) = flags.filter(|_| self.asked) {
            let sensible = match is_reply {
                true => !flags.ends(),
                false => flags.asks() || flags.resets(),
            };
            if !sensible {
                return (INVALID, None);
            }
            self.asked = !(is_reply && flags.agrees());
        }
        self.answered |= is_reply;
        let state = if self.answered { ESTABLISHED } else { NEW };
        (state, Some(is_reply))
    }
}

/// All connections that passed.
#[derive(Debug, Default)]
pub struct Connections {
    list: Vec<Connection>,
    /// Connections by their first packet's tuple and by its answer's, with whether it is the answer's.
    by_tuple: HashMap<Tuple, (usize, bool)>,
    /// What limits counted; some of it may have come to nothing since.
    counted: HashMap<(Limit, Sender), Vec<Tuple>>,
}

/// What tracking says of one packet.
#[derive(Debug)]
pub struct Tracked {
    state: States,
    reply: Option<bool>,
    opens: Option<Tuple>,
    asks: bool,
    /// Of its connection's first packet.
    connection: Option<Tuple>,
}

impl Tracked {
    /// The packet's state as one bit; none for packets that are never tracked.
    #[must_use]
    pub const fn state(&self) -> States {
        self.state
    }

    /// Whether it goes back to who opened the connection; `None` without a connection.
    #[must_use]
    pub const fn is_reply(&self) -> Option<bool> {
        self.reply
    }
}

impl Connections {
    /// Finds the connection of an IP packet. One that opens a connection does so only when it is confirmed.
    pub fn look(&mut self, packet: &Packet<'_>) -> Tracked {
        let (mut asks, mut of) = (false, None);
        let (state, reply, opens) = match Ends::read(packet) {
            Ends::Invalid => (INVALID, None, None),
            Ends::Ignored => (0, None, None),
            Ends::Error(about) => match about.reversed().and_then(|tuple| self.by_tuple.get(&tuple)) {
                Some((at, is_reply)) => {
                    of = Some(*at);
                    (RELATED, Some(*is_reply), None)
                }
                None => (INVALID, None, None),
            },
            Ends::Talk { tuple, opens, flags } => match self.by_tuple.get(&tuple) {
                Some((at, is_reply)) => {
                    let (state, reply) = self.list[*at].next(*is_reply, flags);
                    of = reply.map(|_| *at);
                    (state, reply, None)
                }
                None if opens && tuple.reversed().is_some() => {
                    asks = flags.is_some_and(TcpFlags::asks);
                    (NEW, Some(false), Some(tuple))
                }
                None => (INVALID, None, None),
            },
        };
        let connection = of
            .map(|at: usize| self.list[at].opened.clone())
            .or_else(|| opens.clone());
        Tracked {
            state,
            reply,
            opens,
            asks,
            connection,
        }
    }

    /// How many connections a limit counts for a packet's sender, that of the packet included. Packets without a
    /// connection do not count.
    pub fn count(&mut self, limit: &Limit, packet: &Packet<'_>, tracked: &Tracked) -> usize {
        let Some(connection) = &tracked.connection else {
            return 0;
        };
        let counted = self.counted.entry((limit.clone(), limit.sender(packet))).or_default();
        counted.retain(|tuple| self.by_tuple.contains_key(tuple));
        if !counted.contains(connection) {
            counted.push(connection.clone());
        }
        counted.len()
    }

    /// The packet arrived: what it opened is a connection now.
    pub fn confirm(&mut self, tracked: Tracked) {
        let Some(opened) = tracked.opens else {
            return;
        };
        let at = self.list.len();
        self.by_tuple.insert(opened.clone(), (at, false));
        // Who talks to itself is found as the one that answers, as in the kernel.
        if let Some(answer) = opened.reversed() {
            self.by_tuple.insert(answer, (at, true));
        }
        self.list.push(Connection {
            opened,
            answered: false,
            asked: tracked.asks,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::def::address::Mac;
    use crate::simulate::describe;
    use crate::simulate::frame::{Ip, ethernet};

    const GUEST: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);

    fn seen(connections: &mut Connections, frame: &[u8]) -> (States, Option<bool>) {
        let tracked = connections.look(&Packet::read(frame).unwrap());
        let seen = (tracked.state(), tracked.is_reply());
        connections.confirm(tracked);
        seen
    }

    /// States of packets that follow one another.
    fn states(packets: &[&str]) -> Vec<(States, Option<bool>)> {
        let mut connections = Connections::default();
        let one = |text: &&str| seen(&mut connections, &describe::packet(text, GUEST).unwrap().1);
        packets.iter().map(one).collect()
    }

    const THERE: Option<bool> = Some(false);
    const BACK: Option<bool> = Some(true);

    #[test]
    fn a_connection_is_new_until_it_is_answered() {
        for (there, back) in [
            ("udp 192.0.2.1:5 > 192.0.2.2:53", "in udp 192.0.2.2:53 > 192.0.2.1:5"),
            (
                "tcp 192.0.2.1:5 > 192.0.2.2:53 syn",
                "in tcp 192.0.2.2:53 > 192.0.2.1:5 syn ack",
            ),
            ("icmp 192.0.2.1 > 192.0.2.2", "in icmp 192.0.2.2 > 192.0.2.1 type 0"),
            ("icmpv6 fe80::1 > fe80::2", "in icmpv6 fe80::2 > fe80::1 type 129"),
            ("esp 192.0.2.1 > 192.0.2.2", "in esp 192.0.2.2 > 192.0.2.1"),
        ] {
            let expected = [(NEW, THERE), (NEW, THERE), (ESTABLISHED, BACK), (ESTABLISHED, THERE)];
            assert_eq!(states(&[there, there, back, there]), expected, "{there}");
        }
    }

    #[test]
    fn only_packets_that_can_open_a_connection_are_new() {
        for (text, state) in [
            ("tcp 192.0.2.1:5 > 192.0.2.2:53 syn", NEW),
            // Picked up in the middle.
            ("tcp 192.0.2.1:5 > 192.0.2.2:53 ack psh", NEW),
            ("tcp 192.0.2.1:5 > 192.0.2.2:53 syn ack", INVALID),
            ("tcp 192.0.2.1:5 > 192.0.2.2:53 rst", INVALID),
            ("tcp 192.0.2.1:5 > 192.0.2.2:53 fin ack", INVALID),
            ("tcp 192.0.2.1:5 > 192.0.2.2:53", INVALID),
            ("tcp 192.0.2.1:5 > 192.0.2.2:53 syn fin", INVALID),
            ("icmp 192.0.2.1 > 192.0.2.2 type 0", INVALID),
            ("icmp 192.0.2.1 > 192.0.2.2 type 9", INVALID),
            ("icmp 192.0.2.1 > 192.0.2.2 type 40", INVALID),
            ("icmpv6 fe80::1 > ff02::1 type 135", 0),
            ("icmpv6 fe80::1 > ff02::1 type 143", 0),
            ("icmpv6 fe80::1 > ff02::1 type 144", INVALID),
        ] {
            assert_eq!(states(&[text])[0].0, state, "{text}");
        }
        let (_, mut broken) = describe::packet("udp 192.0.2.1:5 > 192.0.2.2:53", GUEST).unwrap();
        *broken.last_mut().unwrap() ^= 1;
        assert_eq!(seen(&mut Connections::default(), &broken), (INVALID, None));
    }

    #[test]
    fn an_error_belongs_to_the_connection_that_it_is_about() {
        let mut connections = Connections::default();
        let (_, question) = describe::packet("udp 192.0.2.1:5 > 192.0.2.2:53", GUEST).unwrap();
        let error = |to: &str| {
            let ip = Ip::new("192.0.2.77".parse().unwrap(), to.parse().unwrap(), 1);
            let body = ip.icmp(3, 3, &[&[0; 4], &question[14..]].concat());
            ethernet(GUEST, GUEST, 0x0800, &ip.bytes(&body))
        };
        assert_eq!(seen(&mut connections, &error("192.0.2.1")), (INVALID, None));
        seen(&mut connections, &question);
        assert_eq!(seen(&mut connections, &error("192.0.2.1")), (RELATED, BACK));
        assert_eq!(seen(&mut connections, &error("192.0.2.9")), (INVALID, None));
    }
}
