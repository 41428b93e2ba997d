//! The filters that come with the driver: put beside the user's own once, and the user's from then on.

use crate::def::FilterDef;
use crate::def::parse::{Mode, parse};
use crate::filters::Filters;
use crate::folder::Staged;
use crate::store::Store;
use driver_api::error::{Code, Error, Origin, Result};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

macro_rules! shipped {
    ($($name:literal,)+) => {
        /// Their names and documents.
        const SHIPPED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../filters/", $name, ".xml"))),)+];
    };
}

shipped! {
    "allow-arp",
    "allow-dhcp",
    "allow-dhcp-server",
    "allow-dhcpv6",
    "allow-dhcpv6-server",
    "allow-incoming-ipv4",
    "allow-incoming-ipv6",
    "allow-ipv4",
    "allow-ipv6",
    "clean-traffic",
    "clean-traffic-gateway",
    "no-arp-ip-spoofing",
    "no-arp-mac-spoofing",
    "no-arp-spoofing",
    "no-ip-multicast",
    "no-ip-spoofing",
    "no-ipv6-multicast",
    "no-ipv6-spoofing",
    "no-mac-broadcast",
    "no-mac-spoofing",
    "no-other-l2-traffic",
    "no-other-rarp-traffic",
    "qemu-announce-self",
    "qemu-announce-self-rarp",
}

/// Remembers which of them the user was given, so that none that was edited or undefined is given again.
#[derive(Debug)]
pub(crate) struct Shipped {
    list: PathBuf,
}

