//! `Guests`: the host's side of all supervisors — start a guest, find it again, hear of it, kill it, forget it.

use super::control::{Reply, Request, line};
use super::delivery::{Delivery, Job, Sink};
use super::launch;
use super::numbers::Numbers;
use super::order::{CONTROL, Ended, GUEST_DIR, Note, Order, Running, console_socket};
use super::survey::{self, Found, Now};
use super::watch::{self, Watch};
use super::{peer, process};
use crate::supervisor::cgroup::Group;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::{Exit, GuestEvent, GuestId, GuestSpec, Started};
use parking_lot::{Condvar, Mutex};
use rustix::event::EventfdFlags;
use rustix::process::{Signal, pidfd_send_signal};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
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
            start_deadline: Duration::from_secs(30),
            kill_deadline: Duration::from_secs(10),
        }
    }
}

/// How a console is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConsoleMode {
    /// May type (one at a time), not only read.
    pub write: bool,
    /// Takes the place of the present writer.
    pub force: bool,
    /// Begin with what the console said before (64 KiB at most).
    pub history: bool,
}

/// All guests under one root. Dropping it leaves them running.
#[derive(Debug)]
pub struct Guests {
    shared: Arc<Shared>,
    watcher: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) run: PathBuf,
    pub(super) log: PathBuf,
    pub(super) options: Options,
    pub(super) boot_id: String,
    pub(super) table: Mutex<Table>,
    /// Some guest is gone.
    pub(super) gone: Condvar,
    /// Makes the watcher look at the table again.
    pub(super) waker: OwnedFd,
    delivery: Delivery,
    /// Held for as long as this host serves the root.
    _claim: File,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) entries: BTreeMap<GuestId, Entry>,
    numbers: Numbers,
    pub(super) stop: bool,
}

/// One guest as the host knows it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) order: Order,
    pub(super) running: Option<Running>,
    pub(super) started: Started,
    pub(super) state: State,
    /// It was here before this host.
    survivor: bool,
    watched: bool,
    /// The host asked for its end.
    killed: bool,
    /// The last notification that was given to the delivery.
    told: u64,
}

#[derive(Debug)]
pub(super) enum State {
    Alive {
        supervisor: Arc<OwnedFd>,
        /// Set when it is a child of this process, which has to reap it.
        child: Option<Child>,
        watch: Option<Watch>,
    },
    Gone(Exit),
}

fn system(message: impl Into<String>) -> Error {
    Error::new(Code::SYSTEM_ERROR, Origin::DOMAIN, message)
}

