//! Preparing: from a definition to an order for the host that is known to be good, before anything is locked or started.

use super::cow;
use crate::core::fault;
use crate::def::DomainDef;
use crate::net::Network;
use crate::plan::{Cow, Nic, UMID, launch};
use crate::probe::Prober;
use driver_api::error::{Code, Result};
use driver_api::types::guest::{ConsoleSpec, GuestSpec, VisibleFile};
use driver_api::types::param::Param;
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

/// A start that can be ordered.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// The order.
    pub(crate) spec: GuestSpec,
    /// What it may use of the machine.
    pub(crate) limits: Vec<Param>,
    /// Where the kernel will listen, relative to the run folder.
    pub(crate) socket: PathBuf,
    /// Its interfaces, in the order of their descriptors.
    pub(crate) nics: Vec<Nic>,
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
pub(crate) fn prepare(def: &DomainDef, prober: &Prober, network: &dyn Network) -> Result<Prepared> {
    let plan = launch(def)?;
    if let Some(kernel) = def.kernel() {
        let options = prober.probe(Path::new(kernel))?;
        // Its older drivers (`ethN`) open a device by name, for which a guest has neither the right nor the network.
        if !plan.nics.is_empty() && !options.has("UML_NET_VECTOR") {
            let message = format!(
                "the UML kernel '{kernel}' can not have the interfaces of domain '{}': it was built without UML_NET_VECTOR, \
                 the only driver that takes a descriptor",
                def.name
            );
            return Err(fault(Code::CONFIG_UNSUPPORTED, message));
        }
    }
    plan.nics.iter().try_for_each(|nic| network.check(nic))?;
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
        nics: plan.nics.clone(),
        limits: def.tune.params(),
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
