//! The verb `serve`: the host itself, in the foreground.

use super::Session;
use super::args::duration;
use super::exit::Failure;
use crate::config::{Config, Overrides};
use crate::daemon;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Be the host: serve clients in the foreground until SIGTERM or SIGINT; guests outlive it
    Serve(Options),
}

/// What `serve` takes.
#[derive(Args, Debug)]
pub struct Options {
    /// Look for drivers in this folder first; may be given several times
    #[arg(long = "plugin-dir", value_name = "DIR")]
    plugin_dirs: Vec<PathBuf>,
    /// This file instead of the usual lockstep.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stop after so long without client and guest
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    timeout: Option<Duration>,
}

impl Verb {
    pub(super) fn perform(self, session: &Session) -> Result<(), Failure> {
        let Self::Serve(options) = self;
        let config = Config::load(Overrides {
            root: session.common.root.clone(),
            file: options.config,
            plugin_dirs: options.plugin_dirs,
            idle_timeout: options.timeout,
        })?;
        daemon::serve(&config).map_err(|error| Failure::Other(error.to_string()))
    }
}
