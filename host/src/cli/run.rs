//! The verb `run`: one guest with a host of its own, below a private root that is gone afterwards.
//!
//! The host runs in this process and is spoken to over its socket like any other; the guest's console is this
//! terminal, and how the guest ends is how the verb ends.

use super::Session;
use super::args::{File, duration};
use super::console::{self, Ended, Manner};
use super::exit::{Context, Exit, Failure};
use super::signals::Signals;
use crate::client::event::{EventKind, Next};
use crate::client::stream::Stream;
use crate::client::{Connection, Target};
use crate::config::{Config, Overrides};
use crate::daemon::{self, Instance};
use crate::paths::Paths;
use crate::rpc::codec::domain::{DomainCreateXml, DomainDestroyFlags, DomainRef, DomainShutdownFlags};
use crate::rpc::codec::event::subject;
use clap::{Args, Subcommand};
use driver_api::error::Origin;
use driver_api::kit::xml::{Limits, parse};
use driver_api::types::domain::{Lifecycle, detail};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a guest that is asked to shut down may take before it is ended by force.
const GRACE: Duration = Duration::from_secs(10);

/// `virConnectListAllDomainsFlags`: active ones.
const ACTIVE: u32 = 1;

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Run one guest without a host: its console here, its end the exit status, nothing left behind
    ///
    /// ^] on a terminal, SIGINT, SIGTERM and SIGHUP ask the guest to shut down and end it by force after 10 seconds, or
    /// at the second such wish.
    Run(Options),
}

/// What `run` takes.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    file: File,
    /// Look for drivers in this folder first; may be given several times
    #[arg(long = "plugin-dir", value_name = "DIR")]
    plugin_dirs: Vec<PathBuf>,
    /// This file instead of the usual lockstep.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// End the guest by force after so long; exit status 4
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    timeout: Option<Duration>,
}

impl Verb {
    pub(super) fn perform(self, session: &Session) -> Result<(), Failure> {
        let Self::Run(options) = self;
        options.perform(session)
    }
}

impl Options {
    fn perform(self, session: &Session) -> Result<(), Failure> {
        let xml = self.file.read()?;
        let signals = Signals::watch().context(|| "cannot watch signals".to_owned())?;
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let root = private_root()?;
        let config = self.private_config(session, &root)?;
        let failed = |error: daemon::Error| Failure::Other(error.to_string());
        let instance = Instance::open(&config, None).map_err(failed)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serve = move || {
            instance.run(async {
                // Dropping the sender is the word to stop.
                let _ = stopped.await;
            })
        };
        let host = std::thread::Builder::new().name("host".to_owned()).spawn(serve);
        let host = host.context(|| "cannot start the host's thread".to_owned())?;
        let target = Target {
            socket: config.paths.socket(),
            name: Some(uri_for(&xml)?),
            readonly: false,
        };
        let mut guest = Guest {
            session,
            target,
            signals,
            deadline,
            wish: None,
        };
        let ended = guest.live(xml);
        guest.clear_away();
        drop(stop);
        match host.join() {
            Ok(served) => served.map_err(failed)?,
            Err(_) => return Err(Failure::Other("the host's thread panicked".to_owned())),
        }
        root.close().context(|| "cannot remove the private root".to_owned())?;
        ended
    }

    /// The user's own settings count here too, only the places do not.
    fn private_config(&self, session: &Session, root: &TempDir) -> Result<Config, Failure> {
        let usual = || {
            let file = Paths::find(session.common.root.as_deref())
                .ok()?
                .conf
                .join("lockstep.toml");
            file.exists().then_some(file)
        };
        Ok(Config::load(Overrides {
            root: Some(root.path().to_owned()),
            file: self.config.clone().or_else(usual),
            plugin_dirs: self.plugin_dirs.clone(),
            idle_timeout: None,
        })?)
    }
}

/// The URI of the driver that the document is for; what is wrong with the rest of it is the driver's to say.
fn uri_for(xml: &str) -> Result<String, Failure> {
    let document = parse(xml.as_bytes(), Origin::XML, &Limits::default()).map_err(|e| Failure::Other(e.to_string()))?;
    let kind = document.attr("type").ok_or_else(|| {
        let text = "the document's <domain> names no type, so no driver is meant: write <domain type='uml'>";
        Failure::Other(text.to_owned())
    })?;
    let instance = if rustix::process::geteuid().is_root() {
        "system"
    } else {
        "session"
    };
    Ok(format!("{kind}:///{instance}"))
}

/// Guests of root run as another user, who must get through to their own folders but need not read ours.
fn private_root() -> Result<TempDir, Failure> {
    let mode = if rustix::process::geteuid().is_root() {
        0o711
    } else {
        0o700
    };
    let made = tempfile::Builder::new()
        .prefix("lockstep-")
        .permissions(Permissions::from_mode(mode))
        .tempdir();
    made.context(|| "cannot make a private root".to_owned())
}

/// Why the guest shall end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    Signal(u8),
    Deadline,
}

impl Wish {
    fn failure(self) -> Failure {
        match self {
            Self::Signal(number) => Failure::Silent(128 + number),
            Self::Deadline => Failure::Timeout("the guest did not end in time and was ended by force".to_owned()),
        }
    }
}

