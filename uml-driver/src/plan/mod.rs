//! What will be done to start a domain: pure, from its definition to the order for the host.
//!
//! Whatever UML would misread, ignore or quietly do otherwise is refused here by name, before anything is touched.

mod disk;
mod folder;
mod image;
mod line;
mod link;
mod nic;
pub mod order;
mod plug;
mod storage;
mod word;

use crate::def::DomainDef;
use crate::def::disk::Place;
use crate::def::label::Owner;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::{ConsoleSpec, GuestSpec, VisibleFile};
use driver_api::types::launch::{Backend, Companion, Launch};
use driver_api::types::param::Param;
use std::path::{Component, Path, PathBuf};

pub use disk::{Cow, assignment, cow};
pub use image::{DEPTH, Image, Layer};
pub use line::{LOG_ALIAS, Line, line};
pub use link::USER_STACK;
pub use nic::{Nic, Way, all as nics};
pub use plug::DiskPlug;
pub use storage::STORAGE;

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

/// The longest name of a device of the host, for the length of a line whose names are not known yet.
const SOME_DEVICE: &str = "x23456789012345";

/// Everything a start needs, decided before anything is done.
#[derive(Clone, PartialEq, Debug)]
pub struct LaunchPlan {
    /// The domain.
    pub domain: driver_api::types::uuid::Uuid,
    /// Its name.
    pub name: String,
    /// The kernel and its arguments, without those for interfaces and the user's own.
    pub argv: Vec<String>,
    /// The user's own words, which come last.
    pub words: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The lines that the host serves, in the order of their descriptors.
    pub consoles: Vec<ConsoleSpec>,
    /// What each of them leads to.
    pub backends: Vec<Backend>,
    /// Logs that begin anew at a start.
    pub cut: Vec<PathBuf>,
    /// The host's files that the guest's kernel opens.
    pub files: Vec<VisibleFile>,
    /// Those of them that are folders.
    pub folders: Vec<PathBuf>,
    /// The interfaces, in the order of the document.
    pub nics: Vec<Nic>,
    /// The disks that are no empty drives, in their order.
    pub images: Vec<Image>,
    /// Copy-on-write files: what is missing must be made before the start, since the guest sees only files that exist.
    pub cows: Vec<Cow>,
    /// Options that the kernel must have been built with, each with what needs it.
    pub options: Vec<(&'static str, String)>,
    /// What the memory file may take, in bytes.
    pub memory_bytes: u64,
    /// What the guest may use of the machine.
    pub limits: Vec<Param>,
    /// Whom it runs as, when the user says so.
    pub owner: Option<Owner>,
}

/// What is found out between the plan and the order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// The host's device of each interface, empty for those that have none.
    pub devices: Vec<String>,
    /// The programs beside the guest, with their paths.
    pub companions: Vec<Companion>,
    /// The user and group that the guest runs as, when it is not left to the host.
    pub user: Option<(u32, u32)>,
    /// How many consoles can be plugged in later.
    pub spare_consoles: u32,
}

impl LaunchPlan {
    /// The order for the host. One that knows `spawn/2` serves links; another gets the taps as descriptors that the guest is
    /// born with.
    ///
    /// # Errors
    /// 67 for more interfaces than an older host can hand over.
    pub fn order(&self, found: &Found, links: bool) -> Result<Launch> {
        let device = |place: usize| found.devices.get(place).map_or("", String::as_str);
        let mut launch = Launch {
            backends: self.backends.clone(),
            spare_consoles: if links { found.spare_consoles } else { 0 },
            companions: found.companions.clone(),
            limits: self.limits.clone(),
            user: found.user,
            ..Launch::default()
        };
        let mut argv = self.argv.clone();
        let mut born = 0;
        for (place, nic) in self.nics.iter().enumerate() {
            if links || !nic.has_device() {
                argv.push(nic.argument(device(place)));
                launch.links.push(nic.link(device(place)));
            } else {
                argv.push(nic.born_argument(born)?);
                born += 1;
            }
        }
        argv.extend_from_slice(&self.words);
        // Only what is said asks something of an older host.
        if launch.backends.iter().all(|backend| *backend == Backend::None) {
            launch.backends.clear();
        }
        launch.spec = GuestSpec {
            domain: self.domain,
            name: self.name.clone(),
            argv,
            env: self.env.clone(),
            consoles: self.consoles.clone(),
            files: self.files.clone(),
            memory_bytes: self.memory_bytes,
            // Console 0 is logged in the host's log folder.
            log: None,
        };
        Ok(launch)
    }

    /// The programs beside the guest that serve its interfaces.
    pub fn stacks(&self) -> impl Iterator<Item = Companion> {
        self.nics.iter().filter_map(Nic::companion)
    }

    fn command_line_fits(&self) -> Result<()> {
        let found = Found {
            devices: vec![SOME_DEVICE.to_owned(); self.nics.len()],
            ..Found::default()
        };
        let argv = self.order(&found, true)?.spec.argv;
        let bytes: usize = argv.iter().skip(1).map(|word| word.len() + 1).sum();
        if bytes > COMMAND_LINE_BYTES {
            return Err(refuse(format!(
                "the command line of domain '{}' has {bytes} bytes, a UML kernel takes {COMMAND_LINE_BYTES}",
                self.name
            )));
        }
        Ok(())
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
    argv.extend(folder::all(def, &mut files)?);
    let mut images = Vec::new();
    for disk in &def.disks {
        argv.extend(disk::argument(disk, &mut files)?);
        images.extend(Image::of(disk)?);
    }
    let virtio = |image: &&Image| image.place == Place::Virtio;
    argv.extend(images.iter().filter(virtio).map(Image::virtio_word));
    let lines = line::all(def)?;
    argv.extend(lines.arguments);
    let nics = nic::all(def)?;
    let plan = LaunchPlan {
        domain: def.uuid,
        name: def.name.clone(),
        argv,
        words: word::checked(def.os.cmdline.as_deref().unwrap_or_default())?,
        env: [("HOME", "/"), ("LC_ALL", "C"), ("PATH", "/usr/bin:/bin")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        consoles: lines.consoles,
        backends: lines.backends,
        cut: lines.cut,
        options: options(def, &nics, &images),
        files: files.0,
        folders: def.folders.iter().map(|folder| folder.source.clone().into()).collect(),
        nics,
        cows: def.disks.iter().filter_map(disk::cow).collect(),
        images,
        memory_bytes: def.memory.current_kib * 1024 + MEMORY_SLACK,
        limits: def.tune.params(),
        owner: def.owner(),
    };
    plan.command_line_fits()?;
    Ok(plan)
}

/// What the kernel must have been built with, and for what.
fn options(def: &DomainDef, nics: &[Nic], images: &[Image]) -> Vec<(&'static str, String)> {
    let nic = nics.first().map(|nic| {
        // Its older drivers (`ethN`) open a device by name, for which a guest has neither the right nor the network.
        ("UML_NET_VECTOR", format!("interface '{}'", nic.mac))
    });
    let image = images.iter().find(|image| image.place == Place::Virtio);
    let image = image.map(|image| ("VIRTIO_UML", format!("disk '{}'", image.target)));
    let folder = def.folders.first();
    let folder = folder.map(|folder| ("HOSTFS", format!("filesystem '{}'", folder.target)));
    [nic, image, folder].into_iter().flatten().collect()
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
