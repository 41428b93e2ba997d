//! Consoles and serial lines as `con` and `ssl` arguments, and as lines that the host serves.

use super::{absolute, refuse};
use crate::def::DomainDef;
use crate::def::console::{Console, End};
use crate::def::live::{console_alias, serial_alias};
use driver_api::error::Result;
use driver_api::types::guest::{CONSOLE_FD, ConsoleSpec};
use driver_api::types::launch::Backend;
use std::path::PathBuf;

/// The alias of the line that only feeds the log, of a guest that has no console of its own.
pub const LOG_ALIAS: &str = "log";

/// All lines of a guest.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) arguments: Vec<String>,
    pub(super) consoles: Vec<ConsoleSpec>,
    /// What each of them leads to.
    pub(super) backends: Vec<Backend>,
    /// Logs that begin anew.
    pub(super) cut: Vec<PathBuf>,
}

/// One line as the host serves it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Line {
    /// The console; `None` for a line that leads nowhere.
    pub console: Option<ConsoleSpec>,
    /// What it leads to.
    pub backend: Backend,
    /// The log that begins anew at a start.
    pub cut: Option<PathBuf>,
}

/// How a line is served under this alias.
///
/// # Errors
/// 67 with the name of what no line can lead to.
pub fn line(line: &Console, alias: String) -> Result<Line> {
    let end = line
        .end()
        .map_err(|why| refuse(format!("console '{alias}' can not be served: {why}")))?;
    let path = |what: &str, path: &str| absolute(&format!("{what} of {alias}"), path);
    let mut log = line.log.as_ref().map(|log| log.file.as_str());
    let mut cut = line
        .log
        .as_ref()
        .is_some_and(|log| log.append.as_deref() == Some("off"));
    let backend = match end {
        End::Null => return Ok(Line::default()),
        End::Pty | End::Viewers => Backend::None,
        End::File { path, cut: anew } => {
            (log, cut) = (Some(path), anew);
            Backend::None
        }
        End::Unix { path: socket, listen } => Backend::Unix {
            path: path("socket", socket)?,
            listen,
        },
        End::Tcp {
            host,
            service,
            listen,
            telnet,
        } => Backend::Tcp {
            host: host.to_owned(),
            service: service.to_owned(),
            listen,
            telnet,
        },
        End::Udp { remote, local } => {
            let owned = |(host, service): (&str, &str)| (host.to_owned(), service.to_owned());
            Backend::Udp {
                remote: owned(remote),
                local: owned(local),
            }
        }
        End::Device(device) => Backend::Device {
            path: path("device", device)?,
        },
        End::Pipe(pipe) => Backend::Pipe {
            path: path("pipe", pipe)?,
        },
    };
    let log = log.map(|log| path("log file", log)).transpose()?;
    Ok(Line {
        cut: log.clone().filter(|_| cut),
        console: Some(ConsoleSpec {
            pty: end == End::Pty,
            alias,
            log,
        }),
        backend,
    })
}

pub(super) fn all(def: &DomainDef) -> Result<Lines> {
    let mut lines = Lines::default();
    for console in &def.consoles {
        lines.add("con", console, console_alias(console.port, console.alias.as_deref()))?;
    }
    for serial in &def.serials {
        lines.add("ssl", serial, serial_alias(serial.port, serial.alias.as_deref()))?;
    }
    // A guest without any line would take the reason of its death with it.
    if def.consoles.is_empty() && def.serials.is_empty() {
        lines.serve(
            "con0",
            ConsoleSpec {
                alias: LOG_ALIAS.to_owned(),
                ..ConsoleSpec::default()
            },
            Backend::None,
        )?;
    }
    // What is not in the document does not exist: `null` instead would make every getty of the guest spin.
    lines.arguments.extend(["con=none".to_owned(), "ssl=none".to_owned()]);
    Ok(lines)
}

impl Lines {
    fn add(&mut self, driver: &str, line: &Console, alias: String) -> Result<()> {
        let option = format!("{driver}{}", line.port);
        let served = self::line(line, alias)?;
        let Some(console) = served.console else {
            self.arguments.push(format!("{option}=null"));
            return Ok(());
        };
        self.cut.extend(served.cut);
        self.serve(&option, console, served.backend)
    }

    fn serve(&mut self, option: &str, console: ConsoleSpec, backend: Backend) -> Result<()> {
        let index = i32::try_from(self.consoles.len())
            .map_err(|_| refuse(format!("'{option}' is one line more than descriptors can be numbered")))?;
        self.arguments.push(format!("{option}=fd:{}", CONSOLE_FD + index));
        self.consoles.push(console);
        self.backends.push(backend);
        Ok(())
    }
}
