//! What a definition must not contradict: one function, one rule, one error.

use super::DomainDef;
use super::console::{CONSOLE_COUNT, Console, SERIAL_COUNT};
use super::disk::{Device, Disk, fits_ubd};
use driver_api::error::{Code, Error, Origin, Result};

/// The longest name in bytes: UML's own identifier ends there, and so do log and socket names made from it.
pub const NAME_BYTES: usize = 63;

/// Checks every rule, in the order of the document.
pub(super) fn all(def: &DomainDef) -> Result<()> {
    name_is_there(def)?;
    name_is_short(def)?;
    name_is_one_file(def)?;
    name_has_no_control_characters(def)?;
    title_is_one_line(def)?;
    memory_is_there(def)?;
    disks_have_sources(def)?;
    targets_are_unique(def)?;
    ubd_can_carry_the_texts(def)?;
    backing_differs(def)?;
    backing_is_not_written(def)?;
    consoles_fit(def)?;
    serials_fit(def)?;
    serial_ports_are_unique(def)?;
    aliases_are_unique(def)
}

fn name_is_there(def: &DomainDef) -> Result<()> {
    check(!def.name.trim().is_empty(), || {
        "the domain's <name> is empty".to_owned()
    })
}

fn name_is_short(def: &DomainDef) -> Result<()> {
    let bytes = def.name.len();
    check(bytes <= NAME_BYTES, || {
        format!("the domain's name has {bytes} bytes, at most {NAME_BYTES} are possible")
    })
}

fn name_is_one_file(def: &DomainDef) -> Result<()> {
    let name = &def.name;
    check(!name.contains('/') && name != "." && name != "..", || {
        format!("name '{name}' cannot contain '/' or be '.' or '..', since it names files")
    })
}

fn name_has_no_control_characters(def: &DomainDef) -> Result<()> {
    check(!def.name.contains(char::is_control), || {
        format!("name '{}' cannot contain control characters", def.name.escape_debug())
    })
}

fn title_is_one_line(def: &DomainDef) -> Result<()> {
    let title = def.title.as_deref().unwrap_or_default();
    check(!title.contains('\n'), || {
        format!(
            "the title of domain '{}' has more than one line, <description> may",
            def.name
        )
    })
}

fn memory_is_there(def: &DomainDef) -> Result<()> {
    check(def.memory.max_kib > 0, || {
        format!("domain '{}' has no memory", def.name)
    })
}

fn disks_have_sources(def: &DomainDef) -> Result<()> {
    let empty = |disk: &&Disk| disk.source.is_none() && !matches!(disk.device, Device::Cdrom | Device::Floppy);
    match def.disks.iter().find(empty) {
        Some(disk) => Err(Error::new(
            Code::NO_SOURCE,
            Origin::DOMAIN,
            format!("disk '{}' has no source", disk.target),
        )),
        None => Ok(()),
    }
}

fn targets_are_unique(def: &DomainDef) -> Result<()> {
    // Disks are in the order of their targets.
    let twice = def.disks.windows(2).find_map(|pair| match pair {
        [a, b] if a.target == b.target => Some((a, b)),
        _ => None,
    });
    let source = |disk: &Disk| disk.source.clone().unwrap_or_default();
    check(twice.is_none(), || {
        twice.map_or_else(String::new, |(a, b)| {
            format!(
                "target '{}' is given to two disks, '{}' and '{}'",
                a.target,
                source(a),
                source(b)
            )
        })
    })
}

fn ubd_can_carry_the_texts(def: &DomainDef) -> Result<()> {
    for disk in def.disks.iter().filter(|disk| disk.bus == "uml") {
        let backing = disk.backing.as_ref().map(|backing| &backing.source);
        for text in [disk.source.as_ref(), backing, disk.serial.as_ref()]
            .into_iter()
            .flatten()
        {
            if !fits_ubd(text) {
                let message = format!(
                    "disk '{}': UML cannot be told '{}', rename it without ',', ':', '\"' and control characters",
                    disk.target,
                    text.escape_debug()
                );
                return Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, message));
            }
        }
    }
    Ok(())
}

fn backing_differs(def: &DomainDef) -> Result<()> {
    let own = |disk: &&Disk| {
        disk.backing.as_ref().map(|backing| &backing.source) == disk.source.as_ref() && disk.source.is_some()
    };
    check_none(def.disks.iter().find(own), |disk| {
        format!("disk '{}' is its own <backingStore>", disk.target)
    })
}

fn backing_is_not_written(def: &DomainDef) -> Result<()> {
    let written = |path: &str| {
        def.disks
            .iter()
            .any(|disk| !disk.readonly && disk.source.as_deref() == Some(path))
    };
    let spoiled = |disk: &&Disk| disk.backing.as_ref().is_some_and(|backing| written(&backing.source));
    check_none(def.disks.iter().find(spoiled), |disk| {
        format!(
            "the <backingStore> of disk '{}' is another disk of this domain, which would spoil it by writing",
            disk.target
        )
    })
}

fn consoles_fit(def: &DomainDef) -> Result<()> {
    let count = def.consoles.len();
    check(count <= CONSOLE_COUNT as usize, || {
        format!("domain '{}' has {count} consoles, UML has {CONSOLE_COUNT}", def.name)
    })
}

fn serials_fit(def: &DomainDef) -> Result<()> {
    check_none(
        def.serials.iter().find(|serial| serial.port >= SERIAL_COUNT),
        |serial| {
            format!(
                "serial port {} is beyond {}, the last of UML",
                serial.port,
                SERIAL_COUNT - 1
            )
        },
    )
}

fn serial_ports_are_unique(def: &DomainDef) -> Result<()> {
    let mut ports: Vec<u32> = def.serials.iter().map(|serial| serial.port).collect();
    ports.sort_unstable();
    check_none(ports.windows(2).find(|pair| pair[0] == pair[1]), |pair| {
        format!("serial port {} is given twice", pair[0])
    })
}

fn aliases_are_unique(def: &DomainDef) -> Result<()> {
    let lines = def
        .consoles
        .iter()
        .chain(&def.serials)
        .map(|line: &Console| &line.alias);
    let disks = def.disks.iter().map(|disk| &disk.alias);
    let interfaces = def.interfaces.iter().map(|interface| &interface.alias);
    let folders = def.folders.iter().map(|folder| &folder.alias);
    let devices = disks.chain(folders).chain(interfaces);
    let mut aliases: Vec<&String> = lines.chain(devices).flatten().collect();
    aliases.sort_unstable();
    check_none(aliases.windows(2).find(|pair| pair[0] == pair[1]), |pair| {
        format!("alias '{}' is given twice", pair[0])
    })
}

fn check(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::new(Code::XML_ERROR, Origin::DOMAIN, message()))
    }
}

fn check_none<T>(offender: Option<T>, message: impl FnOnce(T) -> String) -> Result<()> {
    match offender {
        Some(offender) => check(false, || message(offender)),
        None => Ok(()),
    }
}
