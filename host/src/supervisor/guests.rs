//! `Guests`: the host's side of all supervisors — start a guest, find it again, hear of it, kill it, forget it.

use super::confinement::Layers;
use super::control::{Request, line};
use super::delivery::{Delivery, Sink};
use super::numbers::Numbers;
use super::order::{CONTROL, ORDER};
use super::table::{Entry, Shared, State, Table, adopt, find, started};
use super::watch::{self, Watch};
use super::{launch, peer, process, survey};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::{GuestEvent, GuestId, GuestSpec, Started};
use driver_api::types::launch::Launch;
use parking_lot::{Condvar, Mutex};
use rustix::event::EventfdFlags;
use rustix::process::{Signal, pidfd_send_signal};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What can be set about guests.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `lockstep` binary to run as supervisor.
    pub program: PathBuf,
    /// Bytes after which a console log is rotated.
    pub log_bytes: u64,
    /// Files kept of each console log.
    pub log_files: u32,
    /// Size of the memory folder of a guest that names none, in bytes.
    pub memory_bytes: u64,
    /// The first user id that guests may become.
    pub first_uid: u32,
    /// How many user ids there are from it on.
    pub uids: u32,
    /// The user and group of guests whose order names none; each has one of its own when `None`.
    pub user: Option<(u32, u32)>,
    /// Which of the layers around a guest are wanted.
    pub layers: Layers,
    /// How long a start may take until the program is executed.
    pub start_deadline: Duration,
    /// How long a killed guest may take until it is gone.
    pub kill_deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // Right even after the file on disk was replaced by another version.
            program: PathBuf::from("/proc/self/exe"),
            log_bytes: 1024 * 1024,
            log_files: 3,
            memory_bytes: 1024 * 1024 * 1024,
            // Above every range that systemd, containers and directories use.
            first_uid: 0x7000_0000,
            uids: 0x0fff_0000,
            user: None,
            layers: Layers::default(),
            start_deadline: Duration::from_secs(30),
            kill_deadline: Duration::from_secs(10),
        }
    }
}

/// All guests under one root. Dropping it leaves them running.
#[derive(Debug)]
pub struct Guests {
    pub(super) shared: Arc<Shared>,
    watcher: Option<JoinHandle<()>>,
}

pub(super) fn system(message: impl Into<String>) -> Error {
    Error::new(Code::SYSTEM_ERROR, Origin::DOMAIN, message)
}

pub(super) fn unknown(guest: GuestId) -> Error {
    system(format!("there is no guest process '{}'", guest.0))
}

