//! The files of filter definitions.

use crate::def::FilterDef;
use crate::def::parse::{Mode, Parsed, parse_by};
use crate::folder::{Folder, Staged, belongs, read};
use driver_api::error::{Error, Result};
use std::path::{Path, PathBuf};

const HEADER: &str = "<!--\nThis file belongs to lockstep, which replaces it at each change of the filter.\n\
                      Change the filter with: virsh nwfilter-edit\n-->\n\n";

/// The folder of definitions.
#[derive(Debug)]
pub struct Store {
    folder: Folder,
}

impl Store {
    /// A store in a folder that exists and that nobody else writes to.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self {
            folder: Folder::durable(folder),
        }
    }

    /// Writes a definition beside its file, all the way to the disk; nothing is changed until [`Staged::commit`].
    ///
    /// # Errors
    /// 38 when it can not be written; nothing is left of it.
    pub fn stage(&self, def: &FilterDef) -> Result<Staged> {
        self.folder.stage(&def.name, &format!("{HEADER}{def}"))
    }

    /// Removes a definition's file; that there is none is no error.
    ///
    /// # Errors
    /// 38 when it can not be removed; it is then still there.
    pub fn remove(&self, name: &str) -> Result<()> {
        self.folder.remove(name)
    }

    /// Reads every definition, in the order of their file names. A file that can not be used is renamed and named in a
    /// warning; it never keeps the others from being read.
    ///
    /// # Errors
    /// 38 when the folder itself can not be read.
    pub fn load(&self, modes: &dyn Fn(&str) -> Mode) -> Result<Vec<Parsed>> {
        let mut loaded = Vec::new();
        for file in self.folder.files()? {
            match read_one(&file, modes) {
                Ok(parsed) => loaded.push(parsed),
                Err(error) => self.folder.set_aside(&file, &error),
            }
        }
        Ok(loaded)
    }

    /// Reads every definition, or none: what a running host does when it is told that files have changed.
    ///
    /// # Errors
    /// 38 when the folder can not be read, else what is wrong with the first file that can not be used, named.
    pub fn reread(&self, modes: &dyn Fn(&str) -> Mode) -> Result<Vec<Parsed>> {
        let named = |file: &PathBuf| {
            read_one(file, modes).map_err(|error| error.within(format!("cannot use '{}'", file.display())))
        };
        self.folder.files()?.iter().map(named).collect()
    }

    /// Renames the file of a filter that was read but can not be used.
    pub fn set_aside_filter(&self, name: &str, why: &Error) {
        self.folder.set_aside(&self.folder.file(name), why);
    }
}

fn read_one(file: &Path, modes: &dyn Fn(&str) -> Mode) -> Result<Parsed> {
    let parsed = parse_by(&read(file)?, modes)?;
    belongs(file, "filter", &parsed.def.name)?;
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::def::parse::parse;
    use driver_api::error::Code;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn def(name: &str, comment: &str) -> FilterDef {
        let xml = format!(
            "<filter name='{name}'><uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55335</uuid>\
             <rule action='drop' direction='in'><all comment='{comment}'/></rule></filter>"
        );
        parse(xml.as_bytes(), Mode::Strict).unwrap().def
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_committed_is_read_back_and_what_is_not_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        store.stage(&def("a", "old")).unwrap().commit().unwrap();
        drop(store.stage(&def("a", "new")).unwrap());
        drop(store.stage(&def("b", "")).unwrap());
        assert_eq!(names(folder.path()), ["a.xml"]);
        assert_eq!(store.load(&|_| Mode::Strict).unwrap().remove(0).def, def("a", "old"));
        store.stage(&def("a", "new")).unwrap().commit().unwrap();
        assert_eq!(store.load(&|_| Mode::Strict).unwrap().remove(0).def, def("a", "new"));
        let mode = fs::metadata(folder.path().join("a.xml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        store.remove("a").unwrap();
        store.remove("a").unwrap();
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn unusable_files_are_set_aside_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        store.stage(&def("good", "")).unwrap().commit().unwrap();
        let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
        write("half.xml", b"<filter name='half'><rule");
        write("half.xml.set-aside", b"an older one");
        write("binary.xml", b"\xff\xfe\0");
        write("other.xml", b"<filter name='another'/>");
        write(
            "typo.xml",
            b"<filter name='typo'><rule action='accept' direction='in'><tpc/></rule></filter>",
        );
        write("draft.xml.new", b"<filter");
        fs::create_dir(folder.path().join("folder.xml")).unwrap();
        let loaded = store.load(&|_| Mode::Strict).unwrap();
        assert_eq!(loaded.len(), 1);
        assert_eq!(
            names(folder.path()),
            [
                "binary.xml.set-aside",
                "draft.xml.new",
                "folder.xml.set-aside",
                "good.xml",
                "half.xml.set-aside",
                "half.xml.set-aside-1",
                "other.xml.set-aside",
                "typo.xml.set-aside",
            ]
        );
    }

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        store.stage(&def("a", "old")).unwrap().commit().unwrap();
        let old = fs::read(folder.path().join("a.xml")).unwrap();
        // A folder in the draft's place can not be written.
        fs::create_dir(folder.path().join("a.xml.new")).unwrap();
        let error = store.stage(&def("a", "new")).unwrap_err();
        assert_eq!(error.code(), Code::SYSTEM_ERROR);
        assert!(error.to_string().contains("a.xml.new"), "{error}");
        assert_eq!(fs::read(folder.path().join("a.xml")).unwrap(), old);
    }

    #[test]
    fn a_failed_replacement_leaves_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        fs::create_dir(folder.path().join("a.xml")).unwrap();
        let staged = store.stage(&def("a", "new")).unwrap();
        assert_eq!(staged.commit().unwrap_err().code(), Code::SYSTEM_ERROR);
        assert_eq!(names(folder.path()), ["a.xml"]);
    }
}
