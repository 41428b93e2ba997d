//! `Dialogue`: what a guest asked of DHCP servers, and which answers count.

use super::addresses::usable;
use super::frame::{Frame, Tale, Way};
use super::{dhcp, dhcp6};
use crate::def::address::Mac;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// A client asks again for about a minute (RFC 2131, 4.1); an answer that comes later is none.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// A guest that asks more at once loses its oldest question.
const MOST: usize = 8;

/// What follows from a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A server gives the guest an address.
    Grant {
        /// Which.
        address: IpAddr,
        /// Who gives it.
        server: IpAddr,
        /// For how long; `None` is for ever.
        seconds: Option<u32>,
    },
    /// An address is the guest's no longer.
    End {
        /// Which.
        address: IpAddr,
        /// Why.
        why: &'static str,
    },
    /// An answer that does not count.
    Rogue {
        /// Who sent it.
        server: IpAddr,
        /// Why it does not.
        why: &'static str,
    },
}

/// The conversation of one guest with DHCP servers of both families.
#[derive(Clone, Debug)]
pub struct Dialogue {
    mac: Mac,
    servers: Vec<IpAddr>,
    open: VecDeque<Question>,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    v6: bool,
    xid: u32,
    at: Duration,
    /// What the guest wants to have or keep.
    about: Option<IpAddr>,
    /// The server that it chose.
    server: Option<IpAddr>,
    /// Nobody offered anything: only an answer that says so counts.
    rapid: bool,
}

impl Dialogue {
    /// Nothing said yet. Only servers from the list count, of a family that has one in it; without any everybody does.
    #[must_use]
    pub const fn new(mac: Mac, servers: Vec<IpAddr>) -> Self {
        Self {
            mac,
            servers,
            open: VecDeque::new(),
        }
    }

    /// Whether an answer of this server counts.
    #[must_use]
    pub fn trusts(&self, server: IpAddr) -> bool {
        let mut same = self.servers.iter().filter(|one| one.is_ipv4() == server.is_ipv4());
        let mut any = false;
        let listed = same.any(|one| {
            any = true;
            *one == server
        });
        listed || !any
    }

