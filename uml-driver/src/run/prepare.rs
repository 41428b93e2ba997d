//! Preparing: from a definition to an order for the host that is known to be good, before anything is locked or started.

use super::cow;
use crate::core::fault;
use crate::def::DomainDef;
use crate::plan::{Cow, UMID, launch};
use crate::probe::Prober;
use driver_api::error::{Code, Result};
use driver_api::types::guest::{ConsoleSpec, GuestSpec, VisibleFile};
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

/// A start that can be ordered.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// The order.
    pub(crate) spec: GuestSpec,
    /// Where the kernel will listen, relative to the run folder.
    pub(crate) socket: PathBuf,
    /// Copy-on-write files that are not there yet.
    cows: Vec<Cow>,
}

impl Prepared {
    /// The lines that the host serves.
    pub(crate) fn consoles(&self) -> Vec<ConsoleSpec> {
        self.spec.consoles.clone()
    }

    /// Makes what the guest is to find: its copy-on-write files.
    pub(crate) fn make_files(&self) -> Result<()> {
        self.cows.iter().try_for_each(|cow| cow::make(&cow.file, &cow.backing))
    }
}

/// Plans a start and checks everything that it names.
pub(crate) fn prepare(def: &DomainDef, prober: &Prober) -> Result<Prepared> {
    let plan = launch(def)?;
    if let Some(kernel) = def.kernel() {
        prober.probe(Path::new(kernel))?;
    }
    let mut cows = plan.cows.clone();
    cows.retain(|cow| std::fs::symlink_metadata(&cow.file).is_err());
    for file in plan
        .files
        .iter()
        .filter(|file| !cows.iter().any(|cow| cow.file == file.path))
    {
        check(file)?;
    }
    Ok(Prepared {
        spec: plan.into_spec(def, None),
        socket: Path::new(UMID).join("mconsole"),
        cows,
    })
}

fn check(file: &VisibleFile) -> Result<()> {
    let wanted = if file.writable {
        Access::READ_OK | Access::WRITE_OK
    } else {
        Access::READ_OK
    };
    let shown = file.path.display();
    match std::fs::metadata(&file.path) {
        Ok(meta) if meta.is_dir() => Err(fault(
            Code::SYSTEM_ERROR,
            format!("'{shown}' is a folder, a file is needed"),
        )),
        Ok(_) => access(&file.path, wanted).map_err(|errno| {
            let what = if file.writable { "read and written" } else { "read" };
            fault(Code::SYSTEM_ERROR, format!("'{shown}' can not be {what}")).because(errno)
        }),
        Err(cause) => Err(fault(Code::SYSTEM_ERROR, format!("'{shown}' can not be found")).because(cause)),
    }
}
