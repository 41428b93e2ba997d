//! Verbs that look at guests: list, dominfo, domstate, domid, domname, domuuid.

use super::Session;
use super::args::Domain;
use super::exit::Failure;
use super::output::{Cell, Colour};
use super::words;
use crate::client::Connection;
use crate::client::domain::{Facts, is_missing};
use crate::rpc::codec::domain::{DomainGetOsType, DomainRef, NO_ID};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// List guests, the active ones unless told otherwise
    List(List),
    /// Show what is short to say of a guest
    Dominfo(Domain),
    /// Show a guest's state
    Domstate {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Show the reason for it too
        #[arg(long)]
        reason: bool,
    },
    /// Show a guest's id
    Domid(Domain),
    /// Show a guest's name
    Domname(Domain),
    /// Show a guest's UUID
    Domuuid(Domain),
}

/// What `list` takes.
#[derive(Args, Debug)]
pub struct List {
    /// Guests that are not active
    #[arg(long)]
    inactive: bool,
    /// Active ones and others
    #[arg(long)]
    all: bool,
    /// Guests without a definition that is kept
    #[arg(long)]
    transient: bool,
    /// Guests with a definition that is kept
    #[arg(long)]
    persistent: bool,
    /// Guests that run
    #[arg(long)]
    state_running: bool,
    /// Guests that are paused
    #[arg(long)]
    state_paused: bool,
    /// Guests that are shut off
    #[arg(long)]
    state_shutoff: bool,
    /// Guests in other states
    #[arg(long)]
    state_other: bool,
    /// Guests that the host starts by itself
    #[arg(long)]
    autostart: bool,
    /// Guests that it does not
    #[arg(long)]
    no_autostart: bool,
    /// UUIDs only
    #[arg(long)]
    uuid: bool,
    /// Names only
    #[arg(long)]
    name: bool,
    /// Ids only
    #[arg(long)]
    id: bool,
    /// A table, which is the default
    #[arg(long, conflicts_with_all = ["uuid", "name", "id"])]
    table: bool,
}

impl List {
    /// `virConnectListAllDomainsFlags`.
    fn flags(&self) -> u32 {
        let (active, inactive) = (1, 2);
        let which = match (self.all, self.inactive || self.state_shutoff) {
            (true, _) => active | inactive,
            (false, true) => inactive,
            (false, false) => active,
        };
        [
            (self.persistent, 4),
            (self.transient, 8),
            (self.state_running, 16),
            (self.state_paused, 32),
            (self.state_shutoff, 64),
            (self.state_other, 128),
            (self.autostart, 1024),
            (self.no_autostart, 2048),
        ]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .fold(which, |flags, (_, flag)| flags | flag)
    }

    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let mut connection = session.connect()?;
        let doms = connection.domains(self.flags())?;
        if session.out.is_json() {
            return session.out.json(&self.document(&mut connection, doms)?);
        }
        if self.uuid || self.name || self.id {
            return self.bare(session, &doms);
        }
        let mut rows = Vec::new();
        for dom in doms {
            let state = match connection.state(&dom) {
                Ok(state) => state.state,
                // It went away since it was listed.
                Err(error) if is_missing(&error) => continue,
                Err(error) => return Err(error.into()),
            };
            let word = words::state(state);
            let state = match word {
                "running" | "idle" => Cell::coloured(word, Colour::Green),
                "crashed" => Cell::coloured(word, Colour::Red),
                "shut off" => word.into(),
                _ => Cell::coloured(word, Colour::Yellow),
            };
            rows.push(vec![id(&dom).into(), dom.name.into(), state]);
        }
        session.out.table(&["Id", "Name", "State"], &rows)
    }

    fn bare(&self, session: &Session, doms: &[DomainRef]) -> Result<(), Failure> {
        let mut text = String::new();
        for dom in doms {
            let columns = [
                self.id.then(|| id(dom)),
                self.uuid.then(|| dom.uuid.to_string()),
                self.name.then(|| dom.name.clone()),
            ];
            text.push_str(&columns.into_iter().flatten().collect::<Vec<_>>().join("    "));
            text.push('\n');
        }
        session.out.line(text)
    }

    fn document(&self, connection: &mut Connection, doms: Vec<DomainRef>) -> Result<Value, Failure> {
        let mut list = Vec::new();
        for dom in doms {
            match connection.facts(dom) {
                Ok(facts) => list.push(document(&facts)),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Value::Array(list))
    }
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let out = session.out;
        match self {
            Self::List(list) => list.perform(session),
            Self::Dominfo(domain) => {
                let mut connection = session.connect()?;
                let dom = connection.find_domain(domain.word())?;
                let facts = connection.facts(dom)?;
                if out.is_json() {
                    return out.json(&document(&facts));
                }
                let os = connection.call(&DomainGetOsType { dom: facts.dom.clone() })?;
                out.pairs(&pairs(&facts, os))
            }
            Self::Domstate { domain, reason } => {
                let mut connection = session.connect()?;
                let dom = connection.find_domain(domain.word())?;
                let state = connection.state(&dom)?;
                let (word, why) = (words::state(state.state), words::reason(state.state, state.reason));
                if out.is_json() {
                    return out.json(&json!({ "state": word, "reason": why }));
                }
                out.line(if *reason {
                    format!("{word} ({why})\n")
                } else {
                    format!("{word}\n")
                })
            }
            Self::Domid(domain) => {
                let dom = session.connect()?.find_domain(domain.word())?;
                if out.is_json() {
                    return out.json(&json!({ "id": active_id(&dom) }));
                }
                out.line(format!("{}\n", id(&dom)))
            }
            Self::Domname(domain) => out.value("name", session.connect()?.find_domain(domain.word())?.name),
            Self::Domuuid(domain) => out.value("uuid", session.connect()?.find_domain(domain.word())?.uuid),
        }
    }
}