    /// Takes in a frame.
    pub fn hear(&mut self, way: Way, frame: &Frame<'_>, up: Duration) -> Vec<Step> {
        match (way, frame.tale) {
            (Way::FromGuest, _) if frame.source != self.mac => Vec::new(),
            (Way::FromGuest, Tale::DhcpQuestion(bytes)) => match dhcp::Message::read(bytes, true) {
                Some(message) if message.client == self.mac => self.question(&message, up),
                _ => Vec::new(),
            },
            (Way::FromGuest, Tale::Dhcp6Question(bytes)) => match dhcp6::Message::read(bytes) {
                Some(message) => self.question6(&message, up),
                None => Vec::new(),
            },
            (Way::ToGuest, Tale::DhcpAnswer { server, message }) => match dhcp::Message::read(message, false) {
                Some(message) if message.client == self.mac => self.answer(server.into(), &message, up),
                _ => Vec::new(),
            },
            (Way::ToGuest, Tale::Dhcp6Answer { server, message }) if frame.destination == self.mac => {
                match dhcp6::Message::read(message) {
                    Some(message) => self.answer6(server.into(), &message, up),
                    None => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    fn question(&mut self, message: &dhcp::Message, up: Duration) -> Vec<Step> {
        use dhcp::Kind;
        let current = (!message.current.is_unspecified()).then_some(message.current);
        let rapid = message.kind == Kind::Discover;
        match message.kind {
            Kind::Request => {}
            Kind::Discover if message.rapid => {}
            Kind::Decline => return ends(message.requested, "the guest declined it"),
            // A release names its address as the one in use: the field of the server's gift is empty.
            Kind::Release => return ends(current, "the guest released it"),
            _ => return Vec::new(),
        }
        self.ask(Question {
            v6: false,
            xid: message.xid,
            at: up,
            about: message.requested.or(current).map(IpAddr::from),
            server: message.server.map(IpAddr::from),
            rapid,
        });
        Vec::new()
    }

    fn question6(&mut self, message: &dhcp6::Message, up: Duration) -> Vec<Step> {
        use dhcp6::Kind;
        let rapid = message.kind == Kind::Solicit;
        let each = message.addresses.iter().map(|(address, _)| *address);
        match message.kind {
            Kind::Request | Kind::Renew | Kind::Rebind => {}
            Kind::Solicit if message.rapid => {}
            Kind::Decline => return ends(each, "the guest declined it"),
            Kind::Release => return ends(each, "the guest released it"),
            _ => return Vec::new(),
        }
        self.ask(Question {
            v6: true,
            xid: message.xid,
            at: up,
            about: None,
            server: None,
            rapid,
        });
        Vec::new()
    }

    /// A question that is asked again is the same one, but may be about something else.
    fn ask(&mut self, question: Question) {
        self.open.retain(|open| {
            let same = open.v6 == question.v6 && open.xid == question.xid;
            !same && question.at < open.at + ANSWER_WITHIN
        });
        if self.open.len() >= MOST {
            self.open.pop_front();
        }
        self.open.push_back(question);
    }

    fn asked(&self, v6: bool, xid: u32, up: Duration) -> Option<Question> {
        let found = self.open.iter().find(|open| open.v6 == v6 && open.xid == xid);
        found.copied().filter(|open| up < open.at + ANSWER_WITHIN)
    }

    fn answer(&self, server: IpAddr, message: &dhcp::Message, up: Duration) -> Vec<Step> {
        use dhcp::Kind;
        match message.kind {
            // The answer to a question for settings gives no address.
            Kind::Ack if message.given.is_unspecified() => return Vec::new(),
            Kind::Ack | Kind::Nak => {}
            _ => return Vec::new(),
        }
        let rogue = |why| vec![Step::Rogue { server, why }];
        if !self.trusts(server) {
            return rogue("it is none of DHCPSERVER");
        }
        let Some(question) = self.asked(false, message.xid, up) else {
            return rogue("the guest did not ask for it");
        };
        let named = message.server.map(IpAddr::from);
        if question.server.is_some() && named.is_some() && named != question.server {
            return rogue("the guest asked another server");
        }
        if message.kind == Kind::Nak {
            return ends(question.about, "the server refused it");
        }
        let address = IpAddr::from(message.given);
        match message.lease_time {
            _ if question.rapid && !message.rapid => rogue("the guest asked for an offer first"),
            _ if !usable(address) => rogue("no machine can have this address"),
            None | Some(0) => rogue("the lease has no duration"),
            Some(seconds) => vec![grant(address, server, seconds)],
        }
    }

    fn answer6(&self, server: IpAddr, message: &dhcp6::Message, up: Duration) -> Vec<Step> {
        if message.kind != dhcp6::Kind::Reply || message.addresses.is_empty() {
            return Vec::new();
        }
        let rogue = |why| vec![Step::Rogue { server, why }];
        if !self.trusts(server) {
            return rogue("it is none of DHCPSERVER");
        }
        let Some(question) = self.asked(true, message.xid, up) else {
            return rogue("the guest did not ask for it");
        };
        if question.rapid && !message.rapid {
            return rogue("the guest asked for an offer first");
        }
        let step = |&(address, seconds)| {
            let address = IpAddr::from(address);
            match seconds {
                _ if !usable(address) => Step::Rogue {
                    server,
                    why: "no machine can have this address",
                },
                0 => Step::End {
                    address,
                    why: "the server took it back",
                },
                seconds => grant(address, server, seconds),
            }
        };
        message.addresses.iter().map(step).collect()
    }
}

fn grant(address: IpAddr, server: IpAddr, seconds: u32) -> Step {
    Step::Grant {
        address,
        server,
        seconds: (seconds != u32::MAX).then_some(seconds),
    }
}

fn ends<A: Into<IpAddr>>(addresses: impl IntoIterator<Item = A>, why: &'static str) -> Vec<Step> {
    let end = |address: A| Step::End {
        address: address.into(),
        why,
    };
    addresses.into_iter().map(end).collect()
}

#[cfg(test)]
mod tests;
