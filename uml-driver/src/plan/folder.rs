//! Folders of the host: what the guest sees of them, and which of them it boots from.

use super::word::plain;
use super::{Files, refuse};
use crate::def::DomainDef;
use driver_api::error::Result;

/// Adds every folder to `files`; the words by which the guest boots from one, if it does.
pub(super) fn all(def: &DomainDef, files: &mut Files) -> Result<Vec<String>> {
    let mut words = Vec::new();
    for folder in &def.folders {
        let what = format!("filesystem '{}'", folder.target);
        if folder.source == "/" {
            // It would take the place of the guest's own root, where its kernel and its run folder are.
            return Err(refuse(format!("{what} is all of the host, name a folder in it")));
        }
        files.show(&what, &folder.source, folder.is_writable())?;
        if !folder.is_root() {
            continue;
        }
        if !words.is_empty() {
            return Err(refuse(format!("domain '{}' has two filesystems for '/'", def.name)));
        }
        if let Some(root) = def.os.root.as_deref() {
            return Err(refuse(format!(
                "domain '{}' has <root> '{root}' in its <os> and a filesystem for '/', it boots from one of them",
                def.name
            )));
        }
        words = vec![
            "root=/dev/root".to_owned(),
            "rootfstype=hostfs".to_owned(),
            format!("rootflags={}", plain(&what, &folder.source)?),
            if folder.is_writable() { "rw" } else { "ro" }.to_owned(),
        ];
    }
    Ok(words)
}