fn id(dom: &DomainRef) -> String {
    active_id(dom).map_or_else(|| "-".to_owned(), |id| id.to_string())
}

fn active_id(dom: &DomainRef) -> Option<i32> {
    (dom.id != NO_ID).then_some(dom.id)
}

fn document(facts: &Facts) -> Value {
    json!({
        "id": active_id(&facts.dom),
        "name": facts.dom.name,
        "uuid": facts.dom.uuid.to_string(),
        "state": words::state(facts.state.state),
        "reason": words::reason(facts.state.state, facts.state.reason),
        "vcpus": facts.info.vcpus,
        "cpu_time_ns": facts.info.cpu_time,
        "max_memory_kib": facts.info.max_memory,
        "memory_kib": facts.info.memory,
        "persistent": facts.persistent,
        "autostart": facts.autostart,
    })
}

fn pairs(facts: &Facts, os: String) -> Vec<(&'static str, String)> {
    let yes = |on: bool, yes: &str, no: &str| if on { yes.to_owned() } else { no.to_owned() };
    let tenths = facts.info.cpu_time / 100_000_000;
    let mut pairs = vec![
        ("Id", id(&facts.dom)),
        ("Name", facts.dom.name.clone()),
        ("UUID", facts.dom.uuid.to_string()),
        ("OS Type", os),
        ("State", words::state(facts.state.state).to_owned()),
        ("CPU(s)", facts.info.vcpus.to_string()),
    ];
    if active_id(&facts.dom).is_some() {
        pairs.push(("CPU time", format!("{}.{}s", tenths / 10, tenths % 10)));
    }
    pairs.extend([
        ("Max memory", format!("{} KiB", facts.info.max_memory)),
        ("Used memory", format!("{} KiB", facts.info.memory)),
        ("Persistent", yes(facts.persistent, "yes", "no")),
        ("Autostart", yes(facts.autostart, "enable", "disable")),
    ]);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Verb as Any};
    use clap::Parser;

    fn flags(line: &str) -> u32 {
        match Cli::try_parse_from(line.split(' ')).unwrap().verb {
            Any::Look(Verb::List(list)) => list.flags(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn list_options_are_libvirts_flags() {
        assert_eq!(flags("lockstep list"), 1);
        assert_eq!(flags("lockstep list --all"), 3);
        assert_eq!(flags("lockstep list --inactive --persistent"), 6);
        assert_eq!(flags("lockstep list --state-shutoff"), 66);
        assert_eq!(flags("lockstep list --all --state-paused --no-autostart"), 2083);
    }
}
