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

/// The same for programs: every key with value and source.
#[must_use]
pub fn document(config: &Config) -> serde_json::Value {
    let mut sections = serde_json::Map::new();
    for section in SECTIONS {
        let mut keys = serde_json::Map::new();
        for key in section.keys {
            let value = config.settings.show(key.section, key.name).unwrap_or_default();
            let source = config.source(key.section, key.name);
            keys.insert(
                key.name.to_owned(),
                serde_json::json!({ "value": value, "source": source }),
            );
        }
        sections.insert(section.name.to_owned(), keys.into());
    }
    let options =
        |options: &Vec<(String, String)>| options.iter().cloned().collect::<std::collections::BTreeMap<_, _>>();
    let drivers: std::collections::BTreeMap<_, _> = config.drivers.iter().map(|(k, v)| (k, options(v))).collect();
    sections.insert("driver".to_owned(), serde_json::json!(drivers));
    sections.into()
}
