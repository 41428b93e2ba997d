//! The learning thread as its user sees it.

use super::testing::*;
use super::*;
use crate::engine::Mode;
use crate::nft::sys::in_own_network;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

type Told = (String, u64, Vec<String>);

#[derive(Debug)]
struct Listener(SyncSender<Told>);

impl Pupil for Listener {
    fn learned(&self, port: &str, generation: u64, addresses: &[IpAddr]) -> Result<()> {
        let addresses = addresses.iter().map(ToString::to_string).collect();
        let told = self.0.send((port.to_owned(), generation, addresses));
        told.map_err(|_| Error::new(Code::INTERNAL, Origin::NWFILTER, "nobody listens"))
    }
}

fn teach(learn: &Learn) -> Receiver<Told> {
    let (sender, receiver) = sync_channel(100);
    learn.teach(Arc::new(Listener(sender))).unwrap();
    receiver
}

/// The next thing that is told; only a broken build takes as long.
fn next(news: &Receiver<Told>) -> Told {
    news.recv_timeout(Duration::from_secs(60)).unwrap()
}

fn told(port: &str, generation: u64, addresses: &[&str]) -> Told {
    let addresses = addresses.iter().map(ToString::to_string).collect();
    (port.to_owned(), generation, addresses)
}

#[test]
fn one_thread_teaches_all_ports_and_knows_leases_after_a_restart() {
    in_own_network(|| {
        let folder = tempfile::tempdir().unwrap();
        let learn = Learn::open(folder.path()).unwrap();
        let news = teach(&learn);
        assert_eq!(
            learn.teach(Arc::new(Listener(sync_channel(1).0))).unwrap_err().code(),
            Code(55)
        );
        let mut pairs: Vec<Pair> = (0..4).map(|n| Pair::new(&format!("port{n}"))).collect();
        for (generation, pair) in (1..).zip(&mut pairs) {
            pair.plug();
            let mut lesson = lesson(&format!("port{}", generation - 1), Mode::Any);
            lesson.generation = generation;
            learn.start(lesson).unwrap();
            pair.guest_sends(&arp(GUEST, GUEST, 1, "10.0.0.5", "10.0.0.1"));
            assert_eq!(
                next(&news),
                told(&format!("port{}", generation - 1), generation, &["10.0.0.5"])
            );
        }
        let mut by_lease = lesson("port1", Mode::Dhcp);
        by_lease.generation = 9;
        learn.start(by_lease.clone()).unwrap();
        pairs[1].guest_sends(&Dhcp::new(1, 7).option(80, &[]).asked());
        // The two ends of a port are two queues of the kernel: the answer must not overtake the question.
        while learn.addresses("port1").is_some_and(|addresses| addresses.is_empty()) {
            pairs[1].guest_gets(&ack(7, "10.0.0.6", 5).option(80, &[]).answered("10.0.0.1"));
        }
        assert_eq!(next(&news), told("port1", 9, &["10.0.0.6"]));
        drop(learn);
        let learn = Learn::open(folder.path()).unwrap();
        by_lease.generation = 10;
        learn.start(by_lease).unwrap();
        assert_eq!(next(&teach(&learn)), told("port1", 10, &["10.0.0.6"]));
    });
}

/// Waits in its first call until the test lets it go on; then panics.
#[derive(Debug)]
struct Slow(SyncSender<Told>, Mutex<Receiver<()>>);

impl Pupil for Slow {
    fn learned(&self, port: &str, generation: u64, addresses: &[IpAddr]) -> Result<()> {
        Listener(self.0.clone()).learned(port, generation, addresses)?;
        if generation == 1 {
            self.1.lock().recv().unwrap();
            panic!("the first lesson");
        }
        Ok(())
    }
}

#[test]
fn lessons_start_and_stop_while_the_pupil_is_busy_and_outlive_its_faults() {
    in_own_network(|| {
        let folder = tempfile::tempdir().unwrap();
        let learn = Learn::open(folder.path()).unwrap();
        let (sender, news) = sync_channel(100);
        let (go, wait) = sync_channel(1);
        learn.teach(Arc::new(Slow(sender, Mutex::new(wait)))).unwrap();
        let mut pair = Pair::new("port");
        pair.plug();
        learn.start(lesson("port", Mode::Any)).unwrap();
        pair.guest_sends(&arp(GUEST, GUEST, 1, "10.0.0.5", "10.0.0.1"));
        assert_eq!(next(&news), told("port", 1, &["10.0.0.5"]));
        learn.stop("port");
        assert_eq!(learn.addresses("port"), None);
        let mut second = lesson("port", Mode::Any);
        second.generation = 2;
        learn.start(second).unwrap();
        pair.guest_sends(&arp(GUEST, GUEST, 1, "10.0.0.6", "10.0.0.1"));
        go.send(()).unwrap();
        assert_eq!(next(&news), told("port", 2, &["10.0.0.6"]));
        learn.close();
        learn.close();
    });
}
