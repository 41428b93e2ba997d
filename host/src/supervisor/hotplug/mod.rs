//! Putting things into a running guest and taking them out: the supervisor's half.

mod mounting;
mod request;
mod shown;
mod sys;

use super::order::Failure;
use super::start::Guest;
pub(super) use mounting::View;
pub(super) use request::{Outcome, PlugOrder, UnplugOrder};
pub(super) use shown::{Change, Shown};
use std::os::fd::OwnedFd;

/// Puts something in; `descriptor` came with the request of client `client`. `None` when the answer comes later.
pub(super) fn plug(guest: &mut Guest, client: u64, order: PlugOrder, descriptor: Option<OwnedFd>) -> Option<Outcome> {
    Some(match order {
        PlugOrder::File(file) => {
            guest.shown.ask(client, Change::Show(file));
            return None;
        }
        PlugOrder::Link(link) if guest.links.has(link.name()) => {
            Outcome::Taken(format!("it has a link '{}' already", link.name()))
        }
        PlugOrder::Link(link) => guest.links.add(&link, descriptor).into(),
        PlugOrder::Companion(companion) => Outcome::Failed(Failure::new(format!(
            "start '{}' beside a guest that runs already",
            companion.name
        ))),
        PlugOrder::Console(..) => Outcome::Failed(Failure::new("not yet")),
    })
}

/// Takes something out. `None` when the answer comes later.
pub(super) fn unplug(guest: &mut Guest, client: u64, order: UnplugOrder) -> Option<Outcome> {
    Some(match order {
        UnplugOrder::File(path) => {
            guest.shown.ask(client, Change::Hide(path));
            return None;
        }
        UnplugOrder::Link(name) if guest.links.remove(&name) => Outcome::Unplugged,
        UnplugOrder::Link(name) => Outcome::Missing(format!("link '{name}'")),
        UnplugOrder::Companion(name) => Outcome::Missing(format!("program '{name}' beside it")),
        UnplugOrder::Console(_) => Outcome::Failed(Failure::new("not yet")),
    })
}
