//! Lessons on a real port, in a network of the test's own, at times of the test's own.

use super::*;
use crate::engine::Mode;
use crate::learn::testing::*;
use crate::nft::sys::in_own_network;

/// Only a broken build takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    pair: Pair,
    poller: Arc<Poller>,
    ports: Ports,
    now: Now,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    fn open(folder: &Path) -> Self {
        let poller = Arc::new(Poller::open().unwrap());
        let links = Links::open().unwrap();
        poller.add(&links, super::super::poller::LINKS).unwrap();
        let now = Now {
            up: Duration::from_secs(1000),
            wall: Duration::from_secs(1_700_000_000),
        };
        Self {
            pair: Pair::new("port"),
            ports: Ports::new(folder, Arc::clone(&poller), links, now),
            poller,
            now,
            _folder: None,
        }
    }

    fn plugged() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut world = Self::open(folder.path());
        world.pair.plug();
        world._folder = Some(folder);
        world
    }

    fn start(&mut self, lesson: Lesson) {
        self.ports.start(lesson, self.now).unwrap();
    }

    /// What the port's own thread does once.
    fn step(&mut self) {
        self.poller.set_timer(Some(Now::read().up + PATIENCE));
        let ready = self.poller.wait(true).unwrap();
        assert!(!ready.is_empty(), "waited {PATIENCE:?} in vain for a frame or a device");
        for number in ready {
            match number {
                super::super::poller::LINKS => self.ports.devices(),
                number => self.ports.frames(number, &mut Buffer::default(), self.now),
            }
        }
        self.ports.due(self.now);
    }

    /// Waits for news and takes them.
    fn news(&mut self) -> Vec<String> {
        loop {
            let news = self.ports.news(self.now);
            if let Some(news) = news.into_iter().next() {
                let told = news.addresses.iter().map(ToString::to_string).collect();
                self.ports.answered(news, Ok(()), self.now);
                return told;
            }
            self.step();
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now.up += Duration::from_secs(seconds);
        self.now.wall += Duration::from_secs(seconds);
        self.ports.due(self.now);
    }

    fn lease(&mut self, xid: u32, address: &'static str, seconds: u32) -> Vec<String> {
        self.ask(&request(xid, address).asked());
        self.pair.guest_gets(&ack(xid, address, seconds).answered("10.0.0.1"));
        self.news()
    }

    /// The guest sends a frame, and it was heard: an answer must not overtake it, they come from two queues.
    fn ask(&mut self, frame: &[u8]) {
        let before = std::mem::take(&mut self.ports.changed);
        self.pair.guest_sends(frame);
        while self.ports.changed.is_empty() {
            self.step();
        }
        self.ports.changed.extend(before);
    }

    /// The guest gets a frame, and it was heard.
    fn answer(&mut self, frame: &[u8]) {
        let before = std::mem::take(&mut self.ports.changed);
        self.pair.guest_gets(frame);
        while self.ports.changed.is_empty() {
            self.step();
        }
        self.ports.changed.extend(before);
    }
}

#[test]
fn any_learns_the_first_address_that_the_guest_uses_and_then_looks_away() {
    in_own_network(|| {
        let mut world = World::plugged();
        world.start(lesson("port", Mode::Any));
        let claim = |mac, address| arp(mac, mac, 1, address, "10.0.0.1");
        world.pair.guest_sends(&tagged(&claim(GUEST, "10.0.0.10")));
        world.pair.guest_sends(&claim(OTHER, "10.0.0.11"));
        world.pair.guest_sends(&arp(GUEST, OTHER, 1, "10.0.0.12", "10.0.0.1"));
        world.pair.guest_sends(&arp(GUEST, GUEST, 1, "0.0.0.0", "10.0.0.13"));
        for source in ["0.0.0.0", "127.0.0.1", "224.0.0.1"] {
            let packet = ipv4(source, "10.0.0.1", 1, &[8]);
            world.pair.guest_sends(&ethernet(GUEST, OTHER, IPV4, &packet));
        }
        world.pair.guest_gets(&claim(GUEST, "10.0.0.14"));
        world.pair.guest_sends(&claim(GUEST, "10.0.0.5"));
        world.pair.guest_sends(&claim(GUEST, "10.0.0.6"));
        assert_eq!(world.news(), ["10.0.0.5"]);
        assert!(world.ports.ports["port"].tap.is_none());
        // It is closed when there is nothing better to do.
        assert!(world.ports.has_unneeded());
        assert_eq!(world.ports.take_all().len(), 1);
        assert_eq!(world.ports.addresses("port").unwrap().len(), 1);
    });
}

