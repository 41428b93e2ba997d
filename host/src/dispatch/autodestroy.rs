//! Guests that end with the connection of the client that started them.

use super::Dispatch;
use super::driver::lacks;
use super::session::Bond;
use crate::plugin::{Context, Plugin};
use crate::server::Call;
use driver_api::error::Result;
use driver_api::types::domain::{DomainBrief, flags};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;

/// How many threads end guests of clients that are gone.
#[derive(Debug, Default)]
pub(super) struct Endings(Arc<(Mutex<usize>, Condvar)>);

/// One such thread, until it is dropped.
struct Ending(Arc<(Mutex<usize>, Condvar)>);

impl Drop for Ending {
    fn drop(&mut self) {
        let (running, changed) = &*self.0;
        *running.lock() -= 1;
        changed.notify_all();
    }
}

impl Endings {
    /// Ends, on a thread of their own, the guests of a client that is gone: the caller serves other clients.
    pub(super) fn begin(&self, plugin: Arc<Plugin>, client: u64, bonds: Vec<Bond>) {
        *self.0.0.lock() += 1;
        let ending = Ending(Arc::clone(&self.0));
        let work = move || {
            bonds.iter().for_each(|bond| end(&plugin, client, bond));
            drop(ending);
        };
        if let Err(error) = std::thread::Builder::new().name("autodestroy".into()).spawn(work) {
            tracing::error!(client, %error, "no thread can be had to end the guests of a client");
        }
    }

    /// Waits for them, so long at most: what is left then, the next host ends.
    pub(super) fn finish(&self, within: Duration) {
        let (running, changed) = &*self.0;
        let mut running = running.lock();
        if changed
            .wait_while_for(&mut running, |running| *running > 0, within)
            .timed_out()
        {
            tracing::warn!(
                clients = *running,
                "stopping although guests of clients that are gone still end"
            );
        }
    }
}

/// What a bond's domain is now, if it is still the run that was bound.
fn bound(plugin: &Plugin, bond: &Bond) -> Result<Option<DomainBrief>> {
    let found = plugin.read("look up", |driver| {
        let virt = driver.virt().ok_or_else(|| lacks(plugin, "domains"))?;
        virt.by_uuid(bond.uuid)
    })?;
    Ok(found.filter(|domain| domain.id == Some(bond.id)))
}

fn end(plugin: &Plugin, client: u64, bond: &Bond) {
    let ended = bound(plugin, bond).and_then(|found| {
        let Some(domain) = found else { return Ok(()) };
        tracing::info!(client, dom = %domain.name, id = bond.id, "the guest ends with the client that started it");
        let context = Context {
            client: Some(client),
            within: None,
        };
        plugin.call("destroy", &context, |driver, token| {
            let virt = driver.virt().ok_or_else(|| lacks(plugin, "domains"))?;
            virt.destroy(token, bond.uuid, 0)
        })
    });
    if let Err(error) = ended {
        // Its own end may have come first, which is no failure.
        match bound(plugin, bond) {
            Ok(None) => {}
            _ => {
                tracing::error!(client, uuid = %bond.uuid, id = bond.id, %error, "a guest outlives the client that started it");
            }
        }
    }
}

/// Binds the guest that a call has just started to the client, if the call's flags say so.
pub(super) fn bind(host: &Dispatch, call: &Call<'_>, domain: &DomainBrief, given: u32) -> Result<()> {
    if given & flags::START_AUTODESTROY == 0 {
        return Ok(());
    }
    // A guest that has ended already needs no more.
    let Some(id) = domain.id else { return Ok(()) };
    let bond = Bond { uuid: domain.uuid, id };
    let plugin = host.plugin(call)?;
    // A client may start and end guests as long as it likes: bonds to those that are gone are let go.
    let known = host.sessions.with(call.client, |session| session.bonds.clone())?;
    let gone: Vec<Bond> = known
        .into_iter()
        .filter(|known| matches!(bound(&plugin, known), Ok(None)))
        .collect();
    host.sessions.with(call.client, |session| {
        session.bonds.retain(|known| !gone.contains(known));
        session.bonds.push(bond);
    })
}
