//! `GuestDesk`: the supervisor room as plug-ins reach it, each its own guests only.

use crate::paths::Paths;
use crate::plugin::{GuestRoom, Sink};
use crate::supervisor::{ConsoleMode, Guests, Options};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::{ConsoleRef, GuestId, GuestSpec, Started};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// The guests, and where the events of each go.
pub struct GuestDesk {
    guests: Guests,
    sinks: Arc<Mutex<HashMap<GuestId, Sink>>>,
}

impl fmt::Debug for GuestDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestDesk")
            .field("guests", &self.guests)
            .finish_non_exhaustive()
    }
}

impl GuestDesk {
    /// Takes over the guests below the run folder.
    ///
    /// # Errors
    /// 38 when the folders can not be used or another host serves them.
    pub(super) fn open(paths: &Paths, options: Options) -> Result<Self> {
        let sinks: Arc<Mutex<HashMap<GuestId, Sink>>> = Arc::default();
        let known = Arc::clone(&sinks);
        let sink = move |_: &str, guest: GuestId, event| {
            // Taken out of the map first: the driver's own work must not run under its lock.
            let sink = known.lock().get(&guest).cloned();
            match sink {
                Some(sink) => sink(guest, event),
                None => tracing::warn!(guest = guest.0, ?event, "an event of a guest that nobody watches"),
            }
        };
        let guests = Guests::open(&paths.run, &paths.log, options, Arc::new(sink))?;
        Ok(Self { guests, sinks })
    }

    /// Opens a guest's console for the stream of a client.
    ///
    /// # Errors
    /// 38 when there is none, 55 when somebody else types there and `force` is not set.
    pub fn open_console(&self, console: ConsoleRef, force: bool) -> Result<UnixStream> {
        let mode = ConsoleMode {
            write: true,
            force,
            history: true,
        };
        self.guests.open_console(console.guest, console.index, mode)
    }

    fn own(&self, driver: &str, guest: GuestId) -> Result<()> {
        if self.guests.driver_of(guest).as_deref() == Some(driver) {
            return Ok(());
        }
        let text = format!("the driver '{driver}' has no guest process '{}'", guest.0);
        Err(Error::new(Code::SYSTEM_ERROR, Origin::DOMAIN, text))
    }
}

impl GuestRoom for GuestDesk {
    fn spawn(&self, driver: &str, spec: &GuestSpec) -> Result<Started> {
        self.guests.spawn(driver, spec)
    }

    fn survivors(&self, driver: &str) -> Result<Vec<Started>> {
        self.guests.survivors(driver)
    }

    fn watch(&self, driver: &str, guest: GuestId, sink: Sink) -> Result<()> {
        self.own(driver, guest)?;
        // Before the watch begins: what was missed is delivered at once.
        self.sinks.lock().insert(guest, sink);
        self.guests.watch(guest)
    }

    fn kill(&self, driver: &str, guest: GuestId) -> Result<()> {
        self.own(driver, guest)?;
        self.guests.kill(guest)
    }

    fn forget(&self, driver: &str, guest: GuestId) -> Result<()> {
        self.own(driver, guest)?;
        self.guests.forget(guest)?;
        self.sinks.lock().remove(&guest);
        Ok(())
    }

    fn console_tail(&self, driver: &str, guest: GuestId, bytes: u32) -> Result<String> {
        self.own(driver, guest)?;
        self.guests.console_tail(guest, bytes)
    }

    fn cpu_time(&self, driver: &str, guest: GuestId) -> Result<u64> {
        self.own(driver, guest)?;
        self.guests.cpu_time(guest)
    }
}