#[test]
fn any_learns_from_packets_and_from_leases() {
    in_own_network(|| {
        let mut world = World::plugged();
        world.start(lesson("port", Mode::Any));
        let packet = ipv4("10.0.0.5", "10.0.0.1", 1, &[8]);
        world.pair.guest_sends(&ethernet(GUEST, OTHER, IPV4, &packet));
        assert_eq!(world.news(), ["10.0.0.5"]);
        world.start(lesson("port", Mode::Any));
        assert_eq!(world.lease(7, "10.0.0.6", 60), ["10.0.0.6"]);
        // What is seen stays, unlike a lease.
        world.pass(100);
        assert_eq!(world.ports.addresses("port").unwrap().len(), 1);
        // What a host before had learned is not told again, and nothing else is learned.
        let mut again = lesson("port", Mode::Any);
        again.known = vec!["10.0.0.7".parse().unwrap()];
        world.start(again);
        assert!(world.ports.news(world.now).is_empty() && world.ports.ports["port"].tap.is_none());
    });
}

#[test]
fn any_learns_one_link_local_and_one_other_ipv6_address() {
    in_own_network(|| {
        let mut world = World::plugged();
        let mut both = lesson("port", Mode::Any);
        both.v6 = true;
        world.start(both);
        world.pair.guest_sends(&neighbour(OTHER, 135, "::", "fe80::66"));
        world.pair.guest_sends(&neighbour(GUEST, 135, "::", "fe80::5"));
        world.pair.guest_sends(&neighbour(GUEST, 135, "::", "fe80::6"));
        assert_eq!(world.news(), ["fe80::5"]);
        world.pair.guest_sends(&arp(GUEST, GUEST, 1, "10.0.0.5", "10.0.0.1"));
        assert_eq!(world.news(), ["10.0.0.5", "fe80::5"]);
        world.ask(&dhcp6_asked(&dhcp6(3, 9, &[])));
        let reply = dhcp6(7, 9, &[("2001:db8::5", 60)]);
        world.pair.guest_gets(&dhcp6_answered(GUEST, "fe80::1", &reply));
        assert_eq!(world.news(), ["10.0.0.5", "2001:db8::5", "fe80::5"]);
        assert!(world.ports.ports["port"].tap.is_none());
    });
}

#[test]
fn leases_come_and_go_and_the_whole_list_is_told_each_time() {
    in_own_network(|| {
        let mut world = World::plugged();
        world.start(lesson("port", Mode::Dhcp));
        // What the guest merely uses does not count.
        world.pair.guest_sends(&arp(GUEST, GUEST, 1, "10.0.0.66", "10.0.0.1"));
        assert_eq!(world.lease(1, "10.0.0.5", 60), ["10.0.0.5"]);
        assert_eq!(world.lease(2, "10.0.0.6", 100), ["10.0.0.5", "10.0.0.6"]);
        world.pass(59);
        assert!(world.ports.news(world.now).is_empty());
        world.pass(1);
        assert_eq!(world.news(), ["10.0.0.6"]);
        assert_eq!(world.lease(3, "10.0.0.7", 1000), ["10.0.0.6", "10.0.0.7"]);
        world.pair.guest_sends(&Dhcp::new(7, 4).current("10.0.0.6").asked());
        assert_eq!(world.news(), ["10.0.0.7"]);
        world
            .pair
            .guest_sends(&Dhcp::new(4, 5).option(50, &[10, 0, 0, 7]).asked());
        assert_eq!(world.news(), Vec::<String>::new());
        assert_eq!(world.lease(6, "10.0.0.8", 1000), ["10.0.0.8"]);
        // A renewal is no news, and it counts from then on.
        world.pass(900);
        world.ask(&Dhcp::new(3, 7).current("10.0.0.8").asked());
        world.answer(&ack(7, "10.0.0.8", 1000).answered("10.0.0.1"));
        world.pass(500);
        assert!(world.ports.news(world.now).is_empty());
        // Renewals do not fill the agenda.
        assert_eq!(world.ports.agenda.len(), 1);
        world.ask(&Dhcp::new(3, 8).current("10.0.0.8").asked());
        world.pair.guest_gets(&Dhcp::new(6, 8).answered("10.0.0.1"));
        assert_eq!(world.news(), Vec::<String>::new());
    });
}

#[test]
fn leases_outlive_lessons_and_hosts() {
    in_own_network(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::open(folder.path());
        world.pair.plug();
        world.start(lesson("port", Mode::Dhcp));
        assert_eq!(world.lease(1, "10.0.0.5", 60), ["10.0.0.5"]);
        world.ports.stop("port");
        world.start(lesson("port", Mode::Dhcp));
        assert_eq!(world.news(), ["10.0.0.5"]);
        drop(world.ports);
        let mut world = World::open(folder.path());
        world.pass(59);
        // The host that ran before told it already.
        let mut known = lesson("port", Mode::Dhcp);
        known.known = vec!["10.0.0.5".parse().unwrap()];
        world.start(known);
        assert!(world.ports.news(world.now).is_empty());
        world.pass(1);
        assert_eq!(world.news(), Vec::<String>::new());
        // One whose server is no longer listed does not count.
        let mut world = World::open(folder.path());
        let mut listed = lesson("port", Mode::Dhcp);
        listed.servers = vec!["10.0.0.2".parse().unwrap()];
        world.start(listed.clone());
        assert!(world.ports.news(world.now).is_empty());
        listed.servers.push("10.0.0.1".parse().unwrap());
        world.start(listed);
        assert_eq!(world.news(), ["10.0.0.5"]);
    });
}

