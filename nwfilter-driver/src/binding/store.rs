//! The files of bindings: what is bound, who made it, and which addresses were learned, so that a restarted host finds
//! every port as it was.

use super::def::{BindingDef, Maker};
use super::parse;
use crate::def::parse::Mode;
use crate::folder::{Folder, Staged, belongs, read};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{self, Element, Limits};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What is kept of a binding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What was asked for.
    pub def: BindingDef,
    /// By whom.
    pub maker: Maker,
    /// The addresses that the guest was found to use.
    pub learned: Vec<IpAddr>,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let learned = self.learned.iter();
        let element = Element::new("filterbindingstatus")
            .with_attr("maker", maker_name(self.maker))
            .with_children(learned.map(|address| Element::new("learned").with_attr("address", address)))
            .with_child(self.def.element());
        fmt::Display::fmt(&element, f)
    }
}

const fn maker_name(maker: Maker) -> &'static str {
    match maker {
        Maker::Client => "client",
        Maker::Guest => "guest",
    }
}

/// A file that can not be used; its port must not be left open for that.
#[derive(Debug)]
pub struct Damaged {
    /// The port, as the file's name tells it.
    pub port: String,
    /// What is wrong.
    pub error: Error,
}

/// What the last host left.
#[derive(Debug)]
pub struct Loaded {
    /// Every binding.
    pub records: Vec<Record>,
    /// Files that can not be used.
    pub damaged: Vec<Damaged>,
    /// A change was cut off: the kernel may have rules that no file tells of.
    pub interrupted: bool,
}

/// The folder of bindings.
#[derive(Debug)]
pub struct Bindings {
    folder: Folder,
}

impl Bindings {
    /// A store in the driver's run folder.
    #[must_use]
    pub fn new(run_dir: &Path) -> Self {
        Self {
            folder: Folder::volatile(run_dir.join("bindings")),
        }
    }

    /// The file of a port.
    #[must_use]
    pub fn file(&self, port: &str) -> PathBuf {
        self.folder.file(port)
    }

    /// Writes a binding beside its file; nothing is changed until [`Staged::commit`].
    ///
    /// # Errors
    /// 38 when it can not be written; nothing is left of it.
    pub fn stage(&self, record: &Record) -> Result<Staged> {
        self.folder.make()?;
        self.folder.stage(&record.def.port, &record.to_string())
    }

    /// Removes a port's file; that there is none is no error.
    ///
    /// # Errors
    /// 38 when it can not be removed; it is then still there.
    pub fn remove(&self, port: &str) -> Result<()> {
        self.folder.remove(port)
    }

    /// Reads every binding. A file that can not be used stays where it is: it is all that tells that its port is not
    /// to be open.
    ///
    /// # Errors
    /// 38 when the folder itself can not be made or read.
    pub fn load(&self) -> Result<Loaded> {
        self.folder.make()?;
        let interrupted = self.folder.remove_drafts()?;
        let (mut records, mut damaged) = (Vec::new(), Vec::new());
        for file in self.folder.files()? {
            match read_one(&file) {
                Ok(record) => records.push(record),
                Err(error) => match file.file_stem().and_then(|stem| stem.to_str()) {
                    Some(port) if super::validate::device("the port", port).is_ok() => damaged.push(Damaged {
                        port: port.to_owned(),
                        error,
                    }),
                    _ => self.folder.set_aside(&file, &error),
                },
            }
        }
        Ok(Loaded {
            records,
            damaged,
            interrupted,
        })
    }
}

fn read_one(file: &Path) -> Result<Record> {
    let mut root = xml::parse(&read(file)?, Origin::NWFILTER, &Limits::default())?;
    let wrong = |message: &str| Error::new(Code::XML_ERROR, Origin::NWFILTER, message);
    if root.name != "filterbindingstatus" {
        return Err(wrong("the root element is not <filterbindingstatus>"));
    }
    let maker = match root.take_attr("maker").as_deref() {
        Some("client") => Maker::Client,
        Some("guest") => Maker::Guest,
        _ => return Err(wrong("'maker' of the binding is neither 'client' nor 'guest'")),
    };
    let learned = root.take_children("learned").into_iter();
    let learned = learned
        .map(|element| element.attr("address").and_then(|address| address.parse().ok()))
        .collect::<Option<Vec<IpAddr>>>()
        .ok_or_else(|| wrong("a learned address is none"))?;
    let binding = root
        .take_child("filterbinding")
        .ok_or_else(|| wrong("there is no <filterbinding> in it"))?;
    let def = parse::element(binding, Mode::Strict)?.def;
    belongs(file, "the binding of port", &def.port)?;
    Ok(Record { def, maker, learned })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::Owner;
    use crate::def::address::Mac;
    use driver_api::types::uuid::Uuid;
    use std::fs;

    fn record(port: &str) -> Record {
        let def = BindingDef {
            owner: Owner {
                name: "vm <1>".to_owned(),
                uuid: Uuid::from_bytes([7; 16]),
            },
            port: port.to_owned(),
            link: None,
            mac: Mac([2, 0, 0, 0, 0, 1]),
            filter: "it's".to_owned(),
            parameters: [("A".to_owned(), vec!["2".to_owned(), "1".to_owned()])].into(),
        };
        Record {
            def: def.completed(),
            maker: Maker::Guest,
            learned: vec!["10.0.0.1".parse().unwrap(), "fe80::1".parse().unwrap()],
        }
    }

    #[test]
    fn a_binding_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Bindings::new(folder.path());
        assert!(store.load().unwrap().records.is_empty());
        drop(store.stage(&record("tap0")).unwrap());
        store.stage(&record("tap1")).unwrap().commit().unwrap();
        let loaded = store.load().unwrap();
        assert_eq!((loaded.records, loaded.damaged.len()), (vec![record("tap1")], 0));
        assert!(!loaded.interrupted);
        // As after a crash in the midst of a change.
        fs::write(store.file("tap2").with_added_extension("new"), "<half").unwrap();
        assert!(store.load().unwrap().interrupted);
        assert!(!store.load().unwrap().interrupted);
        store.remove("tap1").unwrap();
        store.remove("tap1").unwrap();
        assert_eq!(fs::read_dir(folder.path().join("bindings")).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_names_its_port_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Bindings::new(folder.path());
        store.stage(&record("tap0")).unwrap().commit().unwrap();
        let good = fs::read_to_string(store.file("tap0")).unwrap();
        fs::write(store.file("half"), &good[..good.len() / 2]).unwrap();
        fs::write(store.file("other"), &good).unwrap();
        fs::write(store.file("maker"), good.replace("'guest'", "'ghost'")).unwrap();
        fs::write(store.file("address"), good.replace("10.0.0.1", "10.0.0.1.1")).unwrap();
        fs::write(store.file("no port, too long"), &good).unwrap();
        let Loaded { records, damaged, .. } = store.load().unwrap();
        assert_eq!(records, [record("tap0")]);
        let ports: Vec<&str> = damaged.iter().map(|damaged| damaged.port.as_str()).collect();
        assert_eq!(ports, ["address", "half", "maker", "other"]);
        assert!(store.file("half").exists() && !store.file("no port, too long").exists());
    }
}
