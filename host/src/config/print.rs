//! The commented `lockstep.toml` with effective values: what `lockstep config` prints and `docs/config.md` shows.

use super::Config;
use super::table::SECTIONS;
use std::fmt::Write as _;

/// The whole file: one comment for what a key means and takes, one for where its value came from.
#[must_use]
pub fn commented(config: &Config) -> String {
    let mut out = String::new();
    for section in SECTIONS {
        // Writing into a `String` can not fail.
        let _ = writeln!(out, "# {}\n[{}]", section.doc, section.name);
        for key in section.keys {
            let value = config.settings.show(key.section, key.name).unwrap_or_default();
            let source = config.source(key.section, key.name);
            let _ = writeln!(
                out,
                "# {}\n# Takes {}.\n{} = {value} # {source}",
                key.doc, key.kind, key.name
            );
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "# Each driver's own settings stand in [driver.NAME], and reach it as they are."
    );
    for (name, options) in &config.drivers {
        let _ = writeln!(out, "[driver.{}]", quoted_key(name));
        for (key, value) in options {
            let _ = writeln!(out, "{} = {}", quoted_key(key), toml::Value::String(value.clone()));
        }
    }
    out
}

fn quoted_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(|c| bare(c) || c == '.') {
        key.to_owned()
    } else {
        toml::Value::String(key.to_owned()).to_string()
    }
}
