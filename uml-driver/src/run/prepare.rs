//! Preparing: from a definition to an order for the host that is known to be good, before anything is locked or started.

use super::{chain, cow, images, overlay, owner, programs};
use crate::core::{Core, fault};
use crate::def::DomainDef;
use crate::def::disk::Place;
use crate::plan::{Cow, Found, Image, LaunchPlan, Layer, Nic, UMID, launch};
use crate::state::table::Entry;
use driver_api::error::{Code, Result};
use driver_api::types::guest::{ConsoleSpec, VisibleFile};
use driver_api::types::launch::{Companion, Launch};
use rustix::fs::{Access, access};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// A start that can be ordered.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    plan: LaunchPlan,
    /// Whether the host serves links.
    links: bool,
    /// The programs beside the guest.
    companions: Vec<Companion>,
    user: Option<(u32, u32)>,
    spare_consoles: u32,
    /// Where the kernel will listen, relative to the run folder.
    pub(crate) socket: PathBuf,
    /// The disks, each with its whole chain.
    pub(crate) images: Vec<(Image, Vec<Layer>)>,
    /// Copy-on-write files that are not there yet.
    cows: Vec<Cow>,
}

impl Prepared {
    /// The lines that the host serves.
    pub(crate) fn consoles(&self) -> Vec<ConsoleSpec> {
        self.plan.consoles.clone()
    }

    /// Its interfaces, in the order of the document.
    pub(crate) fn nics(&self) -> &[Nic] {
        &self.plan.nics
    }

    /// The order; `devices` are the host's of its interfaces, empty for those that have none.
    pub(crate) fn order(&self, devices: Vec<String>) -> Result<Launch> {
        let found = Found {
            devices,
            companions: self.companions.clone(),
            user: self.user,
            spare_consoles: self.spare_consoles,
        };
        self.plan.order(&found, self.links)
    }

    /// Makes what the guest is to find: its copy-on-write files.
    pub(crate) fn make_files(&self) -> Result<()> {
        self.cows.iter().try_for_each(|cow| cow::make(&cow.file, &cow.backing))
    }

    /// Empties the logs that are to begin anew, of which one that is no plain file stays as it is.
    pub(crate) fn cut_logs(&self) -> Result<()> {
        self.plan.cut.iter().try_for_each(|log| cut(log))
    }
}

/// Empties a log; one that is no plain file stays as it is.
pub(super) fn cut(log: &Path) -> Result<()> {
    if !std::fs::symlink_metadata(log).is_ok_and(|meta| meta.is_file()) {
        return Ok(());
    }
    let cut = OpenOptions::new().write(true).open(log).and_then(|log| log.set_len(0));
    cut.map_err(|cause| {
        let message = format!("the log '{}' can not be begun anew", log.display());
        fault(Code::SYSTEM_ERROR, message).because(cause)
    })
}

impl Core {
    /// Plans a start and checks everything that it names.
    pub(crate) fn prepare(&self, own: &Entry, def: &DomainDef) -> Result<Prepared> {
        let mut plan = launch(def)?;
        self.kernel_can(def, &plan)?;
        let links = self.host.can_launch();
        for nic in &mut plan.nics {
            nic.offload = links;
            self.network.check(nic)?;
        }
        let cows: Vec<Cow> = plan.cows.iter().filter(|cow| is_missing(&cow.file)).cloned().collect();
        let to_be_made = |path: &Path| cows.iter().any(|cow| cow.file == path);
        for file in plan.files.iter().filter(|file| !to_be_made(&file.path)) {
            check(file, plan.folders.contains(&file.path))?;
        }
        let images = plan.images.iter().map(with_chain).collect::<Result<Vec<_>>>()?;
        // Before locks are looked at, which only tell the number of a process.
        self.images_are_free(own, &images, None)?;
        let (missing, there): (Vec<&Cow>, Vec<&Cow>) = plan.cows.iter().partition(|cow| to_be_made(&cow.file));
        there.into_iter().try_for_each(overlay::check)?;
        for (image, below) in &images {
            check_image(image, below, missing.iter().any(|cow| cow.file == image.top.path))?;
        }
        Ok(Prepared {
            companions: companions(&plan, &images)?,
            user: plan.owner.as_ref().map(owner::resolve).transpose()?,
            spare_consoles: self.options.spare_consoles,
            links,
            plan,
            socket: Path::new(UMID).join("mconsole"),
            images,
            cows,
        })
    }

    /// Checks that the kernel was built with all that the plan needs.
    pub(super) fn kernel_can(&self, def: &DomainDef, plan: &LaunchPlan) -> Result<()> {
        let Some(path) = def.kernel() else { return Ok(()) };
        let kernel = self.prober.probe(Path::new(path))?;
        match plan.options.iter().find(|(option, _)| !kernel.has(option)) {
            Some((option, what)) => {
                let message = format!(
                    "the UML kernel '{path}' can not have {what} of domain '{}': it was built without {option}",
                    def.name
                );
                Err(fault(Code::CONFIG_UNSUPPORTED, message))
            }
            None => Ok(()),
        }
    }
}

/// A disk with its whole chain.
pub(super) fn with_chain(image: &Image) -> Result<(Image, Vec<Layer>)> {
    let below = match image.place {
        Place::Virtio => chain::complete(image)?,
        Place::Ubd(_) => image.below.clone(),
    };
    Ok((image.clone(), below))
}

/// Looks at a disk with its chain, once nobody else is known to use it.
pub(super) fn check_image(image: &Image, below: &[Layer], made_later: bool) -> Result<()> {
    images::check(image, below, made_later)?;
    if image.place != Place::Virtio {
        return Ok(());
    }
    let below = below.iter().map(|layer| (layer, false));
    for (layer, writable) in std::iter::once((&image.top, !image.readonly)).chain(below) {
        let path = layer.path.clone();
        check(&VisibleFile { path, writable }, false)?;
    }
    Ok(())
}

/// The programs beside the guest, found on the host.
fn companions(plan: &LaunchPlan, images: &[(Image, Vec<Layer>)]) -> Result<Vec<Companion>> {
    let mut all = Vec::new();
    for (image, below) in images.iter().filter(|(image, _)| image.place == Place::Virtio) {
        all.push(programs::found(
            image.companion(below),
            &format!("disk '{}' on bus 'virtio'", image.target),
        )?);
    }
    for nic in &plan.nics {
        if let Some(stack) = nic.companion() {
            all.push(programs::found(
                stack,
                &format!("interface '{}' of type 'user'", nic.mac),
            )?);
        }
    }
    Ok(all)
}

pub(super) fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err()
}

/// Checks that a file, or a folder, is there and may be used.
pub(super) fn check(file: &VisibleFile, folder: bool) -> Result<()> {
    let wanted = if file.writable {
        Access::READ_OK | Access::WRITE_OK
    } else {
        Access::READ_OK
    };
    let shown = file.path.display();
    match std::fs::metadata(&file.path) {
        Ok(meta) if meta.is_dir() != folder => {
            let message = if folder {
                format!("'{shown}' is no folder, one is needed")
            } else {
                format!("'{shown}' is a folder, a file is needed")
            };
            Err(fault(Code::SYSTEM_ERROR, message))
        }
        Ok(_) => access(&file.path, wanted).map_err(|errno| {
            let what = if file.writable { "read and written" } else { "read" };
            fault(Code::SYSTEM_ERROR, format!("'{shown}' can not be {what}")).because(errno)
        }),
        Err(cause) => Err(fault(Code::SYSTEM_ERROR, format!("'{shown}' can not be found")).because(cause)),
    }
}
