//! Definitions that are lost or torn.

use super::which::on;
use driver_api::driver::Config;
use driver_api::error::{Code, Result};
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::fs;
use std::path::{Path, PathBuf};

/// Definitions that are in memory only, until the host stops in an orderly way.
static KEPT: Mutex<Vec<(PathBuf, Vec<u8>)>> = Mutex::new(Vec::new());

fn definition(config: &Config, uuid: Uuid) -> PathBuf {
    config.conf_dir.join("domains").join(format!("{uuid}.xml"))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect()
}

pub(super) fn in_open(config: &Config) {
    if on("forgets_what_runs") {
        for path in files_in(&config.run_dir.join("domains")) {
            drop(fs::remove_file(path));
        }
    }
    if on("forgets_autostart") {
        for path in files_in(&config.conf_dir.join("autostart")) {
            drop(fs::remove_file(path));
        }
    }
    if on("forgets_filters") {
        for path in files_in(&config.conf_dir.join("filters")) {
            drop(fs::remove_file(path));
        }
    }
    if on("forgets_bindings") {
        for path in files_in(&config.run_dir.join("bindings")) {
            drop(fs::remove_file(path));
        }
    }
    if on("uses_ids_again_after_a_restart") {
        drop(fs::remove_file(config.run_dir.join("last-id")));
    }
}

pub(super) fn in_bring_up(config: &Config) -> Result<()> {
    if on("one_bad_file_ends_it") {
        for path in files_in(&config.conf_dir.join("domains")) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if !text.trim_end().ends_with("</domain>") {
                return Err(super::error(
                    Code::INTERNAL,
                    "a definition can not be read, so nothing can be done",
                ));
            }
        }
    }
    Ok(())
}

/// After a definition was stored as it should be.
pub(super) fn after_define(config: &Config, uuid: Uuid) {
    let path = definition(config, uuid);
    if on("keeps_definitions_in_memory")
        && let Ok(bytes) = fs::read(&path)
    {
        KEPT.lock().push((path.clone(), bytes));
        drop(fs::remove_file(&path));
    }
    if on("leaves_a_file") {
        drop(fs::write(config.run_dir.join(format!("left-{uuid}")), "left"));
    }
    if on("leaves_a_file_of_a_domain_that_is_gone") {
        drop(fs::write(config.conf_dir.join(format!("notes-{uuid}")), "left"));
    }
}

/// Begins to write a definition over the old one; the rest comes after the next word with the host.
pub(super) fn torn_define(config: &Config, uuid: Uuid, xml: &str) {
    let half = &xml.as_bytes()[..xml.len() / 2];
    drop(fs::write(definition(config, uuid), half));
}

pub(super) fn in_close() {
    for (path, bytes) in KEPT.lock().drain(..) {
        drop(fs::write(path, bytes));
    }
}

/// Writes a file where the name of a domain says.
pub(super) fn follow_name(config: &Config, name: &str, xml: &str) {
    drop(fs::write(
        config.conf_dir.join("domains").join(format!("{name}.txt")),
        xml,
    ));
}
