//! What is kept for each client: the driver that it opened and the events that it wants.

use super::telling::Telling;
use crate::event::Happening;
use crate::plugin::Plugin;
use crate::server::Client;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Event registrations of one client; each costs memory and a frame for every event.
const REGISTRATIONS: usize = 1024;

/// One event registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    /// The client's handle for it; `None` for one of the old kind, which has no handle.
    pub(super) callback: Option<i32>,
    /// The event id that is wanted.
    pub(super) event: i32,
    /// Only events of this domain are wanted.
    pub(super) domain: Option<Uuid>,
}

/// A guest that ends with its client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bond {
    /// The domain.
    pub(super) uuid: Uuid,
    /// Its id, which tells this run from later ones.
    pub(super) id: i32,
}

/// What one client opened.
#[derive(Debug)]
pub(super) struct Session {
    client: Arc<Client>,
    /// The driver of the connection's URI; `None` for a connection to the filters alone.
    pub(super) virt: Option<Arc<Plugin>>,
    /// The URI that was opened, with the defaults filled in.
    pub(super) uri: String,
    registrations: Vec<Registration>,
    next_callback: i32,
    /// The guests that end with this connection.
    pub(super) bonds: Vec<Bond>,
}

/// All open sessions, by client.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<u64, Session>>);

impl Sessions {
    pub(super) fn open(&self, client: &Arc<Client>, virt: Option<Arc<Plugin>>, uri: String) {
        let client = Arc::clone(client);
        let session = Session {
            client,
            virt,
            uri,
            registrations: Vec::new(),
            next_callback: 0,
            bonds: Vec::new(),
        };
        self.0.lock().insert(session.client.id(), session);
    }

    pub(super) fn close(&self, client: u64) -> Option<Session> {
        self.0.lock().remove(&client)
    }

    pub(super) fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// Looks at or changes one client's session.
    pub(super) fn with<T>(&self, client: &Client, work: impl FnOnce(&mut Session) -> T) -> Result<T> {
        let mut sessions = self.0.lock();
        let session = sessions.get_mut(&client.id()).ok_or_else(|| {
            Error::new(
                Code::NO_CONNECT,
                Origin::RPC,
                "the connection was not opened with a URI yet",
            )
        })?;
        Ok(work(session))
    }

    /// Queues what happened for every client that registered for it; called without any lock of the order held.
    pub(super) fn publish(&self, plugin: &str, happening: &Happening) {
        let Some(telling) = Telling::of(happening) else {
            return;
        };
        let sessions = self.0.lock();
        for session in sessions
            .values()
            .filter(|s| s.virt.as_ref().is_some_and(|virt| &**virt.name() == plugin))
        {
            for registration in &session.registrations {
                if let Some((number, body)) = registration.message(&telling) {
                    session.client.send_event(number, &body);
                }
            }
        }
    }
}

impl Session {
    /// Adds a registration and gives its handle.
    pub(super) fn register(&mut self, event: i32, domain: Option<Uuid>, handled: bool) -> Result<i32> {
        let callback = self.next_callback;
        let registration = Registration {
            callback: handled.then_some(callback),
            event,
            domain,
        };
        if !handled && self.registrations.contains(&registration) {
            let text = format!("event {event} is registered already");
            return Err(Error::new(Code::OPERATION_FAILED, Origin::REMOTE, text));
        }
        if self.registrations.len() >= REGISTRATIONS {
            let text = format!("there are {REGISTRATIONS} event callbacks already, as many as one client may have");
            return Err(Error::new(Code::OPERATION_FAILED, Origin::REMOTE, text));
        }
        self.next_callback += 1;
        self.registrations.push(registration);
        Ok(callback)
    }

    /// Removes a registration by its handle.
    pub(super) fn deregister(&mut self, callback: i32) -> Result<()> {
        self.remove(
            |r| r.callback == Some(callback),
            || format!("there is no event callback {callback}"),
        )
    }

    /// Removes a registration of the old kind.
    pub(super) fn deregister_event(&mut self, event: i32) -> Result<()> {
        let gone = |r: &Registration| r.callback.is_none() && r.event == event;
        self.remove(gone, || format!("event {event} is not registered"))
    }

    fn remove(&mut self, which: impl Fn(&Registration) -> bool, missing: impl FnOnce() -> String) -> Result<()> {
        let before = self.registrations.len();
        self.registrations.retain(|registration| !which(registration));
        if self.registrations.len() == before {
            return Err(Error::new(Code::INVALID_ARG, Origin::REMOTE, missing()));
        }
        Ok(())
    }
}

impl Registration {
    /// The message that is sent for this registration, if any: procedure number and body.
    fn message(&self, telling: &Telling) -> Option<(u32, Vec<u8>)> {
        if self.event != telling.subject.id || self.domain.is_some_and(|uuid| uuid != telling.uuid) {
            return None;
        }
        telling.message(self.callback)
    }
}