/// The one guest, from its start to its end.
struct Guest<'a> {
    session: &'a Session,
    target: Target,
    signals: Signals,
    deadline: Option<Instant>,
    wish: Option<Wish>,
}

impl Guest<'_> {
    fn live(&mut self, xml: String) -> Result<(), Failure> {
        let mut connection = Connection::open(&self.target)?;
        connection.watch(subject::LIFECYCLE, None)?;
        let dom = self.create(&mut connection, xml)?;
        self.show(&mut connection, &dom)?;
        let detail = match self.wish {
            None => self.await_stop(&mut connection, &dom, self.deadline)?,
            Some(_) => None,
        };
        if let Some(wish) = self.wish {
            self.end(&mut connection, &dom, wish)?;
            return Err(wish.failure());
        }
        match detail {
            Some(detail::STOPPED_SHUTDOWN) => Ok(()),
            Some(detail::STOPPED_CRASHED) => Err(Failure::Silent(Exit::CRASHED.code)),
            _ => Err(Failure::Other(format!("'{}' did not end by itself", dom.name))),
        }
    }

    /// A start lasts as long as a boot, and a person may not want to wait for it.
    fn create(&mut self, connection: &mut Connection, xml: String) -> Result<DomainRef, Failure> {
        let call = DomainCreateXml { xml, flags: 0 };
        let (target, signals, wish) = (&self.target, &self.signals, &mut self.wish);
        let fd = signals.fd();
        let created = connection.call_watching(&call, self.deadline, fd, |woken_by_deadline| {
            *wish = Some(match signals.take() {
                Some(number) => Wish::Signal(number),
                None if woken_by_deadline => Wish::Deadline,
                None => return,
            });
            destroy_all(target);
        });
        match (self.wish, created) {
            (None, created) => created.context(|| "cannot run the guest".to_owned()),
            (Some(wish), _) => Err(wish.failure()),
        }
    }

    /// The console, if the guest has one, until the guest ends or somebody wishes its end.
    fn show(&mut self, connection: &mut Connection, dom: &DomainRef) -> Result<(), Failure> {
        let Ok(stream) = Stream::open(connection, dom, None, 0) else {
            return Ok(());
        };
        let out = self.session.out;
        let manner = Manner {
            greeting: format!("'{}' runs; ^] (Ctrl + ]) ends it", dom.name),
            deadline: self.deadline,
            leave_with_input: false,
        };
        self.wish = match console::attach(out, connection, stream, &self.signals, &manner)? {
            Ended::ByGuest => None,
            // As if Ctrl-C had been typed, which in raw mode is the guest's.
            Ended::ByEscape => Some(Wish::Signal(2)),
            Ended::BySignal(number) => Some(Wish::Signal(number)),
            Ended::ByDeadline => Some(Wish::Deadline),
        };
        Ok(())
    }

    /// The detail of the event that says that the guest has stopped; `None` with a wish noted if that came first.
    fn await_stop(
        &mut self,
        connection: &mut Connection,
        dom: &DomainRef,
        deadline: Option<Instant>,
    ) -> Result<Option<u32>, Failure> {
        loop {
            match connection.next_event(deadline, Some(self.signals.fd()))? {
                Next::Event(event) if event.dom.uuid == dom.uuid => match event.kind {
                    EventKind::Lifecycle(kind, detail) if kind == Lifecycle::Stopped as i32 => {
                        return Ok(Some(detail.cast_unsigned()));
                    }
                    _ => {}
                },
                Next::Event(_) => {}
                Next::Interrupted => {
                    if let Some(number) = self.signals.take() {
                        self.wish = Some(Wish::Signal(number));
                        return Ok(None);
                    }
                }
                Next::Deadline => {
                    self.wish = Some(Wish::Deadline);
                    return Ok(None);
                }
            }
        }
    }

    /// Asks, waits, and uses force when the time or the person's patience is over.
    fn end(&mut self, connection: &mut Connection, dom: &DomainRef, wish: Wish) -> Result<(), Failure> {
        let ask = DomainShutdownFlags {
            dom: dom.clone(),
            flags: 0,
        };
        if wish != Wish::Deadline && connection.call(&ask).is_ok() {
            let stopped = self.await_stop(connection, dom, Instant::now().checked_add(GRACE))?;
            if stopped.is_some() {
                return Ok(());
            }
        }
        destroy_all(&self.target);
        Ok(())
    }

    /// Whatever went wrong on the way, no guest stays.
    fn clear_away(&self) {
        destroy_all(&self.target);
    }
}

/// Ends every guest of the private host, over a connection of its own since another may be waiting for an answer.
fn destroy_all(target: &Target) {
    // Nothing here can be done about a host that does not answer: its end is at hand anyway.
    let Ok(mut connection) = Connection::open(target) else {
        return;
    };
    for dom in connection.domains(ACTIVE).unwrap_or_default() {
        if let Err(error) = connection.call(&DomainDestroyFlags { dom, flags: 0 }) {
            tracing::debug!(%error, "guest not destroyed");
        }
    }
}