impl Guests {
    /// Takes the root over: finds every guest that outlived the last host or ended without one. Events go to `sink`
    /// once [`Guests::watch`] asked for them.
    ///
    /// # Errors
    /// 38 when the folders can not be used or another host serves them.
    pub fn open(run_root: &Path, log_root: &Path, options: Options, sink: Arc<Sink>) -> Result<Self> {
        let run = run_root.join("guests");
        let failed = |what: &str| system(format!("cannot {what} '{}'", run.display()));
        launch::private_folder(&run).map_err(|e| failed("make the run folder").because(e))?;
        let claim = File::create(run.join("claim")).map_err(|e| failed("claim the run folder").because(e))?;
        rustix::fs::flock(&claim, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|e| failed("claim the run folder, which another host serves,").because(io::Error::from(e)))?;
        let boot_id = process::boot_id().map_err(|e| system("cannot read the machine's boot id").because(e))?;
        let found = find(&run, &boot_id).map_err(|e| failed("read the run folder").because(e))?;
        let highest = found.keys().next_back().map_or(0, |id| id.0);
        let numbers = Numbers::open(&run, highest).map_err(|e| failed("read the guest counter in").because(e))?;
        let waker = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|e| system("cannot make an event descriptor").because(io::Error::from(e)))?;
        let entries = found
            .into_iter()
            .map(|(guest, found)| (guest, adopt(&run, guest, found)))
            .collect();
        let shared = Arc::new(Shared {
            run,
            log: log_root.to_owned(),
            options,
            boot_id,
            table: Mutex::new(Table {
                entries,
                numbers,
                stop: false,
            }),
            gone: Condvar::new(),
            waker,
            delivery: Delivery::new(sink),
            _claim: claim,
        });
        let own = Arc::clone(&shared);
        let watcher = std::thread::Builder::new()
            .name("guest-watch".into())
            .spawn(move || watch::run(&own))
            .map_err(|e| system("cannot start the thread that watches guests").because(e))?;
        Ok(Self {
            shared,
            watcher: Some(watcher),
        })
    }

    /// Starts a guest for `driver`; returns when its program has been executed.
    ///
    /// # Errors
    /// 38 with the step that failed, 8 when the spec makes no sense; nothing is left of it.
    pub fn spawn(&self, driver: &str, spec: &GuestSpec) -> Result<Started> {
        self.spawn_with(driver, spec, &[])
    }

    /// Starts a guest that is born with these descriptors, from number `DESCRIPTOR_FD` on.
    ///
    /// # Errors
    /// As [`Guests::spawn`], and 8 for more descriptors than are passed on.
    pub fn spawn_with(&self, driver: &str, spec: &GuestSpec, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        let launch = Launch {
            spec: spec.clone(),
            ..Launch::default()
        };
        self.launch(driver, &launch, descriptors)
    }

    /// Starts a guest with all that goes beyond a [`GuestSpec`].
    ///
    /// # Errors
    /// As [`Guests::spawn_with`], and 67 for a limit that this machine can not keep.
    pub fn launch(&self, driver: &str, launch: &Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        let (shared, spec) = (&self.shared, &launch.spec);
        let number = shared.table.lock().numbers.take();
        let id = number.map_err(|e| system("cannot write the guest counter").because(e))?;
        let guest = GuestId(id);
        let order = launch::order(shared, id, driver, launch, descriptors.len())?;
        let launched = launch::launch(shared, &order, descriptors)?;
        let started = started(&shared.run, guest, &order, Some(&launched.running));
        tracing::info!(
            guest = id,
            plugin = driver,
            dom = spec.name,
            pid = started.pid,
            "guest started"
        );
        let entry = Entry {
            order,
            running: Some(launched.running),
            started: started.clone(),
            state: State::Alive {
                supervisor: Arc::new(launched.supervisor),
                child: Some(launched.child),
                watch: None,
            },
            survivor: false,
            watched: false,
            killed: false,
            told: 0,
        };
        shared.table.lock().entries.insert(guest, entry);
        shared.wake();
        Ok(started)
    }

    /// The guests of `driver` that were here before this host, running or not.
    ///
    /// # Errors
    /// None at present; the folders were read by [`Guests::open`].
    pub fn survivors(&self, driver: &str) -> Result<Vec<Started>> {
        let table = self.shared.table.lock();
        let own = table
            .entries
            .values()
            .filter(|entry| entry.survivor && entry.order.driver == driver);
        Ok(own.map(|entry| entry.started.clone()).collect())
    }

    /// Begins the delivery of a guest's events, those that were missed first.
    ///
    /// # Errors
    /// 38 when there is no such guest or its supervisor does not answer.
    pub fn watch(&self, guest: GuestId) -> Result<()> {
        let shared = &self.shared;
        let mut table = shared.table.lock();
        let entry = table.entries.get_mut(&guest).ok_or_else(|| unknown(guest))?;
        if entry.watched {
            return Ok(());
        }
        match &mut entry.state {
            State::Alive { supervisor, watch, .. } => match subscribe(&shared.run.join(guest.0.to_string())) {
                Ok(stream) => *watch = Some(Watch::new(stream)),
                // It has just ended: the watcher is about to find that out, and then to tell.
                Err(_) if survey::await_end(supervisor, Duration::from_secs(1)) => {}
                Err(e) => {
                    return Err(system(format!("the supervisor of guest '{}' does not answer", guest.0)).because(e));
                }
            },
            State::Gone(exit) => {
                let exit = exit.clone();
                shared.say(guest, entry, GuestEvent::Exited(exit), None);
            }
        }
        entry.watched = true;
        drop(table);
        shared.wake();
        Ok(())
    }

    /// Kills a guest's whole process tree and waits until it is gone. The exit comes as an event too.
    ///
    /// # Errors
    /// 38 when there is no such guest, 68 when it does not die in time.
    pub fn kill(&self, guest: GuestId) -> Result<()> {
        let patience = self.shared.options.kill_deadline;
        let deadline = Instant::now() + patience;
        {
            let mut table = self.shared.table.lock();
            table.entries.get_mut(&guest).ok_or_else(|| unknown(guest))?.killed = true;
        }
        // One that hangs must leave time for the hard way; one that does not answer because it is just ending must be
        // left to write its record.
        let _ = survey::ask(&self.dir(guest), &Request::Kill, patience / 4);
        if self.await_gone(guest, Instant::now() + patience / 4) {
            return Ok(());
        }
        {
            let table = self.shared.table.lock();
            if let Some(Entry {
                state: State::Alive { supervisor, .. },
                running,
                ..
            }) = table.entries.get(&guest)
            {
                tracing::warn!(
                    guest = guest.0,
                    "a supervisor does not answer; it is killed, and its guest with it"
                );
                if let Some(running) = running {
                    let _ = running.groups().kill();
                }
                let _ = pidfd_send_signal(&**supervisor, Signal::KILL);
            }
        }
        if self.await_gone(guest, deadline) {
            return Ok(());
        }
        let message = format!(
            "guest process '{}' did not die in time; look for processes in state D",
            guest.0
        );
        Err(Error::new(Code::OPERATION_TIMEOUT, Origin::DOMAIN, message))
    }

    pub(super) fn await_gone(&self, guest: GuestId, deadline: Instant) -> bool {
        let mut table = self.shared.table.lock();
        loop {
            match table.entries.get(&guest).map(|entry| &entry.state) {
                None | Some(State::Gone(_)) => return true,
                Some(State::Alive { .. }) => {}
            }
            if self.shared.gone.wait_until(&mut table, deadline).timed_out() {
                return matches!(
                    table.entries.get(&guest).map(|entry| &entry.state),
                    None | Some(State::Gone(_))
                );
            }
        }
    }

    /// Forgets a guest that has exited: its run folder is removed.
    ///
    /// # Errors
    /// 55 while it still runs, 38 when there is no such guest or its folder can not be removed.
    pub fn forget(&self, guest: GuestId) -> Result<()> {
        // One that is gone stays gone, so the lock, for which every other guest's driver waits, need not be held.
        match self.shared.table.lock().entries.get(&guest).map(|entry| &entry.state) {
            None => return Err(unknown(guest)),
            Some(State::Alive { .. }) => {
                let message = format!("guest process '{}' still runs; kill it first", guest.0);
                return Err(Error::new(Code::OPERATION_INVALID, Origin::DOMAIN, message));
            }
            Some(State::Gone(_)) => {}
        }
        let dir = self.dir(guest);
        // The order first: a folder without one is what a host that dies in between leaves to the next one to remove.
        let gone = |removed: io::Result<()>| match removed {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        gone(std::fs::remove_file(dir.join(ORDER)))
            .and_then(|()| gone(std::fs::remove_dir_all(&dir)))
            .map_err(|e| system(format!("cannot remove the run folder '{}'", dir.display())).because(e))?;
        self.shared.table.lock().entries.remove(&guest);
        Ok(())
    }

    /// The driver that a guest belongs to.
    #[must_use]
    pub fn driver_of(&self, guest: GuestId) -> Option<String> {
        self.shared
            .table
            .lock()
            .entries
            .get(&guest)
            .map(|entry| entry.order.driver.clone())
    }

    pub(super) fn dir(&self, guest: GuestId) -> PathBuf {
        self.shared.run.join(guest.0.to_string())
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        self.shared.table.lock().stop = true;
        self.shared.wake();
        self.shared.delivery.stop();
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

fn subscribe(dir: &Path) -> io::Result<UnixStream> {
    let mut stream = peer::connect(dir, CONTROL)?;
    stream.write_all(&line(&Request::Watch))?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