impl Shipped {
    /// The list is kept in the driver's folder of lasting state.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self {
            list: state_dir.join("shipped-filters"),
        }
    }

    /// The table with the filters that were never given and whose names are free. What can not be done is told and tried
    /// again at the next start: a host without them is better than none.
    pub(crate) fn install(&self, store: &Store, table: Filters) -> Filters {
        let mut given = match fs::read_to_string(&self.list) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => {
                tracing::warn!(file = %self.list.display(), %error, "shipped filters are left out: which of them there were is not known");
                return table;
            }
        };
        let before = given.len();
        let mut table = table;
        for (name, document) in SHIPPED {
            if given.contains(*name) {
                continue;
            }
            match give(store, &table, name, document) {
                Ok(Some(next)) => table = next,
                Ok(None) => tracing::info!(
                    filter = name,
                    "the user has a filter of this name, the shipped one is left out"
                ),
                Err(error) => {
                    tracing::warn!(filter = name, %error, "shipped filter left out until the next start");
                    continue;
                }
            }
            given.insert((*name).to_owned());
        }
        if given.len() > before {
            tracing::info!(filters = given.len() - before, "shipped filters installed");
            if let Err(error) = self.keep(&given) {
                tracing::warn!(file = %self.list.display(), %error, "a shipped filter that is undefined now will be back after a restart");
            }
        }
        table
    }

    fn keep(&self, given: &BTreeSet<String>) -> io::Result<()> {
        let draft = self.list.with_added_extension("new");
        let mut file = File::create(&draft)?;
        for name in given {
            writeln!(file, "{name}")?;
        }
        file.sync_all()?;
        fs::rename(&draft, &self.list)?;
        match self.list.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// The table with one shipped filter and its file; `None` if the name is taken.
fn give(store: &Store, table: &Filters, name: &str, document: &str) -> Result<Option<Filters>> {
    if table.by_name(name).is_some() {
        return Ok(None);
    }
    let def = read(document)?;
    let Some(next) = table.with(def.clone())? else {
        return Ok(None);
    };
    store.stage(&def).and_then(Staged::commit)?;
    Ok(Some(next))
}

fn read(document: &str) -> Result<FilterDef> {
    let parsed = parse(document.as_bytes(), Mode::Strict)?;
    if parsed.fresh_uuid {
        let message = format!("shipped filter '{}' has no uuid of its own", parsed.def.name);
        return Err(Error::new(Code::INTERNAL, Origin::NWFILTER, message));
    }
    Ok(parsed.def)
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::types::uuid::Uuid;
    use tempfile::TempDir;

    struct Folders {
        root: TempDir,
        store: Store,
    }

    impl Folders {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("conf")).unwrap();
            fs::create_dir(root.path().join("state")).unwrap();
            let store = Store::new(root.path().join("conf"));
            Self { root, store }
        }

        /// A start: what is on the disk, and what is shipped.
        fn start(&self) -> Filters {
            let load = |table: Filters, def: FilterDef| table.with(def).unwrap().unwrap();
            let loaded = self.store.load(&|_| Mode::Strict).unwrap();
            let table = loaded
                .into_iter()
                .map(|parsed| parsed.def)
                .fold(Filters::default(), load);
            Shipped::new(&self.root.path().join("state")).install(&self.store, table)
        }
    }

    fn names(table: &Filters) -> Vec<String> {
        table.briefs().into_iter().map(|brief| brief.name).collect()
    }

    #[test]
    fn all_are_sound_and_refer_only_to_one_another() {
        let defs: Vec<FilterDef> = SHIPPED.iter().map(|(_, document)| read(document).unwrap()).collect();
        for (def, (name, document)) in defs.iter().zip(SHIPPED) {
            assert_eq!(def.name, *name);
            assert!(document.contains(&format!("<uuid>{}</uuid>", def.uuid)), "{name}");
            for reference in def.references() {
                assert!(defs.iter().any(|other| other.name == reference), "{name}: {reference}");
            }
        }
        let uuids: BTreeSet<Uuid> = defs.iter().map(|def| def.uuid).collect();
        assert_eq!((defs.len(), uuids.len()), (24, 24));
        let mut sorted: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        sorted.sort_unstable();
        assert!(sorted.iter().zip(SHIPPED).all(|(sorted, (name, _))| sorted == name));
    }

    #[test]
    fn they_are_there_at_the_first_start_and_stay_as_the_user_leaves_them() {
        let folders = Folders::new();
        let first = folders.start();
        assert_eq!(names(&first).len(), SHIPPED.len());
        assert_eq!(names(&folders.start()), names(&first));
        let gone = first.by_name("allow-arp").unwrap().def.name.clone();
        folders.store.remove(&gone).unwrap();
        let edited = "<filter name='allow-ipv4'><uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55335</uuid></filter>";
        let edited = parse(edited.as_bytes(), Mode::Strict).unwrap().def;
        folders.store.stage(&edited).unwrap().commit().unwrap();
        let later = folders.start();
        assert!(later.by_name("allow-arp").is_none());
        assert_eq!(later.by_name("allow-ipv4").unwrap().def, edited);
        assert_eq!(names(&later).len(), SHIPPED.len() - 1);
    }

    #[test]
    fn a_taken_name_stays_the_users_and_a_later_versions_filter_is_added() {
        let folders = Folders::new();
        let own = parse(b"<filter name='clean-traffic'/>", Mode::Strict).unwrap().def;
        folders.store.stage(&own).unwrap().commit().unwrap();
        // As an older version left it, which knew one filter only.
        fs::write(folders.root.path().join("state/shipped-filters"), "allow-arp\n").unwrap();
        let table = folders.start();
        assert_eq!(table.by_name("clean-traffic").unwrap().def, own);
        assert!(table.by_name("allow-arp").is_none() && table.by_name("no-arp-spoofing").is_some());
        folders.store.remove("clean-traffic").unwrap();
        assert!(folders.start().by_name("clean-traffic").is_none());
    }

    #[test]
    fn what_can_not_be_written_is_tried_again_at_the_next_start() {
        let folders = Folders::new();
        let blocked = folders.root.path().join("conf/allow-ipv6.xml.new");
        fs::create_dir(&blocked).unwrap();
        assert!(folders.start().by_name("allow-ipv6").is_none());
        fs::remove_dir(&blocked).unwrap();
        assert!(folders.start().by_name("allow-ipv6").is_some());
        // A list that can not be read says nothing, so nothing is given.
        let folders = Folders::new();
        fs::create_dir(folders.root.path().join("state/shipped-filters")).unwrap();
        assert!(names(&folders.start()).is_empty());
    }
}