#[test]
fn a_rogue_changes_nothing_and_is_told_once() {
    in_own_network(|| {
        let mut world = World::plugged();
        let mut strict = lesson("port", Mode::Dhcp);
        strict.servers = vec!["10.0.0.1".parse().unwrap()];
        world.start(strict);
        let warnings = Warnings::default();
        warnings.during(|| {
            world.ask(&request(1, "10.0.0.5").asked());
            for n in 0..5 {
                let server = if n == 0 { "10.0.0.67" } else { "10.0.0.66" };
                world.pair.guest_gets(&ack(1, "10.0.0.66", 60).answered(server));
                world.pair.guest_gets(&Dhcp::new(6, 1).answered(server));
            }
            // Nor can the guest answer itself.
            world.pair.guest_sends(&ack(1, "10.0.0.68", 60).answered("10.0.0.1"));
            world.pair.guest_gets(&ack(1, "10.0.0.5", 60).answered("10.0.0.1"));
            assert_eq!(world.news(), ["10.0.0.5"]);
        });
        assert_eq!(warnings.count("none of DHCPSERVER"), 2);
        assert_eq!(warnings.count(""), 2);
    });
}

#[test]
fn a_flood_is_told_once_and_hardly_looked_at() {
    in_own_network(|| {
        let mut world = World::plugged();
        world.start(lesson("port", Mode::Dhcp));
        let warnings = Warnings::default();
        let flood = request(1, "10.0.0.5").asked();
        warnings.during(|| {
            for second in 0..5 {
                for _ in 0..1000 {
                    world.pair.guest_sends(&flood);
                }
                while world.ports.ports["port"].paused.is_none() {
                    world.step();
                }
                // The socket is not waited for; it keeps little.
                world.poller.call();
                assert_eq!(world.poller.wait(true).unwrap(), []);
                let until = world.ports.ports["port"].paused.unwrap();
                assert_eq!(until, world.now.up + Duration::from_secs(1), "{second}");
                world.pass(1);
                assert!(world.ports.ports["port"].paused.is_none());
            }
        });
        assert_eq!(warnings.count("too many frames"), 1);
        // When it is over, learning goes on.
        while let Ok(Some(_)) = world.ports.ports["port"]
            .tap
            .as_ref()
            .unwrap()
            .next(&mut Buffer::default())
        {}
        world.pass(60);
        assert_eq!(world.lease(2, "10.0.0.5", 60), ["10.0.0.5"]);
    });
}

#[test]
fn a_port_may_come_late_go_and_come_back() {
    in_own_network(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::open(folder.path());
        world.start(lesson("port", Mode::Dhcp));
        let plugged = |world: &mut World, there: bool| {
            while world.ports.ports["port"].tap.is_some() != there {
                world.step();
            }
        };
        world.pair.plug();
        plugged(&mut world, true);
        assert_eq!(world.lease(1, "10.0.0.5", 60), ["10.0.0.5"]);
        world.pair.unplug();
        plugged(&mut world, false);
        assert_eq!(world.ports.addresses("port").unwrap().len(), 1);
        world.pair.plug();
        plugged(&mut world, true);
        assert_eq!(world.lease(2, "10.0.0.6", 60), ["10.0.0.5", "10.0.0.6"]);
    });
}

#[test]
fn what_could_not_be_used_is_told_again_later_or_when_it_changes() {
    in_own_network(|| {
        let mut world = World::plugged();
        world.start(lesson("port", Mode::Dhcp));
        world.ask(&request(1, "10.0.0.5").asked());
        world.answer(&ack(1, "10.0.0.5", 6000).answered("10.0.0.1"));
        let refuse = |world: &mut World| {
            let news = world.ports.news(world.now).into_iter().next();
            let told = news.is_some();
            if let Some(news) = news {
                let error = Error::new(
                    driver_api::error::Code::INTERNAL,
                    driver_api::error::Origin::NWFILTER,
                    "no",
                );
                world.ports.answered(news, Err(error), world.now);
            }
            told
        };
        let warnings = Warnings::default();
        warnings.during(|| {
            assert!(refuse(&mut world) && !refuse(&mut world));
            for (pause, told) in [
                (1, true),
                (1, false),
                (1, true),
                (3, false),
                (1, true),
                (200, true),
                (59, false),
                (1, true),
            ] {
                world.pass(pause);
                assert_eq!(refuse(&mut world), told, "{pause}");
                if pause == 200 {
                    for _ in 0..4 {
                        world.pass(60);
                        refuse(&mut world);
                    }
                }
            }
            assert_eq!(warnings.count("can not be made"), 1);
            world.ask(&request(2, "10.0.0.6").asked());
            world.answer(&ack(2, "10.0.0.6", 6000).answered("10.0.0.1"));
            assert!(refuse(&mut world));
            assert_eq!(warnings.count("can not be made"), 2);
            world.pass(1);
            assert_eq!(world.news(), ["10.0.0.5", "10.0.0.6"]);
            world.pass(100);
            assert!(world.ports.news(world.now).is_empty());
        });
    });
}
