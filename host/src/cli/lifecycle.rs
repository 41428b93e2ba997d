//! Verbs of a guest's life: create, start, shutdown, reboot, destroy, suspend, resume; and waiting for what they ask.

use super::Session;
use super::args::{Domain, File, Mode, Wait};
use super::define::done;
use super::exit::{Context, Failure};
use super::{console, words};
use crate::client::Connection;
use crate::client::event::{EventKind, Next};
use crate::rpc::codec::domain::{
    DomainCreateWithFlags, DomainCreateXml, DomainDestroyFlags, DomainReboot, DomainRef, DomainResume,
    DomainShutdownFlags, DomainSuspend,
};
use crate::rpc::codec::event::subject;
use clap::{Args, Subcommand};
use driver_api::types::domain::{Lifecycle, flags};
use std::time::Instant;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Start a guest from XML without keeping its definition
    Create {
        /// The document.
        #[command(flatten)]
        file: File,
        /// How.
        #[command(flatten)]
        start: StartOptions,
        /// Check the document against its schema first
        #[arg(long)]
        validate: bool,
    },
    /// Start a defined guest; returns when it answers
    Start {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// How.
        #[command(flatten)]
        start: StartOptions,
        /// Discard a saved state
        #[arg(long)]
        force_boot: bool,
    },
    /// Ask a guest to shut down
    Shutdown {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// By which way.
        #[command(flatten)]
        mode: Mode,
        /// How long to wait for it.
        #[command(flatten)]
        wait: Wait,
    },
    /// Ask a guest to reboot
    Reboot {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// By which way.
        #[command(flatten)]
        mode: Mode,
        /// How long to wait for it.
        #[command(flatten)]
        wait: Wait,
    },
    /// End a guest at once; nothing of it runs when this returns
    Destroy {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Fail rather than use force
        #[arg(long)]
        graceful: bool,
    },
    /// Stop a guest's processors
    Suspend(Domain),
    /// Let a guest's processors go on
    Resume(Domain),
}

/// How a guest is started.
#[derive(Args, Clone, Copy, Debug)]
pub struct StartOptions {
    /// Attach to its console
    #[arg(long)]
    console: bool,
    /// Leave it paused
    #[arg(long)]
    paused: bool,
    /// End it when this connection ends
    #[arg(long)]
    autodestroy: bool,
}

impl StartOptions {
    fn flags(self) -> u32 {
        let paused = if self.paused { flags::START_PAUSED } else { 0 };
        let autodestroy = if self.autodestroy { flags::START_AUTODESTROY } else { 0 };
        paused | autodestroy
    }

    fn follow(self, session: &Session, connection: &mut Connection, dom: &DomainRef) -> Result<(), Failure> {
        if self.console {
            console::show(session, connection, dom, None, 0)
        } else {
            Ok(())
        }
    }
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let out = session.out;
        match self {
            Self::Create { file, start, validate } => {
                let path = file.path();
                let xml = file.read()?;
                let flags = start.flags() | if *validate { flags::START_VALIDATE } else { 0 };
                let mut connection = session.connect()?;
                let dom = (connection.call(&DomainCreateXml { xml, flags }))
                    .context(|| format!("cannot create a guest from '{}'", path.display()))?;
                let sentence = format!("Domain '{}' created from {}", dom.name, path.display());
                out.done(sentence, &done("created", &dom))?;
                start.follow(session, &mut connection, &dom)
            }
            Self::Start {
                domain,
                start,
                force_boot,
            } => {
                let flags = start.flags() | if *force_boot { flags::START_FORCE_BOOT } else { 0 };
                let mut connection = session.connect()?;
                let dom = connection.find_domain(domain.word())?;
                let call = DomainCreateWithFlags { dom, flags };
                let dom = connection
                    .call(&call)
                    .context(|| format!("cannot start '{}'", call.dom.name))?;
                out.done(format_args!("Domain '{}' started", dom.name), &done("started", &dom))?;
                start.follow(session, &mut connection, &dom)
            }
            Self::Shutdown { domain, mode, wait } => shutdown(session, domain, mode, *wait),
            Self::Reboot { domain, mode, wait } => reboot(session, domain, mode, *wait),
            Self::Destroy { domain, graceful } => {
                let flags = if *graceful { flags::DESTROY_GRACEFUL } else { 0 };
                let mut connection = session.connect()?;
                let dom = connection.find_domain(domain.word())?;
                let call = DomainDestroyFlags { dom, flags };
                connection
                    .call(&call)
                    .context(|| format!("cannot destroy '{}'", call.dom.name))?;
                out.done(
                    format_args!("Domain '{}' destroyed", call.dom.name),
                    &done("destroyed", &call.dom),
                )
            }
            Self::Suspend(domain) => {
                let mut connection = session.connect()?;
                let dom = connection.find_domain(domain.word())?;
                let call = DomainSuspend { dom };
                connection
                    .call(&call)
                    .context(|| format!("cannot suspend '{}'", call.dom.name))?;
                out.done(
                    format_args!("Domain '{}' suspended", call.dom.name),
                    &done("suspended", &call.dom),
                )
            }
            Self::Resume(domain) => {
                let mut connection = session.connect()?;
                let dom = connection.find_domain(domain.word())?;
                let call = DomainResume { dom };
                connection
                    .call(&call)
                    .context(|| format!("cannot resume '{}'", call.dom.name))?;
                out.done(
                    format_args!("Domain '{}' resumed", call.dom.name),
                    &done("resumed", &call.dom),
                )
            }
        }
    }
}

