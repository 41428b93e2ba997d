//! Putting things into a running guest and taking them out: the supervisor's half.

mod mounting;
mod request;
mod shown;
mod sys;

use super::extras::BackendOrder;
use super::order::{ConsoleOrder, Failure};
use super::start::Guest;
use driver_api::types::guest::CONSOLE_FD;
pub(super) use mounting::{View, check_links};
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
        PlugOrder::Console(order, backend) => console(guest, &order, &backend),
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
        UnplugOrder::Console(alias) => match guest.consoles.iter_mut().find(|console| console.is(&alias)) {
            Some(console) => {
                console.release();
                Outcome::Unplugged
            }
            None => Outcome::Missing(format!("console '{alias}'")),
        },
    })
}

/// Puts a spare console to use.
fn console(guest: &mut Guest, order: &ConsoleOrder, backend: &BackendOrder) -> Outcome {
    if guest.consoles.iter().any(|console| console.is(&order.alias)) {
        return Outcome::Taken(format!("it has a console '{}' already", order.alias));
    }
    let spare = guest
        .consoles
        .iter_mut()
        .enumerate()
        .find(|(_, console)| console.is_spare());
    let Some((index, console)) = spare else {
        return Outcome::Taken(
            "it has no spare console left; one that is unplugged, or a new start, makes room".to_owned(),
        );
    };
    match console.employ(order, backend, guest.logging) {
        Ok(pty) => {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            Outcome::Plugged {
                index,
                descriptor: CONSOLE_FD.saturating_add_unsigned(index),
                pty,
            }
        }
        Err(failure) => Outcome::Failed(failure),
    }
}