fn unknown(guest: GuestId) -> Error {
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
        let shared = &self.shared;
        let number = shared.table.lock().numbers.take();
        let id = number.map_err(|e| system("cannot write the guest counter").because(e))?;
        let guest = GuestId(id);
        let order = launch::order(shared, id, driver, spec)?;
        let launched = launch::launch(shared, &order)?;
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
                if let Some(group) = running.as_ref().and_then(|running| running.cgroup.clone()) {
                    let _ = Group::at(group).kill();
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

    fn await_gone(&self, guest: GuestId, deadline: Instant) -> bool {
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
        let mut table = self.shared.table.lock();
        match table.entries.get(&guest).map(|entry| &entry.state) {
            None => return Err(unknown(guest)),
            Some(State::Alive { .. }) => {
                let message = format!("guest process '{}' still runs; kill it first", guest.0);
                return Err(Error::new(Code::OPERATION_INVALID, Origin::DOMAIN, message));
            }
            Some(State::Gone(_)) => {}
        }
        let dir = self.dir(guest);
        std::fs::remove_dir_all(&dir)
            .map_err(|e| system(format!("cannot remove the run folder '{}'", dir.display())).because(e))?;
        table.entries.remove(&guest);
        Ok(())
    }

    /// The last whole lines of a guest's first console, at most `bytes` of them; of one that is gone, its last words.
    ///
    /// # Errors
    /// 38 when there is no such guest or its supervisor does not answer.
    pub fn console_tail(&self, guest: GuestId, bytes: u32) -> Result<String> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if let Some(tail) = self.last_words(guest, bytes)? {
            return Ok(tail);
        }
        match survey::ask(&self.dir(guest), &Request::Tail { bytes }, survey::PATIENCE) {
            Ok(Reply::Tail(text)) => Ok(text),
            other => {
                // It may have ended between the two looks.
                let ended = self.await_gone(guest, Instant::now() + Duration::from_secs(1));
                match self.last_words(guest, bytes)? {
                    Some(tail) if ended => Ok(tail),
                    _ => Err(system(format!(
                        "cannot read the console of guest '{}': {other:?}",
                        guest.0
                    ))),
                }
            }
        }
    }

    fn last_words(&self, guest: GuestId, bytes: usize) -> Result<Option<String>> {
        let table = self.shared.table.lock();
        let entry = table.entries.get(&guest).ok_or_else(|| unknown(guest))?;
        Ok(match &entry.state {
            State::Alive { .. } => None,
            State::Gone(exit) => {
                let mut from = exit.console_tail.len().saturating_sub(bytes);
                while !exit.console_tail.is_char_boundary(from) {
                    from += 1;
                }
                Some(exit.console_tail[from..].to_owned())
            }
        })
    }

    /// Opens console `index` of a guest: what it says can be read from the stream, what is written is typed.
    ///
    /// # Errors
    /// 9 when somebody else writes to it, 8 when there is no such console, 38 when there is no such guest or it ends.
    pub fn open_console(&self, guest: GuestId, index: u32, mode: ConsoleMode) -> Result<UnixStream> {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        let consoles = {
            let table = self.shared.table.lock();
            table
                .entries
                .get(&guest)
                .ok_or_else(|| unknown(guest))?
                .order
                .consoles
                .len()
        };
        if place >= consoles {
            let message = format!("guest '{}' has no console {index}, only {consoles} of them", guest.0);
            return Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, message));
        }
        let failed = |e: io::Error| system(format!("cannot open console {index} of guest '{}'", guest.0)).because(e);
        let (stream, answer) = introduce(&self.dir(guest), place, mode).map_err(failed)?;
        if answer == "ok" {
            return Ok(stream);
        }
        let message = format!("console {index} of guest '{}' is {answer}", guest.0);
        Err(Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, message))
    }

    /// Processor time of all processes of a guest in nanoseconds.
    ///
    /// # Errors
    /// 38 when there is no such guest, 55 when it does not run.
    pub fn cpu_time(&self, guest: GuestId) -> Result<u64> {
        let running = {
            let table = self.shared.table.lock();
            let entry = table.entries.get(&guest).ok_or_else(|| unknown(guest))?;
            matches!(entry.state, State::Alive { .. })
                .then(|| entry.running.clone())
                .flatten()
        };
        let running = running.ok_or_else(|| {
            Error::new(
                Code::OPERATION_INVALID,
                Origin::DOMAIN,
                format!("guest process '{}' does not run", guest.0),
            )
        })?;
        if let Some(time) = running.cgroup.map(Group::at).and_then(|group| group.cpu_time()) {
            return Ok(time);
        }
        process::tree_time(running.guest.pid)
            .map_err(|e| system(format!("cannot read the processor time of guest '{}'", guest.0)).because(e))
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

    fn dir(&self, guest: GuestId) -> PathBuf {
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

impl Shared {
    pub(super) fn wake(&self) {
        let _ = rustix::io::write(&self.waker, &1_u64.to_ne_bytes());
    }

    /// Hands one notification over, unless that was done before.
    pub(super) fn tell(&self, guest: GuestId, entry: &mut Entry, note: Note, from: Option<&Arc<UnixStream>>) {
        if note.seq <= entry.told {
            return;
        }
        entry.told = note.seq;
        let confirm = from.map(|stream| (Arc::clone(stream), note.seq));
        self.say(guest, entry, GuestEvent::Notified(note.bytes), confirm);
    }

    fn say(&self, guest: GuestId, entry: &Entry, event: GuestEvent, confirm: Option<(Arc<UnixStream>, u64)>) {
        let done = confirm.map(|(stream, seq)| -> Box<dyn FnOnce() + Send> {
            // One that is too busy to take it may send the notification again to the next host; never to this one.
            Box::new(move || drop((&*stream).write(&line(&Request::Confirm { seq }))))
        });
        let job = Job {
            driver: entry.order.driver.clone(),
            event,
            done,
        };
        self.delivery.push(guest, job);
    }

    /// The supervisor of a guest is gone: finds out what became of the guest and tells.
    pub(super) fn settle(&self, guest: GuestId, entry: &mut Entry) {
        let State::Alive { child, .. } = &mut entry.state else {
            return;
        };
        if let Some(mut child) = child.take() {
            let _ = child.wait();
        }
        let dir = self.run.join(guest.0.to_string());
        let ended = survey::settle(&dir, &entry.order, entry.running.as_ref(), &self.boot_id).unwrap_or_else(|e| {
            tracing::warn!(guest = guest.0, error = %e, "a guest's exit record can not be used");
            Ended {
                supervisor_lost: true,
                ..Ended::default()
            }
        });
        tracing::info!(
            guest = guest.0,
            plugin = entry.order.driver,
            dom = entry.order.name,
            code = ended.code,
            signal = ended.signal,
            lost = ended.supervisor_lost,
            "guest ended"
        );
        let missed: Vec<Note> = ended
            .notifications
            .iter()
            .filter(|note| note.seq > ended.confirmed)
            .cloned()
            .collect();
        let mut exit = exit(ended);
        exit.requested |= entry.killed;
        entry.state = State::Gone(exit.clone());
        if entry.watched {
            for note in missed {
                self.tell(guest, entry, note, None);
            }
            self.say(guest, entry, GuestEvent::Exited(exit), None);
        }
    }
}

fn find(run: &Path, boot_id: &str) -> io::Result<BTreeMap<GuestId, Found>> {
    let mut guests = BTreeMap::new();
    for folder in std::fs::read_dir(run)? {
        let folder = folder?;
        let Some(id) = folder.file_name().to_str().and_then(|name| name.parse::<u64>().ok()) else {
            continue;
        };
        let dir = folder.path();
        match survey::survey(&dir, boot_id) {
            Ok(found) => drop(guests.insert(GuestId(id), found)),
            Err(e) => {
                let aside = run.join(format!("{id}.damaged"));
                tracing::warn!(path = %dir.display(), aside = %aside.display(), error = %e, "a guest's run folder is damaged and was set aside");
                std::fs::rename(&dir, &aside)?;
            }
        }
    }
    Ok(guests)
}

fn adopt(run: &Path, guest: GuestId, found: Found) -> Entry {
    let started = started(run, guest, &found.order, found.running.as_ref());
    let told = match &found.now {
        Now::Alive(_) => 0,
        Now::Ended(ended) => ended.confirmed,
    };
    let state = match found.now {
        Now::Alive(supervisor) => State::Alive {
            supervisor: Arc::new(supervisor),
            child: None,
            watch: None,
        },
        Now::Ended(ended) => State::Gone(exit(ended)),
    };
    Entry {
        order: found.order,
        running: found.running,
        started,
        state,
        survivor: true,
        watched: false,
        killed: false,
        told,
    }
}

fn started(run: &Path, guest: GuestId, order: &Order, running: Option<&Running>) -> Started {
    Started {
        guest: guest.0,
        domain: order.domain.parse().unwrap_or_default(),
        pid: running.map_or(0, |running| running.guest.pid),
        run_dir: run.join(guest.0.to_string()).join(GUEST_DIR),
        ptys: running.map(|running| running.ptys.clone()).unwrap_or_default(),
        not_isolated: running.map(|running| running.not_isolated.clone()).unwrap_or_default(),
    }
}

fn exit(ended: Ended) -> Exit {
    Exit {
        code: ended.code,
        signal: ended.signal,
        out_of_memory: ended.out_of_memory,
        supervisor_lost: ended.supervisor_lost,
        requested: ended.requested,
        notifications: ended.notifications.into_iter().map(|note| note.bytes).collect(),
        console_tail: match ended.failure {
            Some(failure) => format!("it was not started: cannot {failure}"),
            None => ended.console_tail,
        },
    }
}

fn subscribe(dir: &Path) -> io::Result<UnixStream> {
    let mut stream = peer::connect(dir, CONTROL)?;
    stream.write_all(&line(&Request::Watch))?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn introduce(dir: &Path, index: usize, mode: ConsoleMode) -> io::Result<(UnixStream, String)> {
    let mut stream = peer::connect(dir, &console_socket(index))?;
    let words = [
        if mode.write { "rw" } else { "ro" },
        if mode.force { " force" } else { "" },
        if mode.history { "" } else { " new" },
        "\n",
    ];
    stream.write_all(words.concat().as_bytes())?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut answer = Vec::new();
    let mut byte = [0_u8; 1];
    // Byte by byte: what follows the line belongs to the caller.
    loop {
        stream.read_exact(&mut byte)?;
        if byte[0] == b'\n' {
            break;
        }
        answer.push(byte[0]);
    }
    stream.set_read_timeout(None)?;
    Ok((stream, String::from_utf8_lossy(&answer).into_owned()))
}