fn shutdown(session: &Session, domain: &Domain, mode: &Mode, wait: Wait) -> Result<(), Failure> {
    let mut connection = session.connect()?;
    let dom = connection.find_domain(domain.word())?;
    let deadline = wait.deadline();
    if deadline.is_some() {
        // Before the request, or a quick guest is gone before anybody listens.
        connection.watch(subject::LIFECYCLE, Some(&dom))?;
    }
    let call = DomainShutdownFlags {
        dom: dom.clone(),
        flags: mode.flags(),
    };
    connection
        .call(&call)
        .context(|| format!("cannot shut down '{}'", dom.name))?;
    let Some(deadline) = deadline else {
        let sentence = format!("Domain '{}' is being shutdown", dom.name);
        return session.out.done(sentence, &done("asked to shut down", &dom));
    };
    await_stop(&mut connection, &dom, deadline)?;
    session.out.done(
        format_args!("Domain '{}' is shut off", dom.name),
        &done("shut off", &dom),
    )
}

fn reboot(session: &Session, domain: &Domain, mode: &Mode, wait: Wait) -> Result<(), Failure> {
    let mut connection = session.connect()?;
    let dom = connection.find_domain(domain.word())?;
    let deadline = wait.deadline();
    if deadline.is_some() {
        connection.watch(subject::LIFECYCLE, Some(&dom))?;
        connection.watch(subject::REBOOT, Some(&dom))?;
    }
    let call = DomainReboot {
        dom: dom.clone(),
        flags: mode.flags(),
    };
    connection
        .call(&call)
        .context(|| format!("cannot reboot '{}'", dom.name))?;
    let Some(deadline) = deadline else {
        let sentence = format!("Domain '{}' is being rebooted", dom.name);
        return session.out.done(sentence, &done("asked to reboot", &dom));
    };
    match await_end(&mut connection, &dom, deadline)? {
        End::Rebooted => session.out.done(
            format_args!("Domain '{}' has rebooted", dom.name),
            &done("rebooted", &dom),
        ),
        End::Stopped(why) => Err(Failure::Other(format!(
            "'{}' did not reboot but stopped ({why})",
            dom.name
        ))),
    }
}

fn await_stop(connection: &mut Connection, dom: &DomainRef, deadline: Option<Instant>) -> Result<(), Failure> {
    loop {
        match await_end(connection, dom, deadline)? {
            End::Stopped("Shutdown" | "Destroyed") => return Ok(()),
            End::Stopped(why) => return Err(Failure::Other(format!("'{}' stopped otherwise ({why})", dom.name))),
            End::Rebooted => {}
        }
    }
}

enum End {
    Stopped(&'static str),
    Rebooted,
}

fn await_end(connection: &mut Connection, dom: &DomainRef, deadline: Option<Instant>) -> Result<End, Failure> {
    loop {
        match connection.next_event(deadline, None)? {
            Next::Event(event) if event.dom.uuid == dom.uuid => match event.kind {
                EventKind::Reboot => return Ok(End::Rebooted),
                EventKind::Lifecycle(kind, detail) if kind == Lifecycle::Stopped as i32 => {
                    return Ok(End::Stopped(words::lifecycle(kind, detail).1));
                }
                _ => {}
            },
            Next::Event(_) | Next::Interrupted => {}
            Next::Deadline => {
                let state = connection
                    .state(dom)
                    .map_or("unknown", |state| words::state(state.state));
                return Err(Failure::Timeout(format!(
                    "'{}' has not done so in time; its state is '{state}'",
                    dom.name
                )));
            }
        }
    }
}
