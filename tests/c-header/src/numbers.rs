//! The numbers of the interface as macros: constants of the frozen records, codes of errors, events, states and flags.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Where they are.
const FILES: [&str; 11] = [
    "abi/manifest.rs",
    "abi/value.rs",
    "abi/lock.rs",
    "abi/log.rs",
    "abi/domain.rs",
    "abi/guest.rs",
    "lock/level.rs",
    "types/domain.rs",
    "types/device.rs",
    "types/inspect.rs",
    "error.rs",
];

/// All of them, a section a file.
pub(crate) fn all(driver_api: &Path) -> String {
    let mut text = String::new();
    let mut seen = BTreeMap::new();
    for file in FILES {
        let path = driver_api.join("src").join(file);
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        writeln!(text, "/* From {file}. */").expect("a text takes more text");
        for (name, value, comment) in of(&source) {
            let other = seen.insert(name.clone(), file);
            assert!(
                other.is_none(),
                "{name} is in {file} and in {}",
                other.unwrap_or_default()
            );
            for line in comment {
                writeln!(text, "// {line}").expect("a text takes more text");
            }
            writeln!(text, "#define LOCKSTEP_{name} {value}U").expect("a text takes more text");
        }
        text.push('\n');
    }
    text
}

type Number = (String, String, Vec<String>);

fn of(source: &str) -> Vec<Number> {
    let (mut found, mut comment, mut group) = (Vec::new(), Vec::new(), String::new());
    let mut levels = false;
    for line in source.lines() {
        if line == "#[cfg(test)]" {
            break;
        }
        let code = line.trim();
        if let Some(words) = code.strip_prefix("/// ") {
            comment.push(words.replace("[`", "`").replace("`]", "`"));
            continue;
        }
        if let Some(owner) = opened(line) {
            group = owner;
        }
        levels |= code == "levels! {";
        let constant = constant(code).map(|(name, value)| (format!("{group}{name}"), value));
        let variant = || {
            let prefix = VARIANTS.into_iter().find(|prefix| *prefix == group)?;
            let (name, value) = code.strip_suffix(',')?.split_once(" = ")?;
            Some((format!("{prefix}{}", shouted(name)), value.to_owned()))
        };
        let level = || {
            let (name, value) = code.strip_suffix(',')?.split_once(" = ")?;
            levels.then(|| (format!("RANK_{}", shouted(name)), value.to_owned()))
        };
        if let Some((name, value)) = constant.or_else(variant).or_else(level) {
            found.push((name, value, std::mem::take(&mut comment)));
        } else if !code.starts_with("#[") {
            comment.clear();
        }
        if line == "}" {
            group.clear();
            levels = false;
        }
    }
    found
}

/// The enumerations whose variants are numbers that cross.
const VARIANTS: [&str; 6] = ["STATE_", "EVENT_", "SET_", "SOURCE_", "WAY_", "FATE_"];

/// What the constants of a block are called before their names.
fn opened(line: &str) -> Option<String> {
    Some(String::from(match line {
        "impl Code {" => "CODE_",
        "impl Origin {" => "ORIGIN_",
        "impl Reason {" => "REASON_",
        "pub mod detail {" => "DETAIL_",
        "pub mod flags {" => "FLAG_",
        "pub mod stats {" => "STATS_",
        "pub enum ParameterSet {" => "SET_",
        "pub enum AddressSource {" => "SOURCE_",
        "pub enum PacketWay {" => "WAY_",
        "pub enum PacketFate {" => "FATE_",
        "pub enum State {" => "STATE_",
        "pub enum Lifecycle {" => "EVENT_",
        _ => return None,
    }))
}

/// `pub const NAME: u32 = 1;` and its kin.
fn constant(code: &str) -> Option<(String, String)> {
    let (name, rest) = code.strip_prefix("pub const ")?.split_once(": ")?;
    let (_ty, value) = rest.strip_suffix(';')?.split_once(" = ")?;
    let value = value
        .strip_prefix("Self(")
        .and_then(|value| value.strip_suffix(')'))
        .unwrap_or(value);
    let number = value.replace('_', "");
    number.parse::<u64>().ok().map(|_| (name.to_owned(), number))
}

/// `PmSuspended` as `PM_SUSPENDED`.
fn shouted(name: &str) -> String {
    let mut text = String::new();
    for (place, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && place > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}
