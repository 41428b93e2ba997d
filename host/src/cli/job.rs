//! Verbs about what runs on a guest: domjobinfo, domjobabort, domcontrol.

use super::Session;
use super::args::Domain;
use super::define::done;
use super::exit::{Context, Failure};
use crate::rpc::codec::domain::DomainGetControlInfo;
use crate::rpc::codec::job::{DomainAbortJob, DomainGetJobStats, kind};
use crate::rpc::codec::typed_param::Value;
use clap::Subcommand;
use serde_json::json;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show the long operation that runs on a guest, if there is one
    Domjobinfo(Domain),
    /// Stop the long operation that runs on a guest
    Domjobabort(Domain),
    /// Show whether a guest is free to be asked for something
    Domcontrol(Domain),
}

/// `virDomainJobOperation`.
const OPERATIONS: [&str; 2] = ["Unknown", "Start"];
/// `virDomainControlState`.
const CONTROLS: [&str; 4] = ["ok", "background job", "occupied", "error"];

/// `virDomainControlErrorReason`.
const REASONS: [&str; 4] = ["", "unknown", "monitor failure", "internal error"];

fn word(words: &[&'static str], number: u64) -> &'static str {
    let word = usize::try_from(number).ok().and_then(|number| words.get(number));
    word.copied().unwrap_or("unknown")
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let (Self::Domjobinfo(domain) | Self::Domjobabort(domain) | Self::Domcontrol(domain)) = self;
        let (mut connection, out) = (session.connect()?, session.out);
        let dom = connection.find_domain(domain.word())?;
        match self {
            Self::Domjobinfo(_) => {
                let stats = connection.call(&DomainGetJobStats { dom, flags: 0 })?;
                let number = |field: &str| {
                    let value = stats.params.0.iter().find(|param| param.name == field)?;
                    match value.value {
                        Value::Int(number) => u64::try_from(number).ok(),
                        Value::Uint(number) => Some(number.into()),
                        Value::Ulong(number) => Some(number),
                        _ => None,
                    }
                };
                let operation = word(&OPERATIONS, number("operation").unwrap_or(0));
                let elapsed = number("time_elapsed").unwrap_or(0);
                let runs = stats.kind != kind::NONE;
                if out.is_json() {
                    return out.json(&match runs {
                        true => {
                            json!({ "type": "unbounded", "operation": operation.to_lowercase(), "elapsed_ms": elapsed })
                        }
                        false => json!({ "type": "none" }),
                    });
                }
                let line = |name: &str, value: &str| format!("{:<17} {value:<12}", format!("{name}:"));
                if !runs {
                    return out.line(format_args!("{}\n", line("Job type", "None")));
                }
                out.line(line("Job type", "Unbounded"))?;
                out.line(line("Operation", operation))?;
                out.line(format_args!("{} ms\n", line("Time elapsed", &elapsed.to_string())))
            }
            Self::Domjobabort(_) => {
                connection
                    .call(&DomainAbortJob { dom: dom.clone() })
                    .context(|| format!("cannot stop what runs on '{}'", dom.name))?;
                let sentence = format!("What runs on domain '{}' was asked to stop", dom.name);
                out.done(sentence, &done("aborted", &dom))
            }
            Self::Domcontrol(_) => {
                let info = connection.call(&DomainGetControlInfo { dom, flags: 0 })?;
                let state = word(&CONTROLS, info.state.into());
                if out.is_json() {
                    return out.json(&json!({ "state": state, "since_ms": info.state_time }));
                }
                let (seconds, millis) = (info.state_time / 1000, info.state_time % 1000);
                match (info.state, info.details) {
                    (0, _) | (3, 0) => out.line(format_args!("{state}\n")),
                    (3, why) => {
                        let why = word(&REASONS, why.into());
                        out.line(format_args!("{state}: {why} ({seconds}.{millis:03}s)\n"))
                    }
                    _ => out.line(format_args!("{state} ({seconds}.{millis:03}s)\n")),
                }
            }
        }
    }
}
