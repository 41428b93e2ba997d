//! `Delivery`: the events of guests on their way to their drivers, one at a time and in order for each guest.

use super::entry::{Context, Plugin};
use driver_api::error::{Code, Error, Origin};
use driver_api::types::guest::{GuestEvent, GuestId};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Most events that are handled at one time; a driver that blocks in one keeps one of these threads.
const MOST_WORKERS: usize = 32;

/// A guest of one plug-in.
type Address = (u32, GuestId);

/// Queues of events with as many threads as there is work for; none when there is none.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    // A leaf: never held while a plug-in is called.
    desk: Mutex<Sorting>,
}

#[derive(Debug, Default)]
struct Sorting {
    queues: HashMap<Address, Queue>,
    // Guests with events that no thread handles now.
    ready: VecDeque<Address>,
    workers: usize,
}

#[derive(Debug)]
struct Queue {
    plugin: Arc<Plugin>,
    events: VecDeque<GuestEvent>,
}

impl Delivery {
    /// Queues an event for a guest's driver.
    pub(super) fn push(self: &Arc<Self>, plugin: Arc<Plugin>, guest: GuestId, event: GuestEvent) {
        let address = (plugin.number(), guest);
        let mut desk = self.desk.lock();
        if let Some(queue) = desk.queues.get_mut(&address) {
            queue.events.push_back(event);
            return;
        }
        let events = VecDeque::from([event]);
        desk.queues.insert(address, Queue { plugin, events });
        desk.ready.push_back(address);
        if desk.workers < MOST_WORKERS {
            desk.workers += 1;
            drop(desk);
            self.start_worker();
        }
    }

    fn start_worker(self: &Arc<Self>) {
        let delivery = Arc::clone(self);
        let thread = std::thread::Builder::new().name(String::from("guest-events"));
        if let Err(error) = thread.spawn(move || delivery.work()) {
            // Another worker or the next event's push takes over what is queued now.
            tracing::error!(%error, "no thread for the events of guests");
            self.desk.lock().workers -= 1;
        }
    }

    fn work(&self) {
        while let Some((address, plugin, event)) = self.next() {
            handle(&plugin, address.1, event);
            self.done(address);
        }
    }

    fn next(&self) -> Option<(Address, Arc<Plugin>, GuestEvent)> {
        let mut desk = self.desk.lock();
        while let Some(address) = desk.ready.pop_front() {
            if let Some(queue) = desk.queues.get_mut(&address)
                && let Some(event) = queue.events.pop_front()
            {
                return Some((address, Arc::clone(&queue.plugin), event));
            }
        }
        desk.workers -= 1;
        None
    }

    fn done(&self, address: Address) {
        let mut desk = self.desk.lock();
        if desk.queues.get(&address).is_some_and(|queue| queue.events.is_empty()) {
            desk.queues.remove(&address);
        } else {
            desk.ready.push_back(address);
        }
    }
}

fn handle(plugin: &Arc<Plugin>, guest: GuestId, event: GuestEvent) {
    let handled = plugin.call("guest_event", &Context::default(), |driver, call| {
        let virt = driver.virt().ok_or_else(|| {
            let message = format!("guest {} belongs to a driver without domains", guest.0);
            Error::new(Code::NO_SUPPORT, Origin::NONE, message)
        })?;
        virt.guest_event(call, guest, event)
    });
    if let Err(error) = handled {
        tracing::error!(plugin = %plugin.name(), guest = guest.0, %error, "a guest's event was not handled");
    }
}
