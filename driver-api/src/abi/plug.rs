//! What is put into a running guest and taken out of it, as it crosses for `spawn/2`.

use super::guest::{ConsoleRecord, FileRecord};
use super::launch::{BackendRecord, CompanionRecord, LinkRecord};
use super::value::{from_path, path, text, unsound};
use crate::error::{Error, Result};
use crate::types::guest::ConsoleSpec;
use crate::types::launch::{Backend, Plug, Plugged, Unplug};
use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RString, RVec};

/// `Plug` as it crosses: exactly one of its parts, a backend beside a console.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are the cases of `Plug`")]
pub struct PlugRecord {
    pub file: ROption<FileRecord>,
    pub console: ROption<ConsoleRecord>,
    pub backend: ROption<BackendRecord>,
    pub link: ROption<LinkRecord>,
    pub companion: ROption<CompanionRecord>,
}

/// `Unplug` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct UnplugRecord {
    /// 0 file, 1 console, 2 link, 3 companion.
    pub kind: u32,
    /// The path, alias or name.
    pub name: RVec<u8>,
}

/// `Plugged` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `Plugged`")]
pub struct PluggedRecord {
    pub index: u32,
    pub descriptor: i32,
    pub pty: RString,
}

impl From<Plug> for PlugRecord {
    fn from(plug: Plug) -> Self {
        let mut record = Self {
            file: None.into(),
            console: None.into(),
            backend: None.into(),
            link: None.into(),
            companion: None.into(),
        };
        match plug {
            Plug::File(file) => record.file = Some(FileRecord::from(&file)).into(),
            Plug::Console(console, backend) => {
                record.console = Some(ConsoleRecord::from(&console)).into();
                record.backend = Some(backend.into()).into();
            }
            Plug::Link(link) => record.link = Some(link.into()).into(),
            Plug::Companion(companion) => record.companion = Some(companion.into()).into(),
        }
        record
    }
}

impl TryFrom<PlugRecord> for Plug {
    type Error = Error;

    fn try_from(record: PlugRecord) -> Result<Self> {
        let parts = (
            record.file.into_option(),
            record.console.into_option(),
            record.link.into_option(),
            record.companion.into_option(),
        );
        Ok(match parts {
            (Some(file), None, None, None) => Self::File(file.into()),
            (None, Some(console), None, None) => {
                let backend = record.backend.into_option().map(Backend::try_from).transpose()?;
                Self::Console(ConsoleSpec::try_from(console)?, backend.unwrap_or_default())
            }
            (None, None, Some(link), None) => Self::Link(link.try_into()?),
            (None, None, None, Some(companion)) => Self::Companion(companion.try_into()?),
            _ => return Err(unsound("something to plug in that is not exactly one thing")),
        })
    }
}

impl From<&Unplug> for UnplugRecord {
    fn from(unplug: &Unplug) -> Self {
        let (kind, name) = match unplug {
            Unplug::File(path) => (0, from_path(path)),
            Unplug::Console(name) => (1, name.as_bytes().into()),
            Unplug::Link(name) => (2, name.as_bytes().into()),
            Unplug::Companion(name) => (3, name.as_bytes().into()),
        };
        Self { kind, name }
    }
}

impl TryFrom<UnplugRecord> for Unplug {
    type Error = Error;

    fn try_from(record: UnplugRecord) -> Result<Self> {
        if record.kind == 0 {
            return Ok(Self::File(path(record.name)));
        }
        let name = String::from_utf8(record.name.into_vec());
        let name = name.map_err(|error| unsound("a name that is not UTF-8").because(error))?;
        Ok(match record.kind {
            1 => Self::Console(name),
            2 => Self::Link(name),
            3 => Self::Companion(name),
            other => return Err(unsound(&format!("something of kind {other} to unplug"))),
        })
    }
}

impl From<Plugged> for PluggedRecord {
    fn from(plugged: Plugged) -> Self {
        Self {
            index: plugged.index,
            descriptor: plugged.descriptor,
            pty: plugged.pty.into(),
        }
    }
}

impl TryFrom<PluggedRecord> for Plugged {
    type Error = Error;

    fn try_from(record: PluggedRecord) -> Result<Self> {
        Ok(Self {
            index: record.index,
            descriptor: record.descriptor,
            pty: text(record.pty)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::launch::tests::{backends, companion, links};
    use crate::types::guest::VisibleFile;

    #[test]
    fn whatever_is_plugged_crosses_whole() {
        let file = VisibleFile {
            path: "/f".into(),
            writable: true,
        };
        let mut plugs = vec![Plug::File(file), Plug::Companion(companion())];
        plugs.extend(links().into_iter().map(Plug::Link));
        plugs.extend(
            backends()
                .into_iter()
                .map(|backend| Plug::Console(ConsoleSpec::default(), backend)),
        );
        for plug in plugs {
            assert_eq!(Plug::try_from(PlugRecord::from(plug.clone())).unwrap(), plug);
        }
        let name = || "x".to_owned();
        for unplug in [
            Unplug::File("/f".into()),
            Unplug::Console(name()),
            Unplug::Link(name()),
            Unplug::Companion(name()),
        ] {
            assert_eq!(Unplug::try_from(UnplugRecord::from(&unplug)).unwrap(), unplug);
        }
    }

    #[test]
    fn what_is_two_things_or_none_is_refused() {
        let mut record = PlugRecord::from(Plug::Companion(companion()));
        record.link = Some(LinkRecord::from(links().remove(0))).into();
        assert!(Plug::try_from(record.clone()).is_err());
        (record.link, record.companion) = (None.into(), None.into());
        assert!(Plug::try_from(record).is_err());
    }
}
