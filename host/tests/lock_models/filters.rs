//! Four at once at the same guest's port: a filter is defined, an address is learned, the guest starts and is ended.
//!
//! The filter driver keeps what is in force behind a mutex of its own, below all of the host's locks: whoever holds it
//! asks for nothing more.

use super::{Actor, DOMAIN, EXCLUSIVE, UPDATE, VIRT, World, manager, nothing_left, spawn, uuid};
use driver_api::abi::lock::LockKey;
use lockstep::lock::held::Rules;
use std::sync::Arc;

const FILTER: u32 = 100;

/// What the filter driver has in force for the one port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Port {
    /// Counts the bindings that the port has had, so that an address is not given to a later one.
    generation: u32,
    bound: bool,
    learned: bool,
}

/// A filter's definition: every driver is asked for its ports, then all of them are rebuilt.
fn define<W: World>(actor: Actor<W>, port: &W::Mutex<Port>) {
    let filter = actor.level(FILTER, EXCLUSIVE).unwrap();
    let update = actor.level(UPDATE, EXCLUSIVE).unwrap();
    let virt = actor.level(VIRT, 0).unwrap();
    let domain = actor.domain(1, 0).unwrap();
    actor.release(domain);
    actor.release(virt);
    let before = *W::lock(port);
    let again = *W::lock(port);
    assert_eq!(before, again, "a port changed while a filter was defined");
    actor.release(update);
    actor.release(filter);
    actor.end();
}

/// An address was learned for a binding; it may be gone, or another one, by the time the guards are held.
fn learn<W: World>(actor: Actor<W>, port: &W::Mutex<Port>, generation: u32) {
    let filter = actor.level(FILTER, EXCLUSIVE).unwrap();
    let update = actor.level(UPDATE, EXCLUSIVE).unwrap();
    let mut now = W::lock(port);
    if now.bound && now.generation == generation {
        now.learned = true;
    }
    drop(now);
    actor.release(update);
    actor.release(filter);
    actor.end();
}

/// A guest's start, by a client or as the host starts: its port is bound while filters do not change.
fn start<W: World>(actor: Actor<W>, port: &W::Mutex<Port>) {
    let update = actor.level(UPDATE, 0).unwrap();
    let mut now = W::lock(port);
    if !now.bound {
        *now = Port {
            generation: now.generation + 1,
            bound: true,
            learned: false,
        };
    }
    drop(now);
    let key = LockKey {
        rank: DOMAIN,
        uuid: uuid(1),
    };
    let domain = actor.locks.acquire(actor.who, key, EXCLUSIVE, 0).unwrap();
    actor.release(domain);
    actor.release(update);
    actor.end();
}

/// The guest's end.
fn end<W: World>(actor: Actor<W>, port: &W::Mutex<Port>) {
    let update = actor.level(UPDATE, 0).unwrap();
    let mut now = W::lock(port);
    now.bound = false;
    now.learned = false;
    drop(now);
    actor.release(update);
    actor.end();
}

/// Who takes part besides the start.
#[derive(Clone, Copy)]
pub(crate) struct Cast {
    pub(crate) define: bool,
    pub(crate) learn: bool,
    pub(crate) autostart: bool,
    pub(crate) end: bool,
}

/// All of them at once; whatever the order, nobody waits for ever and an address is known only for a port that is bound.
pub(crate) fn port_of_a_guest<W: World>(cast: Cast) {
    let locks = manager::<W>(Rules::ALL);
    let port = Arc::new(W::mutex(Port::default()));
    let mut number = 1;
    let mut go = |wanted: bool, work: fn(Actor<W>, &W::Mutex<Port>)| {
        number += 1;
        let port = Arc::clone(&port);
        wanted.then(|| spawn(number, &locks, move |locks| work(Actor::begin(&locks), &port)))
    };
    let others = [
        go(cast.define, define::<W>),
        go(cast.learn, |actor, port| learn(actor, port, 1)),
        go(cast.autostart, start::<W>),
        go(cast.end, end::<W>),
    ];
    start(Actor::begin(&locks), &port);
    others.into_iter().flatten().for_each(W::join);
    let now = *W::lock(&port);
    assert!(
        now.bound || !now.learned,
        "an address is known for a port that is not bound"
    );
    assert!(
        now.generation == 1 || !now.learned,
        "an address was given to a later binding"
    );
    nothing_left(&locks);
}
