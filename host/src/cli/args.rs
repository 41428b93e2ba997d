//! Arguments that many verbs share: which guest, which file, how long to wait.

use super::exit::{Context, Failure};
use crate::config::kind::parse_duration;
use clap::Args;
use driver_api::types::domain::flags;
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

/// Declares arguments that, as virsh has it, stand in their place or behind an option of their name: its name, what its
/// value is called, and its help.
macro_rules! placed {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $long:literal, $value:literal, $help:literal $(, $parser:expr)?;)+) => { $(
        $(#[$doc])*
        #[derive(Args, Clone, Debug)]
        #[group(skip)]
        pub struct $name {
            #[doc = $help]
            #[arg(
                id = $long, value_name = $value, required_unless_present = concat!($long, "-option")
                $(, value_parser = $parser)?
            )]
            plain: Option<$type>,
            #[arg(
                id = concat!($long, "-option"), long = $long, value_name = $value, hide = true, conflicts_with = $long
                $(, value_parser = $parser)?
            )]
            option: Option<$type>,
        }

        impl $name {
            /// What was given.
            #[must_use]
            pub fn get(&self) -> $type {
                // clap has seen to it that one of them is there.
                self.plain.clone().or_else(|| self.option.clone()).unwrap_or_default()
            }
        }
    )+ };
}

placed! {
    /// The alias of a device.
    Alias: String = "alias", "ALIAS", "The alias of the device";
    /// The file behind a disk.
    DiskSource: String = "source", "SOURCE", "The file or block device behind the disk";
    /// What a disk is to be called.
    DiskTarget: String = "target", "TARGET", "What the disk is called in the guest";
    /// A disk that is there, where virsh calls it a target.
    DiskThere: String = "target", "DISK", "The disk: its target or its source";
    /// The same where virsh calls it a device.
    DiskDevice: String = "device", "DISK", "The disk: its target or its source";
    /// An interface that is there.
    Interface: String = "interface", "INTERFACE", "The interface: the name of the host's device, or its MAC address";
    /// What kind of interface.
    InterfaceType: String = "type", "TYPE", "Its type: `bridge`, `network`, `direct`, `ethernet`, `user`";
    /// What becomes of a link.
    Link: LinkState = "state", "STATE", "What becomes of its link";
    /// How much memory.
    Memory: u64 = "size", "SIZE", "How much: in KiB, or with a unit such as `MiB`", kib;
    /// How many processors.
    VcpuCount: u32 = "count", "COUNT", "How many";
    /// A namespace.
    Namespace: String = "uri", "URI", "The namespace of the element";
    /// A name for a guest.
    NewName: String = "new-name", "NAME", "The new name";
}

/// Whether a cable is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum LinkState {
    /// It is.
    #[default]
    Up,
    /// It is not.
    Down,
}

/// Where a change is made, or what is looked at.
#[derive(Args, Clone, Copy, Debug)]
pub struct Affect {
    /// The guest that runs
    #[arg(long)]
    live: bool,
    /// The definition, which the next start takes
    #[arg(long)]
    config: bool,
    /// The guest if it runs, else its definition; the default
    #[arg(long, conflicts_with_all = ["live", "config"])]
    current: bool,
}

impl Affect {
    /// The flag bits (`virDomainModificationImpact`).
    #[must_use]
    pub fn flags(self) -> u32 {
        let live = if self.live { flags::AFFECT_LIVE } else { 0 };
        let config = if self.config { flags::AFFECT_CONFIG } else { 0 };
        live | config
    }

    /// The flag bits of what a change is shown by: of what runs, where it is made to both.
    #[must_use]
    pub fn shown(self) -> u32 {
        if self.live { flags::AFFECT_LIVE } else { self.flags() }
    }

    /// The flag bits of the document that such a change starts from (`virDomainXMLFlags`).
    #[must_use]
    pub fn document(self) -> u32 {
        if self.config && !self.live {
            flags::XML_INACTIVE
        } else {
            0
        }
    }
}

/// Where a change of devices is made.
#[derive(Args, Clone, Copy, Debug)]
pub struct Place {
    /// As for any change.
    #[command(flatten)]
    pub affect: Affect,
    /// The definition, and the guest too if it runs
    #[arg(long, conflicts_with = "current")]
    persistent: bool,
}

impl Place {
    /// The flag bits (`virDomainDeviceModifyFlags`) for a guest that is active or not.
    #[must_use]
    pub fn flags(self, active: bool) -> u32 {
        let persistent = match (self.persistent, active) {
            (false, _) => 0,
            (true, false) => flags::AFFECT_CONFIG,
            (true, true) => flags::AFFECT_CONFIG | flags::AFFECT_LIVE,
        };
        self.affect.flags() | persistent
    }
}

/// A size on the command line in bytes: a number, with a unit such as `KiB`, `M` or `GB` if it has one.
///
/// # Errors
/// What such a size looks like.
pub fn bytes(text: &str) -> Result<u64, String> {
    scaled(text, 1).ok_or_else(|| "write a size as '1048576', '1MiB', '1M' or '1MB'".to_owned())
}

/// The same in KiB, which is also its unit where none is given; parts of a KiB count whole.
///
/// # Errors
/// What such a size looks like.
pub fn kib(text: &str) -> Result<u64, String> {
    let bytes = scaled(text, 1024);
    bytes
        .map(|bytes| bytes.div_ceil(1024))
        .ok_or_else(|| "write a size as '65536' (KiB), '64MiB', '64M' or '64MB'".to_owned())
}

fn scaled(text: &str, unit: u64) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let suffix = suffix.trim_start().to_ascii_lowercase();
    let power = |letter: char| "kmgtpe".find(letter).and_then(|place| u32::try_from(place + 1).ok());
    let unit = match suffix.as_str() {
        "" => unit,
        "b" | "byte" | "bytes" => 1,
        other => {
            let letter = other.chars().next()?;
            let base: u64 = match &other[letter.len_utf8()..] {
                "" | "ib" => 1024,
                "b" => 1000,
                _ => return None,
            };
            base.checked_pow(power(letter)?)?
        }
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_units_that_virsh_knows() {
        for (text, size) in [
            ("7", 7),
            ("7b", 7),
            ("2k", 2048),
            ("2 KiB", 2048),
            ("2KB", 2000),
            ("1m", 1 << 20),
            ("3GiB", 3 << 30),
            ("1e", 1 << 60),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        assert_eq!((kib("64"), kib("64M"), kib("1b")), (Ok(64), Ok(65_536), Ok(1)));
        for text in ["", "k", "-1", "1x", "1kk", "16E", "1ä", "99999999999999999999"] {
            assert!(bytes(text).is_err() && kib(text).is_err(), "{text}");
        }
    }
}
