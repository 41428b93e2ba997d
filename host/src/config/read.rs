//! `lockstep.toml` read: text to settings, with unknown keys and wrong types refused at their line.

use super::Error;
use super::kind::found;
use super::table::{SECTIONS, Settings};
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The table that holds one free-form table per driver.
const DRIVER: &str = "driver";

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) settings: Settings,
    /// The line that set a key, by `(section, key)`.
    pub(super) lines: BTreeMap<(&'static str, &'static str), usize>,
    pub(super) drivers: BTreeMap<String, Vec<(String, String)>>,
}

/// Reads a whole document; `file` is for messages only.
pub(super) fn document(file: &Path, text: &str) -> Result<Document, Error> {
    let reader = Reader { file, text };
    let root = DeTable::parse(text).map_err(|error| Error::Syntax {
        file: file.to_owned(),
        line: reader.line(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut document = Document::default();
    for (name, value) in root.get_ref() {
        if name.get_ref() == DRIVER {
            document.drivers = reader.drivers(value)?;
        } else {
            reader.section(name, value, &mut document)?;
        }
    }
    Ok(document)
}

struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        1 + before.filter(|&&byte| byte == b'\n').count()
    }

    fn section(
        &self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        document: &mut Document,
    ) -> Result<(), Error> {
        let Some(section) = SECTIONS.iter().find(|section| section.name == name.get_ref()) else {
            let known = SECTIONS.iter().map(|section| section.name).chain([DRIVER]);
            return Err(self.unknown("table", name, "", known));
        };
        let table = self.table(section.name, value)?;
        for (name, value) in table {
            let Some(key) = section.keys.iter().find(|key| key.name == name.get_ref()) else {
                let known = section.keys.iter().map(|key| key.name);
                return Err(self.unknown("key", name, section.name, known));
            };
            if let Some(Err(found)) = document.settings.set(section.name, key.name, value.get_ref()) {
                return Err(self.wrong(
                    &format!("{}.{}", section.name, key.name),
                    key.kind,
                    found,
                    value.span().start,
                ));
            }
            document
                .lines
                .insert((section.name, key.name), self.line(value.span().start));
        }
        Ok(())
    }

    fn table<'v, 'i>(&self, name: &str, value: &'v Spanned<DeValue<'i>>) -> Result<&'v DeTable<'i>, Error> {
        let wrong = || self.wrong(name, "a table", found(value.get_ref()), value.span().start);
        value.get_ref().as_table().ok_or_else(wrong)
    }

    fn wrong(&self, key: &str, expected: &'static str, found: String, offset: usize) -> Error {
        Error::WrongType {
            file: self.file.to_owned(),
            line: self.line(offset),
            key: key.to_owned(),
            expected,
            found,
        }
    }

    fn unknown(
        &self,
        what: &'static str,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        section: &str,
        known: impl Iterator<Item = &'static str>,
    ) -> Error {
        let similarity = |known: &&str| (strsim::jaro_winkler(known, name.get_ref()) * 1e6).round();
        let nearest = known.max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        Error::Unknown {
            file: self.file.to_owned(),
            line: self.line(name.span().start),
            what,
            name: if section.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{section}.{}", name.get_ref())
            },
            nearest: nearest.unwrap_or_default(),
        }
    }

    /// The drivers' own tables: the host knows none of their keys, so it hands them over as text.
    fn drivers(&self, value: &Spanned<DeValue<'_>>) -> Result<BTreeMap<String, Vec<(String, String)>>, Error> {
        let mut drivers = BTreeMap::new();
        for (name, value) in self.table(DRIVER, value)? {
            let mut options = Vec::new();
            flatten(
                "",
                self.table(&format!("{DRIVER}.{}", name.get_ref()), value)?,
                &mut options,
            );
            drivers.insert(name.get_ref().to_string(), options);
        }
        Ok(drivers)
    }
}

fn flatten(prefix: &str, table: &DeTable<'_>, options: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => flatten(&format!("{key}."), inner, options),
            other => options.push((key, text(other))),
        }
    }
}

/// A value as a driver gets it: texts and numbers bare, lists as one item a line.
fn text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => i128::from_str_radix(&number.as_str().replace('_', ""), number.radix())
            .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string()),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => items
            .iter()
            .map(|item| text(item.get_ref()))
            .collect::<Vec<_>>()
            .join("\n"),
        DeValue::Table(_) => String::new(),
    }
}
