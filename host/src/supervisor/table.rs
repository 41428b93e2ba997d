//! What the host knows of every guest: the table, how an entry gets into it, and how it learns of an end.

use super::control::{Request, line};
use super::delivery::{Delivery, Job};
use super::guests::Options;
use super::numbers::Numbers;
use super::order::{Ended, GUEST_DIR, Note, ORDER, Order, Running};
use super::survey::{self, Found, Now};
use super::watch::Watch;
use driver_api::types::guest::{Exit, GuestEvent, GuestId, Started};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;

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
    pub(super) delivery: Delivery,
    /// Held for as long as this host serves the root.
    pub(super) _claim: File,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) entries: BTreeMap<GuestId, Entry>,
    pub(super) numbers: Numbers,
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
    pub(super) survivor: bool,
    pub(super) watched: bool,
    /// The host asked for its end.
    pub(super) killed: bool,
    /// The last notification that was given to the delivery.
    pub(super) told: u64,
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

    pub(super) fn say(
        &self,
        guest: GuestId,
        entry: &Entry,
        event: GuestEvent,
        confirm: Option<(Arc<UnixStream>, u64)>,
    ) {
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

    /// Finds out what became of a guest whose supervisor is gone, and tells. The table is not held meanwhile: it may
    /// take as long as the kernel needs to end the guest, and everybody's look at any other guest would wait for it.
    pub(super) fn settle(&self, departed: Departed) {
        let Departed {
            guest,
            child,
            order,
            running,
        } = departed;
        if let Some(mut child) = child {
            let _ = child.wait();
        }
        let dir = self.run.join(guest.0.to_string());
        let ended = survey::settle(&dir, &order, running.as_ref(), &self.boot_id).unwrap_or_else(|e| {
            tracing::warn!(guest = guest.0, error = %e, "a guest's exit record can not be used");
            Ended {
                supervisor_lost: true,
                ..Ended::default()
            }
        });
        let mut table = self.table.lock();
        let Some(entry) = table.entries.get_mut(&guest) else {
            return;
        };
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
        self.gone.notify_all();
    }
}

/// A guest whose supervisor is gone.
#[derive(Debug)]
pub(super) struct Departed {
    guest: GuestId,
    child: Option<Child>,
    order: Order,
    running: Option<Running>,
}

impl Departed {
    /// `None` when that is known already.
    pub(super) fn of(guest: GuestId, entry: &mut Entry) -> Option<Self> {
        let State::Alive { child, .. } = &mut entry.state else {
            return None;
        };
        Some(Self {
            guest,
            child: child.take(),
            order: entry.order.clone(),
            running: entry.running.clone(),
        })
    }
}

pub(super) fn find(run: &Path, boot_id: &str) -> io::Result<BTreeMap<GuestId, Found>> {
    let mut guests = BTreeMap::new();
    for folder in std::fs::read_dir(run)? {
        let folder = folder?;
        let Some(id) = folder.file_name().to_str().and_then(|name| name.parse::<u64>().ok()) else {
            continue;
        };
        let dir = folder.path();
        // The last host died before it had ordered anything in it, or while it removed it.
        if !dir.join(ORDER).exists() {
            if let Err(e) = std::fs::remove_dir_all(&dir) {
                tracing::warn!(path = %dir.display(), error = %e, "a guest's unused run folder stays");
            }
            continue;
        }
        match survey::survey(&dir, boot_id) {
            Ok(found) => drop(guests.insert(GuestId(id), found)),
            Err(e) => {
                let aside = run.join(format!("{id}.damaged"));
                match std::fs::rename(&dir, &aside) {
                    Ok(()) => {
                        tracing::warn!(path = %dir.display(), aside = %aside.display(), error = %e, "a guest's run folder is damaged and was set aside");
                    }
                    Err(cause) => {
                        tracing::error!(path = %dir.display(), error = %e, %cause, "a guest's run folder is damaged and can not be set aside");
                    }
                }
            }
        }
    }
    Ok(guests)
}

pub(super) fn adopt(run: &Path, guest: GuestId, found: Found) -> Entry {
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

pub(super) fn started(run: &Path, guest: GuestId, order: &Order, running: Option<&Running>) -> Started {
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
