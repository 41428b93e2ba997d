//! The files of filter definitions: one XML file each, replaced atomically, damaged ones set aside.

use crate::def::FilterDef;
use crate::def::parse::{Mode, Parsed, parse};
use driver_api::error::{Code, Error, Origin, Result};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Larger files are refused unread; far above what a filter of 10,000 rules takes.
const MAX_FILE: u64 = 16 << 20;

const HEADER: &str = "<!--\nThis file belongs to lockstep, which replaces it at each change of the filter.\n\
                      Change the filter with: virsh nwfilter-edit\n-->\n\n";

/// The folder of definitions.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// A store in a folder that exists and that nobody else writes to.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.xml"))
    }

    /// Writes a definition beside its file, all the way to the disk; nothing is changed until [`Staged::commit`].
    ///
    /// # Errors
    /// 38 when it can not be written; nothing is left of it.
    pub fn stage(&self, def: &FilterDef) -> Result<Staged<'_>> {
        let target = self.file(&def.name);
        let staged = Staged {
            draft: target.with_added_extension("new"),
            target,
            store: self,
            done: false,
        };
        let text = format!("{HEADER}{def}");
        write_through(&staged.draft, text.as_bytes()).map_err(|error| failed("write", &staged.draft, error))?;
        Ok(staged)
    }

    /// Removes a definition's file; that there is none is no error.
    ///
    /// # Errors
    /// 38 when it can not be removed; it is then still there.
    pub fn remove(&self, name: &str) -> Result<()> {
        let file = self.file(name);
        match fs::remove_file(&file) {
            Ok(()) => self.settle(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("remove", &file, error)),
        }
        Ok(())
    }

    /// Makes a change of names last. It is in force already, and undoing it could fail as well: a failure is only told.
    fn settle(&self, file: &Path) {
        if let Err(error) = File::open(&self.folder).and_then(|folder| folder.sync_all()) {
            tracing::warn!(file = %file.display(), %error, "a power failure may undo the last change of this filter file");
        }
    }

    /// Reads every definition, in the order of their file names. A file that can not be used is renamed and named in a
    /// warning; it never keeps the others from being read.
    ///
    /// # Errors
    /// 38 when the folder itself can not be read.
    pub fn load(&self, mode: Mode) -> Result<Vec<Parsed>> {
        let entries = fs::read_dir(&self.folder).map_err(|error| failed("read the folder", &self.folder, error))?;
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension() == Some(OsStr::new("xml")))
            .collect();
        files.sort();
        let mut loaded = Vec::new();
        for file in files {
            match read_one(&file, mode) {
                Ok(parsed) => loaded.push(parsed),
                Err(error) => self.set_aside(&file, &error),
            }
        }
        Ok(loaded)
    }

    /// Renames the file of a filter that was read but can not be used.
    pub fn set_aside_filter(&self, name: &str, why: &Error) {
        self.set_aside(&self.file(name), why);
    }

    /// Renames a file so that it is not read again, and says so; never removes it.
    fn set_aside(&self, file: &Path, why: &Error) {
        let free = (0..1000)
            .map(|n| {
                if n == 0 {
                    "set-aside".to_owned()
                } else {
                    format!("set-aside-{n}")
                }
            })
            .map(|extension| file.with_added_extension(extension))
            .find(|candidate| !candidate.exists());
        let moved = match free {
            Some(to) => fs::rename(file, &to).map(|()| to),
            None => Err(io::Error::other(
                "a thousand files were set aside under this name already",
            )),
        };
        match moved {
            Ok(to) => {
                tracing::warn!(file = %file.display(), kept = %to.display(), error = %why, "filter file set aside")
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), error = %why, rename = %error, "filter file skipped, it can not be set aside");
            }
        }
        self.settle(file);
    }
}

/// A definition that is on the disk but not yet in force; dropped without [`Staged::commit`] it is gone.
#[derive(Debug)]
pub struct Staged<'a> {
    draft: PathBuf,
    target: PathBuf,
    store: &'a Store,
    done: bool,
}

impl Staged<'_> {
    /// Puts the definition in the place of the old one, atomically.
    ///
    /// # Errors
    /// 38 when it can not be renamed; the old file is then untouched.
    pub fn commit(mut self) -> Result<()> {
        fs::rename(&self.draft, &self.target).map_err(|error| failed("replace", &self.target, error))?;
        self.done = true;
        self.store.settle(&self.target);
        Ok(())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        match fs::remove_file(&self.draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::debug!(file = %self.draft.display(), %error, "a draft is left behind, the next one replaces it");
            }
            _ => {}
        }
    }
}

fn write_through(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn read_one(file: &Path, mode: Mode) -> Result<Parsed> {
    let mut document = Vec::new();
    let size = File::open(file)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut document))
        .map_err(|error| failed("read", file, error))?;
    if size as u64 > MAX_FILE {
        let message = format!("the file has more than {MAX_FILE} bytes");
        return Err(Error::new(Code::XML_ERROR, Origin::NWFILTER, message));
    }
    let parsed = parse(&document, mode)?;
    // Compared as bytes: a file's name need not be UTF-8.
    if file.file_stem() != Some(OsStr::new(&parsed.def.name)) {
        let message = format!("the file holds filter '{}', whose file is '{0}.xml'", parsed.def.name);
        return Err(Error::new(Code::OPERATION_FAILED, Origin::NWFILTER, message));
    }
    Ok(parsed)
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(
        Code::SYSTEM_ERROR,
        Origin::NWFILTER,
        format!("cannot {what} '{}'", path.display()),
    )
    .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!(store.load(Mode::Strict).unwrap().remove(0).def, def("a", "old"));
        store.stage(&def("a", "new")).unwrap().commit().unwrap();
        assert_eq!(store.load(Mode::Strict).unwrap().remove(0).def, def("a", "new"));
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
        let loaded = store.load(Mode::Strict).unwrap();
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
