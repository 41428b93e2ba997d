//! `Output`: the one place that writes to the terminal: lines, tables and JSON, colour where a person looks.

use super::exit::Failure;
use serde_json::Value;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// How results are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Form {
    /// For people, as virsh writes them.
    #[default]
    Table,
    /// For programs: one document, or one a line where there is no end.
    Json,
}

/// Where a verb's results go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    form: Form,
    quiet: bool,
    colour: bool,
}

/// Colours of states; nothing else is coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Colour {
    /// Runs.
    Green,
    /// Exists but does not run as it could.
    Yellow,
    /// Went wrong.
    Red,
}

impl Output {
    /// Colour goes to terminals only, and not where `NO_COLOR` is set or the terminal is dumb.
    #[must_use]
    pub fn new(form: Form, quiet: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            form,
            quiet,
            colour: io::stdout().is_terminal() && !set("NO_COLOR") && !dumb,
        }
    }

    /// Whether results are for programs.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self.form, Form::Json)
    }

    /// Writes `text` as it is.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn raw(self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Output)
    }

    /// Writes a line.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn line(self, text: impl Display) -> Result<(), Failure> {
        self.raw(&format!("{text}\n"))
    }

    /// Writes one document.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn json(self, value: &Value) -> Result<(), Failure> {
        self.line(format_args!("{value:#}"))
    }

    /// Writes one document of many on a line of its own.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn json_line(self, value: &Value) -> Result<(), Failure> {
        self.line(value)
    }

    /// Says that a verb is done: the sentence for people unless they want quiet, the document for programs.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn done(self, sentence: impl Display, value: &Value) -> Result<(), Failure> {
        match self.form {
            Form::Json => self.json(value),
            Form::Table if self.quiet => Ok(()),
            // virsh ends its sentences with an empty line; scripts that compare output rely on it.
            Form::Table => self.line(format_args!("{sentence}\n")),
        }
    }

    /// Says that a verb is done of which virsh says nothing: the document for programs, an empty line for people.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn silent(self, value: &Value) -> Result<(), Failure> {
        match self.form {
            Form::Json => self.json(value),
            Form::Table if self.quiet => Ok(()),
            Form::Table => self.line(""),
        }
    }

    /// Writes one value that a script may want bare.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn value(self, name: &str, value: impl Display) -> Result<(), Failure> {
        match self.form {
            Form::Json => self.json(&serde_json::json!({ name: value.to_string() })),
            Form::Table => self.line(value),
        }
    }

    /// Writes a document that a driver made, such as XML.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn document(self, name: &str, text: &str) -> Result<(), Failure> {
        match self.form {
            Form::Json => self.json(&serde_json::json!({ name: text })),
            Form::Table if text.ends_with('\n') => self.line(text),
            Form::Table => self.line(format_args!("{text}\n")),
        }
    }

    /// Writes rows under their heads, each column as wide as its widest cell.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn table(self, heads: &[&str], rows: &[Vec<Cell>]) -> Result<(), Failure> {
        self.raw(&table(heads, rows, self.quiet, self.colour))
    }

    /// Writes names with their values, one pair a line.
    ///
    /// # Errors
    /// Standard output can not be written.
    pub fn pairs(self, pairs: &[(&str, String)]) -> Result<(), Failure> {
        let width = pairs.iter().map(|(name, _)| name.len() + 2).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in pairs {
            text.push_str(&format!("{:width$}{}\n", format!("{name}:"), harmless(value)));
        }
        self.line(text)
    }
}

/// One cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// A cell in a colour.
    pub fn coloured(text: impl Display, colour: Colour) -> Self {
        Self {
            text: harmless(&text.to_string()),
            colour: Some(colour),
        }
    }
}

impl<T: Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: harmless(&text.to_string()),
            colour: None,
        }
    }
}

/// A name can hold what moves a terminal's cursor; shown, it must not.
pub(super) fn harmless(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

fn table(heads: &[&str], rows: &[Vec<Cell>], bare: bool, colour: bool) -> String {
    let heads: Vec<Cell> = heads.iter().map(Cell::from).collect();
    let shown = if bare { None } else { Some(&heads) };
    let width = |column: usize| {
        let cells = shown.into_iter().chain(rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    if let Some(heads) = shown {
        text.push_str(&row(&widths, heads, false));
        text.push_str(&"-".repeat(widths.iter().map(|width| width + 3).sum()));
        text.push('\n');
    }
    for cells in rows {
        text.push_str(&row(&widths, cells, colour));
    }
    if !bare {
        text.push('\n');
    }
    text
}

fn row(widths: &[usize], cells: &[Cell], colour: bool) -> String {
    let mut line = String::new();
    for (width, cell) in widths.iter().zip(cells) {
        let fill = " ".repeat(width.saturating_sub(cell.text.chars().count()) + 2);
        let text = match cell.colour.filter(|_| colour) {
            Some(Colour::Green) => format!("\x1b[32m{}\x1b[0m", cell.text),
            Some(Colour::Yellow) => format!("\x1b[33m{}\x1b[0m", cell.text),
            Some(Colour::Red) => format!("\x1b[31m{}\x1b[0m", cell.text),
            None => cell.text.clone(),
        };
        line.push_str(&format!(" {text}{fill}"));
    }
    format!("{}\n", line.trim_end())
}

/// Says on standard error what went wrong. Whether that can be written is nobody's concern any more.
pub fn complain(message: impl Display) {
    let text = format!("error: {}\n", harmless_lines(&message.to_string()));
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Says on standard error what a person at a terminal should know.
pub fn remark(message: impl Display) {
    let _ = io::stderr().lock().write_all(format!("{message}\n").as_bytes());
}

/// An error may quote the last lines of a guest's console: its line ends stay, nothing else that moves a cursor does.
fn harmless_lines(text: &str) -> String {
    text.split('\n')
        .map(|line| harmless(line.trim_end_matches('\r')))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_looks_as_virsh_prints_it() {
        let rows = [vec![
            Cell::from(1),
            "test".into(),
            Cell::coloured("running", Colour::Green),
        ]];
        let heads = ["Id", "Name", "State"];
        assert_eq!(
            table(&heads, &rows, false, false),
            " Id   Name   State\n----------------------\n 1    test   running\n\n"
        );
        assert_eq!(table(&heads, &rows, true, false), " 1   test   running\n");
        assert!(table(&heads, &rows, true, true).contains("\x1b[32mrunning\x1b[0m"));
    }

    #[test]
    fn nothing_shown_moves_the_cursor() {
        assert_eq!(Cell::from("a\x1b[2Jb\nc").text, "a\\u{1b}[2Jb\\nc");
        assert_eq!(harmless_lines("one\r\ntwo\x07"), "one\ntwo\\u{7}");
    }
}
