//! `Guardian`: the thread that hears when somebody else changes our tables, says so, and has them repaired.

use crate::core::Core;
use crate::engine::repair::Patience;
use crate::kernel::watch::{Event, Watch};
use driver_api::error::{Code, Error, Origin, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct Guardian {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Guardian {
    /// Begins to listen.
    ///
    /// # Errors
    /// 38 when there is no descriptor or thread to be had.
    pub(crate) fn start(watch: Watch, core: Weak<Core>) -> Result<Self> {
        let failed = |error: io::Error| {
            let message = "the kernel's filter tables can not be watched";
            Error::new(Code::SYSTEM_ERROR, Origin::NWFILTER, message).because(error)
        };
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(|error| failed(error.into()))?);
        let post = Post {
            watch,
            core,
            stop: Arc::clone(&stop),
            patience: Patience::new(),
            began: Instant::now(),
        };
        let thread = thread::Builder::new().name("nwfilter-guard".to_owned());
        let thread = thread.spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| post.stand())).is_err() {
                tracing::error!("the kernel's filter tables are watched no more: the guardian panicked");
            }
        });
        Ok(Self {
            stop,
            thread: Some(thread.map_err(failed)?),
        })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        if let Err(error) = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes()) {
            tracing::error!(%error, "the guardian can not be called back");
            return;
        }
        let thread = self.thread.take();
        // The last reference to the core may go in the guardian's own session.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            let _told_already = thread.join();
        }
    }
}

struct Post {
    watch: Watch,
    core: Weak<Core>,
    stop: Arc<OwnedFd>,
    patience: Patience,
    began: Instant,
}

impl Post {
    fn stand(mut self) {
        // Who changed something since the last repair; `Some` and empty if the kernel did not tell.
        let mut suspects: Option<BTreeSet<String>> = None;
        loop {
            let wait = suspects.as_ref().map(|_| self.patience.wait(self.began.elapsed()));
            if let (Some(Duration::ZERO), Some(who)) = (wait, suspects.take_if(|_| wait == Some(Duration::ZERO))) {
                self.repair(&who);
                continue;
            }
            match self.listen(wait) {
                Ok(Some(events)) => {
                    for event in events {
                        suspects.get_or_insert_default().extend(who(event));
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "the kernel's filter tables are watched no more");
                    return;
                }
            }
        }
    }

    /// What was heard, at most after a time; `None` if the host stops.
    fn listen(&mut self, wait: Option<Duration>) -> io::Result<Option<Vec<Event>>> {
        let timeout = wait.map(|wait| Timespec::try_from(wait).unwrap_or_default());
        let mut fds = [
            PollFd::new(&*self.stop, PollFlags::IN),
            PollFd::new(&self.watch, PollFlags::IN),
        ];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if fds[0].revents().contains(PollFlags::IN) {
            return Ok(None);
        }
        let mut events = Vec::new();
        while let Some(event) = self.watch.next_event()? {
            events.push(event);
        }
        Ok(Some(events))
    }

    fn repair(&mut self, who: &BTreeSet<String>) {
        let Some(core) = self.core.upgrade() else { return };
        match core.repair() {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                self.patience.repaired(self.began.elapsed());
                let first = found.first();
                tracing::warn!(
                    ?who,
                    deviations = found.len(),
                    ?first,
                    "somebody else changed the kernel's filter tables, they are made anew"
                );
            }
            Err(error) => {
                self.patience.repaired(self.began.elapsed());
                tracing::error!(?who, %error, "somebody else changed the kernel's filter tables, and they can not be made anew");
            }
        }
    }
}

fn who(event: Event) -> Option<String> {
    match event {
        Event::Changed { pid, name } if pid != 0 => Some(format!("{name} ({pid})")),
        Event::Changed { .. } | Event::Lost => None,
    }
}
