//! `Accounts`: a room of guest processes that are numbers: started, killed and ended on order, nothing runs.

use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::{Exit, GuestEvent, GuestId, GuestSpec, Started};
use driver_api::types::launch::{Launch, Plug, Plugged, Unplug};
use driver_api::types::param::Param;
use lockstep::plugin::GuestRoom;
use lockstep::supervisor::Sink;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// The room.
pub(crate) struct Accounts {
    run: PathBuf,
    sink: Arc<Sink>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    guests: BTreeMap<u64, Guest>,
}

#[derive(Clone, Debug)]
struct Guest {
    driver: String,
    started: Started,
    watched: bool,
    exit: Option<Exit>,
    limits: Vec<Param>,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

fn unknown(driver: &str, guest: GuestId) -> Error {
    let message = format!("driver '{driver}' has no guest process '{}'", guest.0);
    Error::new(Code::SYSTEM_ERROR, Origin::NONE, message)
}

impl Accounts {
    pub(crate) fn new(run: PathBuf, sink: Arc<Sink>) -> Self {
        Self {
            run,
            sink,
            state: Mutex::default(),
        }
    }

    fn with<T>(&self, driver: &str, guest: GuestId, work: impl FnOnce(&mut Guest) -> T) -> Result<T> {
        let mut state = self.state.lock();
        let found = state.guests.get_mut(&guest.0).filter(|guest| guest.driver == driver);
        found.map(work).ok_or_else(|| unknown(driver, guest))
    }

    /// Ends a guest and tells its driver, once it asked to be told.
    fn end(&self, driver: &str, guest: GuestId, exit: Exit) -> Result<()> {
        let tell = self.with(driver, guest, |guest| {
            let first = guest.exit.is_none();
            guest.exit.get_or_insert_with(|| exit.clone());
            first && guest.watched
        })?;
        if tell {
            (self.sink)(driver, guest, GuestEvent::Exited(exit));
        }
        Ok(())
    }
}

impl GuestRoom for Accounts {
    fn spawn(&self, driver: &str, spec: &GuestSpec) -> Result<Started> {
        let mut state = self.state.lock();
        state.next += 1;
        let number = state.next;
        let run_dir = self.run.join(format!("guest-{number}"));
        std::fs::create_dir_all(&run_dir).map_err(|error| {
            let message = format!("cannot make '{}'", run_dir.display());
            Error::new(Code::SYSTEM_ERROR, Origin::NONE, message).because(error)
        })?;
        let started = Started {
            guest: number,
            domain: spec.domain,
            // Of nobody: a driver must not signal guests itself.
            pid: u32::MAX >> 1,
            run_dir,
            ptys: Vec::new(),
            not_isolated: Vec::new(),
        };
        state.guests.insert(
            number,
            Guest {
                driver: driver.to_owned(),
                started: started.clone(),
                watched: false,
                exit: None,
                limits: Vec::new(),
            },
        );
        Ok(started)
    }

    fn spawn_with(&self, driver: &str, spec: &GuestSpec, _descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        self.spawn(driver, spec)
    }

    fn launch(&self, driver: &str, launch: &Launch, _descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        let started = self.spawn(driver, &launch.spec)?;
        self.limit(driver, GuestId(started.guest), &launch.limits)?;
        Ok(started)
    }

    fn plug(&self, driver: &str, guest: GuestId, _plug: &Plug, _tap: Option<BorrowedFd<'_>>) -> Result<Plugged> {
        self.with(driver, guest, |_| Plugged::default())
    }

    fn unplug(&self, driver: &str, guest: GuestId, _unplug: &Unplug) -> Result<()> {
        self.with(driver, guest, |_| ())
    }

    fn survivors(&self, driver: &str) -> Result<Vec<Started>> {
        let state = self.state.lock();
        let own = state.guests.values().filter(|guest| guest.driver == driver);
        Ok(own.map(|guest| guest.started.clone()).collect())
    }

    fn watch(&self, driver: &str, guest: GuestId) -> Result<()> {
        let ended = self.with(driver, guest, |guest| {
            let first = !guest.watched;
            guest.watched = true;
            guest.exit.clone().filter(|_| first)
        })?;
        if let Some(exit) = ended {
            (self.sink)(driver, guest, GuestEvent::Exited(exit));
        }
        Ok(())
    }

    fn kill(&self, driver: &str, guest: GuestId) -> Result<()> {
        let exit = Exit {
            signal: Some(9),
            requested: true,
            ..Exit::default()
        };
        self.end(driver, guest, exit)
    }

    fn forget(&self, driver: &str, guest: GuestId) -> Result<()> {
        self.with(driver, guest, |_| ())?;
        self.state.lock().guests.remove(&guest.0);
        Ok(())
    }

    fn console_tail(&self, driver: &str, guest: GuestId, _bytes: u32) -> Result<String> {
        self.with(driver, guest, |_| String::new())
    }

    fn cpu_time(&self, driver: &str, guest: GuestId) -> Result<u64> {
        self.with(driver, guest, |_| 0)
    }

    fn limit(&self, driver: &str, guest: GuestId, limits: &[Param]) -> Result<()> {
        self.with(driver, guest, |guest| {
            for limit in limits {
                guest.limits.retain(|other| other.name != limit.name);
                guest.limits.push(limit.clone());
            }
        })
    }

    fn limits(&self, driver: &str, guest: GuestId) -> Result<Vec<Param>> {
        self.with(driver, guest, |guest| guest.limits.clone())
    }

    fn usage(&self, driver: &str, guest: GuestId) -> Result<Vec<Param>> {
        self.with(driver, guest, |_| Vec::new())
    }
}
