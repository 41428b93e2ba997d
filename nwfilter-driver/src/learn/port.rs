//! `Port`: one lesson while it lasts, what it came to, and what was told of it.

use super::addresses::Pins;
use super::book::Book;
use super::bpf::Look;
use super::clock::Now;
use super::dialogue::{Dialogue, Step};
use super::frame::{Frame, Tale, Way};
use super::lease::Leases;
use super::rate::Bucket;
use super::record::Key;
use super::socket::Tap;
use crate::engine::{Lesson, Mode};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// Rogues that are told of; a port that sees more has told enough.
const COMPLAINTS: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Port {
    pub(super) lesson: Lesson,
    pub(super) key: Key,
    /// Under which the poller knows its socket.
    pub(super) number: u64,
    pub(super) tap: Option<Tap>,
    pub(super) bucket: Bucket,
    /// Nothing is looked at until then: there was too much.
    pub(super) paused: Option<Duration>,
    /// When the agenda has it; only once, whatever a guest does.
    pub(super) due: Option<Duration>,
    /// What the pupil knows.
    told: BTreeSet<IpAddr>,
    /// What the pupil could not do anything with.
    failed: Option<Failed>,
    dialogue: Dialogue,
    pins: Pins,
    complaints: BTreeSet<(IpAddr, &'static str)>,
}

#[derive(Debug)]
struct Failed {
    addresses: BTreeSet<IpAddr>,
    again: Duration,
    pause: Duration,
}

impl Port {
    pub(super) fn new(lesson: Lesson, number: u64) -> Self {
        let known = match lesson.mode {
            Mode::Any => &lesson.known[..],
            Mode::Dhcp => &[],
        };
        Self {
            key: Key::new(lesson.owner, lesson.mac),
            number,
            tap: None,
            bucket: Bucket::new(),
            paused: None,
            due: None,
            told: lesson.known.iter().copied().collect(),
            failed: None,
            dialogue: Dialogue::new(lesson.mac, lesson.servers.clone()),
            pins: Pins::new(known),
            complaints: BTreeSet::new(),
            lesson,
        }
    }

    /// What is still to be seen.
    pub(super) fn look(&self) -> Look {
        let any = self.lesson.mode == Mode::Any;
        let v4 = self.lesson.v4 && (!any || self.pins.takes_v4());
        let v6 = self.lesson.v6 && (!any || self.pins.takes_v6());
        Look {
            mac: self.lesson.mac,
            dhcp: v4,
            dhcp6: v6,
            v4: any && v4,
            v6: any && v6,
        }
    }

    /// Takes in a frame: pins what the guest is seen to use, or says what becomes of leases.
    pub(super) fn hear(&mut self, way: Way, frame: &[u8], now: Now) -> Vec<Step> {
        let Some(frame) = Frame::read(frame) else {
            return Vec::new();
        };
        let mut steps = self.dialogue.hear(way, &frame, now.up);
        let port = self.lesson.port.as_str();
        for step in &steps {
            let Step::Rogue { server, why } = *step else {
                continue;
            };
            if self.complaints.len() < COMPLAINTS && self.complaints.insert((server, why)) {
                tracing::warn!(port, %server, why, "a DHCP answer to the guest does not count");
            } else {
                tracing::debug!(port, %server, why, "a DHCP answer to the guest does not count");
            }
        }
        if self.lesson.mode == Mode::Dhcp {
            return steps;
        }
        let seen = match frame.tale {
            _ if way == Way::ToGuest || frame.source != self.lesson.mac => None,
            Tale::Arp { mac, address } if mac == self.lesson.mac => Some(address.into()),
            Tale::Ipv4(address) => Some(address.into()),
            Tale::Neighbour(address) => Some(address.into()),
            _ => None,
        };
        let granted = steps.drain(..).filter_map(|step| match step {
            Step::Grant { address, .. } => Some(address),
            _ => None,
        });
        for address in granted.chain(seen).filter(|address| wants(&self.lesson, *address)) {
            if self.pins.pin(address) {
                tracing::debug!(port, %address, "the guest was seen to use this address");
            }
        }
        Vec::new()
    }

    /// All addresses of the guest as they are known now.
    pub(super) fn addresses(&self, book: &Book) -> BTreeSet<IpAddr> {
        match self.lesson.mode {
            Mode::Any => self.pins.addresses().clone(),
            Mode::Dhcp => {
                let leases = book.of(&self.key).into_iter().flat_map(|leases| leases.iter());
                leases
                    .filter(|(address, lease)| wants(&self.lesson, *address) && self.dialogue.trusts(lease.server))
                    .map(|(address, _)| address)
                    .collect()
            }
        }
    }

    /// What is to be told now, if anything.
    pub(super) fn news(&self, book: &Book, now: Now) -> Option<BTreeSet<IpAddr>> {
        let addresses = self.addresses(book);
        let waits = |failed: &Failed| failed.addresses == addresses && now.up < failed.again;
        let tell = addresses != self.told && !self.failed.as_ref().is_some_and(waits);
        tell.then_some(addresses)
    }

    /// The pupil took it.
    pub(super) fn taken(&mut self, addresses: BTreeSet<IpAddr>) {
        self.told = addresses;
        self.failed = None;
    }

    /// The pupil could not; says whether that is the first time.
    pub(super) fn refused(&mut self, addresses: BTreeSet<IpAddr>, now: Now) -> bool {
        let before = self.failed.take().filter(|failed| failed.addresses == addresses);
        let pause = before
            .as_ref()
            .map_or(FIRST_PAUSE, |failed| LONGEST_PAUSE.min(failed.pause * 2));
        self.failed = Some(Failed {
            addresses,
            again: now.up + pause,
            pause,
        });
        before.is_none()
    }

    /// When something is to be done about it without a frame.
    pub(super) fn next_due(&self, book: &Book, now: Now) -> Option<Duration> {
        let lease = book.of(&self.key).and_then(Leases::next_end);
        let again = self.failed.as_ref().map(|failed| failed.again);
        // What is due already is being told, or there is nothing to tell any more.
        let again = again.filter(|again| *again > now.up);
        [lease, again, self.paused].into_iter().flatten().min()
    }
}

const fn wants(lesson: &Lesson, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => lesson.v4,
        IpAddr::V6(_) => lesson.v6,
    }
}
