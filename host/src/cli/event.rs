//! The verb `event`: what happens to guests, as it happens.

use super::Session;
use super::args::duration;
use super::exit::{Context, Failure};
use super::output::{Output, harmless};
use super::signals::Signals;
use super::words;
use crate::client::event::{Event, EventKind, Next};
use crate::rpc::codec::event::{Subject, subject};
use clap::{Args, Subcommand, ValueEnum};
use driver_api::types::param::Param;
use serde_json::{Map, Value, json};
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
    BalloonChange,
    DeviceRemoved,
    Tunable,
    AgentLifecycle,
    DeviceAdded,
    DeviceRemovalFailed,
    MetadataChange,
}

impl Name {
    const fn subject(self) -> Subject {
        match self {
            Self::Lifecycle => subject::LIFECYCLE,
            Self::Reboot => subject::REBOOT,
            Self::BalloonChange => subject::BALLOON_CHANGE,
            Self::DeviceRemoved => subject::DEVICE_REMOVED,
            Self::Tunable => subject::TUNABLE,
            Self::AgentLifecycle => subject::AGENT_LIFECYCLE,
            Self::DeviceAdded => subject::DEVICE_ADDED,
            Self::DeviceRemovalFailed => subject::DEVICE_REMOVAL_FAILED,
            Self::MetadataChange => subject::METADATA_CHANGE,
        }
    }

    fn word(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// One event in words: its name, what is behind the guest's name on a person's line, and the same for programs.
struct Words {
    name: Name,
    text: String,
    facts: Map<String, Value>,
}

impl Words {
    fn new(name: Name, text: impl Into<String>, facts: &[(&str, Value)]) -> Self {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Self {
            name,
            text: text.into(),
            facts: facts.collect(),
        }
    }

    fn of(kind: &EventKind) -> Self {
        let device =
            |name, alias: &String| Self::new(name, format!(": {}", harmless(alias)), &[("device", json!(alias))]);
        match kind {
            EventKind::Reboot => Self::new(Name::Reboot, "", &[]),
            EventKind::Lifecycle(kind, detail) => {
                let (what, detail) = words::lifecycle(*kind, *detail);
                let facts = [("type", json!(what)), ("detail", json!(detail))];
                Self::new(Name::Lifecycle, format!(": {what} {detail}"), &facts)
            }
            EventKind::Balloon(kib) => Self::new(
                Name::BalloonChange,
                format!(": {kib}KiB"),
                &[("memory_kib", json!(kib))],
            ),
            EventKind::DeviceAdded(alias) => device(Name::DeviceAdded, alias),
            EventKind::DeviceRemoved(alias) => device(Name::DeviceRemoved, alias),
            EventKind::DeviceRemovalFailed(alias) => device(Name::DeviceRemovalFailed, alias),
            EventKind::Tuned(params) => {
                let line = |param: &Param| {
                    format!(
                        "\n\t{}: {}",
                        harmless(&param.name),
                        harmless(&words::value(&param.value))
                    )
                };
                let lines: String = params.iter().map(line).collect();
                let values = params
                    .iter()
                    .map(|param| (param.name.clone(), words::json(&param.value)));
                let facts = [("values", Value::Object(values.collect()))];
                Self::new(Name::Tunable, format!(":{lines}"), &facts)
            }
            EventKind::Agent(state, reason) => {
                let (state, reason) = words::agent(*state, *reason);
                let facts = [("state", json!(state)), ("reason", json!(reason))];
                Self::new(
                    Name::AgentLifecycle,
                    format!(": state: '{state}' reason: '{reason}'"),
                    &facts,
                )
            }
            EventKind::Metadata(kind, uri) => {
                let what = words::metadata(*kind);
                let facts = [("type", json!(what)), ("uri", json!(uri))];
                let uri = uri.as_deref().map_or_else(|| "N/A".to_owned(), harmless);
                Self::new(Name::MetadataChange, format!(": type {what}, uri {uri}"), &facts)
            }
        }
    }
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
    let names: Vec<String> = Name::value_variants().iter().map(|name| name.word()).collect();
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
        for name in Name::value_variants() {
            if self.event.is_none_or(|wanted| wanted == *name) {
                connection.watch(name.subject(), dom.as_ref())?;
            }
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
        let Words { name, text, facts } = Words::of(&event.kind);
        if out.is_json() {
            let mut document = facts;
            document.insert("event".to_owned(), json!(name.word()));
            document.insert("name".to_owned(), json!(event.dom.name));
            document.insert("uuid".to_owned(), json!(event.dom.uuid.to_string()));
            document.insert("time".to_owned(), json!(time.as_secs_f64()));
            return out.json_line(&Value::Object(document));
        }
        let mut line = format!(
            "event '{}' for domain '{}'{text}",
            name.word(),
            harmless(&event.dom.name)
        );
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
