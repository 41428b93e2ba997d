//! Arguments that many verbs share: which guest, which file, how long to wait.

use super::exit::{Context, Failure};
use crate::config::kind::parse_duration;
use clap::Args;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Which guest is meant.
#[derive(Args, Clone, Debug)]
pub struct Domain {
    /// The guest: its name, id or UUID
    #[arg(value_name = "GUEST", required_unless_present = "domain_option")]
    domain: Option<String>,
    #[arg(long = "domain", value_name = "GUEST", hide = true, conflicts_with = "domain")]
    domain_option: Option<String>,
}

impl Domain {
    /// The word that the guest is called by.
    #[must_use]
    pub fn word(&self) -> &str {
        // clap has seen to it that one of them is there.
        self.domain
            .as_deref()
            .or(self.domain_option.as_deref())
            .unwrap_or_default()
    }
}

/// Which document is meant.
#[derive(Args, Clone, Debug)]
pub struct File {
    /// The XML document; `-` reads standard input
    #[arg(value_name = "FILE", required_unless_present = "file_option")]
    file: Option<PathBuf>,
    #[arg(long = "file", value_name = "FILE", hide = true, conflicts_with = "file")]
    file_option: Option<PathBuf>,
}

impl File {
    /// The path as given.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.file
            .clone()
            .or_else(|| self.file_option.clone())
            .unwrap_or_default()
    }

    /// The text in it.
    ///
    /// # Errors
    /// It can not be read or is not UTF-8.
    pub fn read(&self) -> Result<String, Failure> {
        let path = self.path();
        let mut text = String::new();
        let read = if path.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text).map(drop)
        } else {
            std::fs::read_to_string(&path).map(|content| text = content)
        };
        read.context(|| format!("cannot read '{}'", path.display()))?;
        Ok(text)
    }
}

/// Whether, and how long, to wait for what a verb only asks for.
#[derive(Args, Clone, Copy, Debug)]
pub struct Wait {
    /// Return only when it has happened; exit status 4 if it has not within SECONDS (also `500ms`, `2min`)
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, value_parser = duration)]
    wait: Option<Option<Duration>>,
}

impl Wait {
    /// `None` when nothing is waited for, else the moment when waiting ends, if it ends.
    #[must_use]
    pub fn deadline(self) -> Option<Option<Instant>> {
        // A time too far for the clock is the same as none.
        self.wait
            .map(|limit| limit.and_then(|limit| Instant::now().checked_add(limit)))
    }
}

/// A time on the command line: seconds, or a number with its unit.
///
/// # Errors
/// What such a time looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a time as '30', '30s', '500ms' or '2min'".to_owned())
}

/// How a guest is asked to shut down or reboot.
#[derive(Args, Clone, Debug)]
pub struct Mode {
    /// How the guest is asked: acpi, agent, initctl, signal, paravirt; several with commas
    #[arg(long, value_name = "MODE", value_delimiter = ',')]
    mode: Vec<ModeName>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ModeName {
    Acpi,
    Agent,
    Initctl,
    Signal,
    Paravirt,
}

impl Mode {
    /// The flag bits (`virDomainShutdownFlagValues`); 0 lets the driver choose.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.mode.iter().fold(0, |flags, mode| flags | 1 << *mode as u32)
    }
}
