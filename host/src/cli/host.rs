//! Verbs about the host itself: plugins, locks, log-filter, config, completion.

use super::exit::Failure;
use super::output::{Cell, Colour, Output};
use super::{Session, complete};
use crate::config::{Config, Overrides, print};
use crate::lock::status::{Party, Status};
use clap::Subcommand;
use clap_complete::Shell;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// List the host's drivers, and why one of them is not in service
    Plugins {
        /// The same as --output json
        #[arg(long)]
        json: bool,
    },
    /// Show who holds locks and who waits for them
    Locks {
        /// The same as --output json
        #[arg(long)]
        json: bool,
    },
    /// Change what the running host logs, until it stops
    LogFilter {
        /// As `filter` under [log] in lockstep.toml, such as `info,lockstep::rpc=debug`
        filter: String,
    },
    /// Print lockstep.toml with every key, its meaning, its value and where that comes from
    Config {
        /// This file instead of the usual one
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print a completion script
    Completion {
        /// For which shell
        shell: Shell,
    },
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let out = session.out;
        match self {
            Self::Plugins { json } => {
                let plugins = session.connect()?.plugins()?;
                if *json || out.is_json() {
                    out.json(&plugins)
                } else {
                    show_plugins(out, &plugins)
                }
            }
            Self::Locks { json } => {
                let status = session.connect()?.locks()?;
                if *json || out.is_json() {
                    let document = serde_json::to_value(&status);
                    return out.json(&document.map_err(|error| Failure::Other(error.to_string()))?);
                }
                show_locks(out, &status)
            }
            Self::LogFilter { filter } => {
                session.connect()?.set_log_filter(filter)?;
                out.done(
                    format_args!("The host logs '{filter}' now"),
                    &json!({ "filter": filter }),
                )
            }
            Self::Config { config } => {
                let config = Config::load(Overrides {
                    root: session.common.root.clone(),
                    file: config.clone(),
                    ..Overrides::default()
                })?;
                if out.is_json() {
                    out.json(&print::document(&config))
                } else {
                    out.raw(&print::commented(&config))
                }
            }
            Self::Completion { shell } => out.bytes(&complete::script(*shell)),
        }
    }
}

fn show_plugins(out: Output, plugins: &Value) -> Result<(), Failure> {
    let list = plugins.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Vec<Cell>> = list.iter().map(plugin_row).collect();
    out.table(&["Name", "Version", "State", "Interfaces", "File"], &rows)?;
    for plugin in list {
        if let (Some(name), Some(reason)) = (plugin["name"].as_str(), plugin["reason"].as_str()) {
            out.line(format_args!("{name}: {reason}"))?;
        }
    }
    Ok(())
}

fn plugin_row(plugin: &Value) -> Vec<Cell> {
    let text = |key: &str| plugin[key].as_str().unwrap_or("-").to_owned();
    let interfaces = plugin["interfaces"].as_array().map(Vec::as_slice).unwrap_or_default();
    let interfaces: Vec<&str> = interfaces.iter().filter_map(Value::as_str).collect();
    let state = text("state");
    let colour = if plugin["reason"].is_string() {
        Colour::Red
    } else {
        Colour::Green
    };
    vec![
        text("name").into(),
        text("version").into(),
        Cell::coloured(state, colour),
        interfaces.join(" ").into(),
        text("path").into(),
    ]
}

fn show_locks(out: Output, status: &Status) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for lock in &status.locks {
        let object = match (&lock.driver, &lock.uuid) {
            (Some(driver), Some(uuid)) => format!("{driver} {uuid}"),
            (Some(driver), None) => driver.clone(),
            _ => "-".to_owned(),
        };
        let level = if lock.poisoned {
            format!("{} (poisoned)", lock.level)
        } else {
            lock.level.clone()
        };
        let parties = lock.holders.iter().chain(&lock.waiters);
        rows.extend(parties.map(|party| lock_row(&level, &object, party)));
        if lock.holders.is_empty() && lock.waiters.is_empty() {
            rows.push(vec![level.into(), object.into(), "nobody".into()]);
        }
    }
    for job in &status.jobs {
        let what = if job.cancelled {
            format!("{} (cancelled)", job.what)
        } else {
            job.what.clone()
        };
        let age = format!("{} ms", job.age_ms);
        let plugin = job.plugin.as_str().into();
        rows.push(vec![
            "job".into(),
            job.uuid.as_str().into(),
            "runs".into(),
            plugin,
            what.into(),
            "-".into(),
            age.into(),
        ]);
    }
    out.table(&["Level", "Object", "Hold", "Plugin", "Call", "Client", "Age"], &rows)
}

fn lock_row(level: &str, object: &str, party: &Party) -> Vec<Cell> {
    let hold = match party.position {
        None => Cell::coloured(&party.mode, Colour::Green),
        Some(position) => Cell::coloured(format_args!("waits {position}. for {}", party.mode), Colour::Yellow),
    };
    let client = party.client.map_or_else(|| "-".to_owned(), |client| client.to_string());
    let age = format!("{} ms", party.age_ms);
    let (plugin, call) = (party.plugin.as_str().into(), party.call.as_str().into());
    vec![
        level.into(),
        object.into(),
        hold,
        plugin,
        call,
        client.into(),
        age.into(),
    ]
}
