//! What will be done to start a domain: pure, from its definition to the order for the host.
//!
//! Whatever UML would misread, ignore or quietly do otherwise is refused here by name, before anything is touched.

mod disk;
mod line;
mod nic;
mod word;

use crate::def::DomainDef;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::{ConsoleSpec, GuestSpec, VisibleFile};
use std::path::{Component, Path, PathBuf};

pub use disk::Cow;
pub use line::LOG_ALIAS;
pub use nic::{Nic, all as nics};

/// The guest's name towards its own kernel; its monitor socket is `@RUN@/guest/mconsole`.
pub const UMID: &str = "guest";
/// Where the guest tells that it is up, or why it died.
pub const NOTIFY: &str = "@RUN@/notify";
/// What stands for the guest's run folder in an argument.
const RUN: &str = "@RUN@";
/// A 6.1 kernel panics with 24 MiB and boots with 32.
const LEAST_MEMORY_KIB: u64 = 32 << 10;
/// The memory file is exactly as long as the guest's memory; this is for what else UML may put beside it.
const MEMORY_SLACK: u64 = 16 << 20;
/// A UML kernel's command line ends at 4096 bytes, of which it adds some itself; past that it exits without a word.
const COMMAND_LINE_BYTES: usize = 4096 - 64;

/// Everything a start needs, decided before anything is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaunchPlan {
    /// The kernel and its arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The lines that the host serves, in the order of their descriptors.
    pub consoles: Vec<ConsoleSpec>,
    /// The host's files that the guest's kernel opens.
    pub files: Vec<VisibleFile>,
    /// The interfaces, in the order of their descriptors.
    pub nics: Vec<Nic>,
    /// Copy-on-write files: what is missing must be made before the start, since the guest sees only files that exist.
    pub cows: Vec<Cow>,
    /// What the memory file may take, in bytes.
    pub memory_bytes: u64,
}

impl LaunchPlan {
    /// The order for the host; `log` is where console 0 is logged, the host's log folder when `None`.
    #[must_use]
    pub fn into_spec(self, def: &DomainDef, log: Option<PathBuf>) -> GuestSpec {
        GuestSpec {
            domain: def.uuid,
            name: def.name.clone(),
            argv: self.argv,
            env: self.env,
            consoles: self.consoles,
            files: self.files,
            memory_bytes: self.memory_bytes,
            log,
        }
    }
}

/// Plans the start of a domain.
///
/// # Errors
/// 67 (`CONFIG_UNSUPPORTED`) with the name of what cannot be done or said to UML.
pub fn launch(def: &DomainDef) -> Result<LaunchPlan> {
    let unsupported = def.unsupported();
    if !unsupported.is_empty() {
        return Err(refuse(format!(
            "domain '{}' asks for what cannot be done: {}",
            def.name,
            unsupported.join(", ")
        )));
    }
    let mut files = Files::default();
    let mut argv = head(def, &mut files)?;
    let mut cows = Vec::new();
    for disk in &def.disks {
        argv.push(disk::argument(disk, &mut files)?);
        cows.extend(disk::cow(disk));
    }
    let lines = line::all(def)?;
    argv.extend(lines.arguments);
    let nics = nic::all(def)?;
    for (index, nic) in nics.iter().enumerate() {
        argv.push(nic::argument(index, nic)?);
    }
    argv.extend(word::checked(def.os.cmdline.as_deref().unwrap_or_default())?);
    let bytes: usize = argv.iter().skip(1).map(|word| word.len() + 1).sum();
    if bytes > COMMAND_LINE_BYTES {
        return Err(refuse(format!(
            "the command line of domain '{}' has {bytes} bytes, a UML kernel takes {COMMAND_LINE_BYTES}",
            def.name
        )));
    }
    Ok(LaunchPlan {
        argv,
        env: [("HOME", "/"), ("LC_ALL", "C"), ("PATH", "/usr/bin:/bin")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        consoles: lines.consoles,
        files: files.0,
        nics,
        cows,
        memory_bytes: def.memory.current_kib * 1024 + MEMORY_SLACK,
    })
}

/// The program and what the host decides: memory, monitor, how it boots.
fn head(def: &DomainDef, files: &mut Files) -> Result<Vec<String>> {
    let Some(kernel) = def.kernel() else {
        return Err(refuse(format!("domain '{}' has no <kernel> in its <os>", def.name)));
    };
    if def.memory.current_kib < LEAST_MEMORY_KIB {
        return Err(refuse(format!(
            "domain '{}' has {} KiB of memory, UML boots with {LEAST_MEMORY_KIB} or more",
            def.name, def.memory.current_kib
        )));
    }
    files.show("kernel", kernel, false)?;
    let mut argv = vec![
        kernel.to_owned(),
        format!("mem={}K", def.memory.current_kib),
        format!("umid={UMID}"),
        format!("uml_dir={RUN}"),
        format!("mconsole=notify:{NOTIFY}"),
        // A guest that re-executes itself would take its namespaces along, but not its readiness message: reboots are
        // the driver's doing.
        "noreboot".to_owned(),
    ];
    if let Some(initrd) = def.os.initrd.as_deref() {
        files.show("initrd", initrd, false)?;
        argv.push(format!("initrd={}", word::plain("initrd", initrd)?));
    }
    if let Some(root) = def.os.root.as_deref() {
        argv.push(format!("root={}", word::plain("root", root)?));
    }
    Ok(argv)
}

/// The host's files that the guest may see, each once.
#[derive(Debug, Default)]
struct Files(Vec<VisibleFile>);

impl Files {
    fn show(&mut self, what: &str, path: &str, writable: bool) -> Result<()> {
        let path = absolute(what, path)?;
        match self.0.iter_mut().find(|file| file.path == path) {
            Some(file) => file.writable |= writable,
            None => self.0.push(VisibleFile { path, writable }),
        }
        Ok(())
    }
}

/// The path, if it says by itself where the file is.
fn absolute(what: &str, text: &str) -> Result<PathBuf> {
    let path = Path::new(text);
    let straight = path
        .components()
        .all(|component| matches!(component, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !straight {
        return Err(refuse(format!("{what} '{text}' is not an absolute path without '..'")));
    }
    if text.contains(RUN) {
        return Err(refuse(format!(
            "{what} '{text}' contains '{RUN}', which stands for the guest's run folder"
        )));
    }
    Ok(path.to_owned())
}

fn refuse(message: String) -> Error {
    Error::new(Code::CONFIG_UNSUPPORTED, Origin::UML, message)
}

#[cfg(test)]
mod tests;
