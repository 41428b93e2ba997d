//! `Taken`: files in use, told apart by what the kernel tells them apart by.

use super::fault;
use super::lane::Lane;
use super::recovery::AT_ONCE;
use driver_api::error::{Code, Result};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// A file that is in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Use {
    /// Its path.
    pub file: String,
    /// Who uses it, in words.
    pub by: String,
}

/// The same under whatever path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// The file system.
    pub(super) device: u64,
    /// The file on it.
    pub(super) inode: u64,
    /// Who uses it, in words.
    pub(super) by: String,
}

/// Looks files up, each on the lane that `lane` has for it: they are on any file system, which is not the fault of the pool that
/// this is done for. What is not there is nothing's.
///
/// # Errors
/// 38 when one can not be looked at, 68 when one does not answer.
pub(super) fn resolve(uses: Vec<Use>, lane: impl Fn(&Use) -> Arc<Lane>) -> Result<Vec<Taken>> {
    // Many guests may have one file below their disks.
    let uses: BTreeMap<String, Use> = uses.into_iter().map(|one| (one.file.clone(), one)).collect();
    let uses: Vec<Use> = uses.into_values().collect();
    let mut taken = Vec::new();
    for uses in uses.chunks(AT_ONCE) {
        let errands: Vec<_> = uses
            .iter()
            .map(|one| {
                let one = one.clone();
                lane(&one).begin(move || look(one))
            })
            .collect();
        for errand in errands {
            taken.extend(errand?.wait()?);
        }
    }
    Ok(taken)
}

fn look(one: Use) -> Result<Option<Taken>> {
    let Use { file, by } = one;
    match std::fs::metadata(&file) {
        Ok(meta) => Ok(Some(Taken {
            device: meta.dev(),
            inode: meta.ino(),
            by,
        })),
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(cause) => {
            let message = format!("cannot look at the file '{file}' of {by}");
            Err(fault(Code::SYSTEM_ERROR, message).because(cause))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn a_file_that_does_not_answer_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let uses: Vec<Use> = ["there", "gone", "hung"]
            .map(|name| Use {
                file: folder.path().join(name).display().to_string(),
                by: "domain 'a'".into(),
            })
            .into();
        std::fs::write(&uses[0].file, "").unwrap();
        let long = Duration::from_secs(600);
        let lane = |one: &Use| Lane::new(&format!("the file '{}'", one.file), long, long);
        let taken = resolve(uses.clone(), lane).unwrap();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].inode, std::fs::metadata(&uses[0].file).unwrap().ino());
        let (free, hung) = channel::<()>();
        let slow = Lane::new("the file 'hung'", Duration::ZERO, long);
        let work = move || {
            let _freed = hung.recv();
            Ok(())
        };
        let _overdue = slow.begin(work).unwrap();
        let error = resolve(uses, |one| {
            if one.file.ends_with("hung") {
                Arc::clone(&slow)
            } else {
                lane(one)
            }
        });
        let error = error.unwrap_err();
        assert!(
            error.code() == Code::OPERATION_TIMEOUT && error.to_string().contains("the file 'hung' does not answer"),
            "{error}"
        );
        drop(free);
    }
}
