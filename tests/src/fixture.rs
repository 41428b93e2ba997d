//! `Fixtures`: documents, options and timings for one driver, from a file of its author or built in.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the suite must know of a driver and can not find out.
///
/// In every document `@NAME@`, `@UUID@`, `@DRIVER@` (the driver's name), `@ROOT@` (the check's folder) and `@BESIDE@` (the
/// folder of the plug-in's file) are filled in.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fixtures {
    /// For drivers with domains.
    pub domain: Domains,
    /// For drivers with filters.
    pub filter: Filters,
    /// How long things take at most.
    pub timing: Timing,
    /// Which room starts guest processes.
    pub guests: Room,
    /// The driver's part of the host's configuration.
    pub options: BTreeMap<String, String>,
}

/// Documents of domains.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Domains {
    /// A small domain that can be defined and started.
    pub valid: String,
    /// The same domain with something else in it.
    pub second: String,
    /// Documents that must be refused, beside those that the suite has itself.
    pub invalid: Vec<String>,
    /// Whether `valid` can be started here; without it, checks that start a domain are skipped.
    pub startable: bool,
    /// Whether a started domain stays until it is told to stop.
    pub stays: bool,
    /// Whether a guest that is asked to shut down does; one without a system in it does not hear the request.
    pub obeys_shutdown: bool,
    /// Whether the driver makes transient domains.
    pub transient: bool,
    /// Whether `suspend` and `resume` are for real.
    pub suspendable: bool,
    /// Whether definitions outlive the host; a driver that keeps them in memory says no.
    pub persistent: bool,
    /// Whether guests outlive the host.
    pub survives: bool,
    /// Documents of devices that can be put into a started domain. A disk may lead to `@ROOT@/disk.img`, a file of 1 MiB.
    pub devices: Vec<String>,
}

impl Default for Domains {
    fn default() -> Self {
        let document = |memory: u32| {
            format!(
                "<domain type='@DRIVER@'>\n  <name>@NAME@</name>\n  <uuid>@UUID@</uuid>\n  <memory unit='KiB'>{memory}</memory>\n  \
                 <vcpu>1</vcpu>\n  <os>\n    <type>@DRIVER@</type>\n  </os>\n</domain>\n"
            )
        };
        Self {
            valid: document(65_536),
            second: document(131_072),
            invalid: Vec::new(),
            startable: true,
            stays: true,
            obeys_shutdown: true,
            transient: true,
            suspendable: true,
            persistent: true,
            survives: true,
            devices: Vec::new(),
        }
    }
}

/// Documents of filters and bindings.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// A filter with a rule or two.
    pub valid: String,
    /// The same filter with other rules.
    pub second: String,
    /// Documents that must be refused, beside those that the suite has itself.
    pub invalid: Vec<String>,
    /// A packet in the driver's own words, for drivers that test filters.
    pub packet: String,
}

impl Default for Filters {
    fn default() -> Self {
        let document =
            |rule: &str| format!("<filter name='@NAME@' chain='root'>\n  <uuid>@UUID@</uuid>\n  {rule}\n</filter>\n");
        Self {
            valid: document("<rule action='drop' direction='in' priority='500'><tcp dstportstart='22'/></rule>"),
            second: document("<rule action='accept' direction='out' priority='400'><udp dstportstart='53'/></rule>"),
            invalid: Vec::new(),
            packet: String::from("tcp 10.0.0.1:1024 > 10.0.0.2:22"),
        }
    }
}

/// How long things take at most, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// Until the driver is made and up.
    pub open: u64,
    /// Until `start` returns.
    pub start: u64,
    /// Until a domain that was told to shut down is off.
    pub shutdown: u64,
    /// Until `close` returns.
    pub close: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            open: 5_000,
            start: 30_000,
            shutdown: 30_000,
            close: 5_000,
        }
    }
}

impl Timing {
    /// For `close`.
    #[must_use]
    pub const fn close(&self) -> Duration {
        Duration::from_millis(self.close)
    }

    /// For a domain that was told to shut down.
    #[must_use]
    pub const fn shutdown(&self) -> Duration {
        Duration::from_millis(self.shutdown)
    }
}

/// Which room starts the guest processes that a driver orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Room {
    /// The host's own: a supervisor and namespaces for each guest.
    #[default]
    Real,
    /// One that only keeps accounts: its guests are numbers.
    Memory,
}

/// Why the fixtures can not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can not be read.
    #[error("cannot read the fixtures '{}': {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It is not what fixtures look like.
    #[error("the fixtures '{}' are wrong: {cause}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        cause: Box<toml::de::Error>,
    },
}

impl Fixtures {
    /// The fixtures of a plug-in: from `given`, else from the file `<plugin>.conformance.toml` beside it, else built in.
    ///
    /// # Errors
    /// A file that is there can not be read or used.
    pub fn find(plugin: &Path, given: Option<&Path>) -> Result<Self, Error> {
        let beside = plugin.with_extension("conformance.toml");
        match given {
            Some(path) => Self::read(path),
            None if beside.exists() => Self::read(&beside),
            None => Ok(Self::default()),
        }
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|cause| Error::Read {
            path: path.to_path_buf(),
            cause,
        })?;
        toml::from_str(&text).map_err(|cause| Error::Parse {
            path: path.to_path_buf(),
            cause: Box::new(cause),
        })
    }
}
