//! The verb `event`: what happens to guests, as it happens.

use super::Session;
use super::args::duration;
use super::exit::{Context, Failure};
use super::output::Output;
use super::signals::Signals;
use super::words;
use crate::client::event::{Event, EventKind, Next};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Wait for something to happen to guests, and show it
    Event(Options),
}

/// What `event` takes.
#[derive(Args, Debug)]
pub struct Options {
    /// Of this guest only: its name, id or UUID
    #[arg(long, value_name = "GUEST")]
    domain: Option<String>,
    /// Which event
    #[arg(long, value_name = "NAME", value_enum, required_unless_present_any = ["all", "list"])]
    event: Option<Name>,
    /// Every event
    #[arg(long, conflicts_with = "event")]
    all: bool,
    /// Go on until SIGINT or the timeout, rather than end with the first event
    #[arg(long = "loop")]
    forever: bool,
    /// End after so long; exit status 4 if nothing has happened by then
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    timeout: Option<Duration>,
    /// Only list the names of events
    #[arg(long)]
    list: bool,
    /// Show when each event came
    #[arg(long)]
    timestamp: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Name {
    Lifecycle,
    Reboot,
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let Self::Event(options) = self;
        if options.list {
            return list(session.out);
        }
        options.perform(session)
    }
}

fn list(out: Output) -> Result<(), Failure> {
    let names = ["lifecycle", "reboot"];
    if out.is_json() {
        return out.json(&json!(names));
    }
    out.line(names.join("\n"))
}

impl Options {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let signals = Signals::watch().context(|| "cannot watch signals".to_owned())?;
        let mut connection = session.connect()?;
        let dom = self
            .domain
            .as_ref()
            .map(|word| connection.find_domain(word))
            .transpose()?;
        if self.event != Some(Name::Reboot) {
            connection.watch_lifecycle(dom.as_ref())?;
        }
        if self.event != Some(Name::Lifecycle) {
            connection.watch_reboot(dom.as_ref())?;
        }
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut count: u64 = 0;
        loop {
            match connection.next_event(deadline, Some(signals.fd()))? {
                Next::Event(event) => {
                    count += 1;
                    self.show(session.out, &event)?;
                    if !self.forever {
                        return finish(session, count);
                    }
                }
                Next::Deadline if count == 0 => {
                    return Err(Failure::Timeout("no event came in time".to_owned()));
                }
                Next::Deadline => return finish(session, count),
                Next::Interrupted if signals.take().is_some() => return finish(session, count),
                Next::Interrupted => {}
            }
        }
    }

    fn show(&self, out: Output, event: &Event) -> Result<(), Failure> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (name, words) = match event.kind {
            EventKind::Reboot => ("reboot", None),
            EventKind::Lifecycle(kind, detail) => ("lifecycle", Some(words::lifecycle(kind, detail))),
        };
        if out.is_json() {
            return out.json_line(&json!({
                "event": name,
                "name": event.dom.name,
                "uuid": event.dom.uuid.to_string(),
                "type": words.map(|(what, _)| what),
                "detail": words.map(|(_, detail)| detail),
                "time": time.as_secs_f64(),
            }));
        }
        let mut line = format!("event '{name}' for domain '{}'", event.dom.name);
        if let Some((what, detail)) = words {
            line.push_str(&format!(": {what} {detail}"));
        }
        if self.timestamp {
            line = format!("{}.{:03}: {line}", time.as_secs(), time.subsec_millis());
        }
        out.line(line)
    }
}

fn finish(session: &Session, count: u64) -> Result<(), Failure> {
    if session.out.is_json() || session.common.quiet {
        return Ok(());
    }
    session.out.line(format_args!("events received: {count}\n"))
}
