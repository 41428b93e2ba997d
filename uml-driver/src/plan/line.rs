//! Consoles and serial lines as `con` and `ssl` arguments, and as lines that the host serves.

use super::{absolute, refuse};
use crate::def::DomainDef;
use crate::def::console::Console;
use crate::def::live::{console_alias, serial_alias};
use driver_api::error::Result;
use driver_api::types::guest::{CONSOLE_FD, ConsoleSpec};

/// The alias of the line that only feeds the log, of a guest that has no console of its own.
pub const LOG_ALIAS: &str = "log";

/// All lines of a guest.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) arguments: Vec<String>,
    pub(super) consoles: Vec<ConsoleSpec>,
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
        )?;
    }
    // What is not in the document does not exist: `null` instead would make every getty of the guest spin.
    lines.arguments.extend(["con=none".to_owned(), "ssl=none".to_owned()]);
    Ok(lines)
}

impl Lines {
    fn add(&mut self, driver: &str, line: &Console, alias: String) -> Result<()> {
        let option = format!("{driver}{}", line.port);
        if line.kind == "null" {
            self.arguments.push(format!("{option}=null"));
            return Ok(());
        }
        let file = line.source_path().filter(|_| line.kind == "file");
        let log = file.or(line.log.as_ref().map(|log| log.file.as_str()));
        let log = log
            .map(|path| absolute(&format!("log file of {alias}"), path))
            .transpose()?;
        self.serve(
            &option,
            ConsoleSpec {
                alias,
                pty: line.kind == "pty",
                log,
            },
        )
    }

    fn serve(&mut self, option: &str, console: ConsoleSpec) -> Result<()> {
        let index = i32::try_from(self.consoles.len())
            .map_err(|_| refuse(format!("'{option}' is one line more than descriptors can be numbered")))?;
        self.arguments.push(format!("{option}=fd:{}", CONSOLE_FD + index));
        self.consoles.push(console);
        Ok(())
    }
}
