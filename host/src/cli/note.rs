//! Verbs about what people and programs note about guests: desc, metadata.

use super::Session;
use super::args::{Affect, Domain, Namespace};
use super::define::{done, run_editor};
use super::exit::{Context, Failure};
use crate::client::{Connection, Error};
use crate::rpc::codec::domain::{DomainGetMetadata, DomainRef, DomainSetMetadata};
use clap::{Args, Subcommand};
use driver_api::error::Code;
use std::io::Write;

/// `virDomainMetadataType`.
const DESCRIPTION: i32 = 0;
const TITLE: i32 = 1;
const ELEMENT: i32 = 2;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show or set a guest's description or title
    Desc(Desc),
    /// Show or set another program's element in a guest's metadata
    Metadata(Metadata),
}

/// What `desc` takes.
#[derive(Args, Debug)]
pub struct Desc {
    #[command(flatten)]
    domain: Domain,
    /// The new text; an empty one takes it away
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    #[arg(long = "new-desc", value_name = "TEXT", hide = true, conflicts_with = "text")]
    text_option: Option<String>,
    /// The title rather than the description
    #[arg(long)]
    title: bool,
    /// Change it in $VISUAL or $EDITOR
    #[arg(long, conflicts_with_all = ["text", "text_option"])]
    edit: bool,
    #[command(flatten)]
    affect: Affect,
}

/// What `metadata` takes.
#[derive(Args, Debug)]
pub struct Metadata {
    #[command(flatten)]
    domain: Domain,
    #[command(flatten)]
    uri: Namespace,
    /// The prefix that the namespace is given
    #[arg(long, value_name = "PREFIX")]
    key: Option<String>,
    /// The new element
    #[arg(long, value_name = "XML", requires = "key", conflicts_with = "remove")]
    set: Option<String>,
    /// Change it in $VISUAL or $EDITOR
    #[arg(long, requires = "key", conflicts_with_all = ["set", "remove"])]
    edit: bool,
    /// Take it away
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    affect: Affect,
}

/// One note of one guest.
struct Note {
    connection: Connection,
    dom: DomainRef,
    kind: i32,
    key: Option<String>,
    uri: Option<String>,
    flags: u32,
}

impl Note {
    /// The note, if there is one.
    fn get(&mut self) -> Result<Option<String>, Failure> {
        let call = DomainGetMetadata {
            dom: self.dom.clone(),
            kind: self.kind,
            uri: self.uri.clone(),
            flags: self.flags,
        };
        match self.connection.call(&call) {
            Ok(text) => Ok(Some(text)),
            Err(Error::Remote(error)) if error.code() == Code::NO_DOMAIN_METADATA => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets it, or takes it away.
    fn set(&mut self, value: Option<String>) -> Result<(), Failure> {
        let call = DomainSetMetadata {
            dom: self.dom.clone(),
            kind: self.kind,
            key: self.key.clone().filter(|_| value.is_some()),
            value,
            uri: self.uri.clone(),
            flags: self.flags,
        };
        let set = self.connection.call(&call);
        set.context(|| format!("cannot change what is noted about '{}'", self.dom.name))
    }

    /// Has it edited; `None` when it was left as it is.
    fn edited(&mut self, suffix: &str) -> Result<Option<String>, Failure> {
        let before = self.get()?.unwrap_or_default();
        let file = tempfile::Builder::new().prefix("lockstep-").suffix(suffix).tempfile();
        let mut file = file.context(|| "cannot make a file to edit".to_owned())?;
        file.write_all(before.as_bytes())
            .context(|| "cannot fill the file to edit".to_owned())?;
        run_editor(file.path())?;
        let after = std::fs::read_to_string(file.path()).context(|| "cannot read the edited file".to_owned())?;
        let after = after.trim_end_matches('\n');
        Ok((after != before.trim_end_matches('\n')).then(|| after.to_owned()))
    }
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Desc(desc) => desc.perform(session),
            Self::Metadata(metadata) => metadata.perform(session),
        }
    }
}

impl Desc {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let (connection, dom) = session.find(&self.domain)?;
        let (kind, what) = if self.title {
            (TITLE, "title")
        } else {
            (DESCRIPTION, "description")
        };
        let mut note = Note {
            connection,
            dom,
            kind,
            key: None,
            uri: None,
            flags: self.affect.flags(),
        };
        let text = match &self.text_option {
            Some(text) => Some(text.clone()),
            None => Some(self.text.join(" ")).filter(|_| !self.text.is_empty()),
        };
        let text = if self.edit { note.edited(".txt")? } else { text };
        let name = note.dom.name.clone();
        let Some(text) = text else {
            if self.edit {
                let sentence = format!("Domain {what} not changed");
                return session.out.done(sentence, &done("unchanged", &note.dom));
            }
            return match note.get()? {
                Some(text) => session.out.document(what, &text),
                None => session.out.document(what, &format!("No {what} for domain: {name}")),
            };
        };
        note.set(Some(text).filter(|text| !text.is_empty()))?;
        session.out.done(
            format_args!("Domain {what} updated successfully"),
            &done("updated", &note.dom),
        )
    }
}

impl Metadata {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let (connection, dom) = session.find(&self.domain)?;
        let mut note = Note {
            connection,
            dom,
            kind: ELEMENT,
            key: self.key.clone(),
            uri: Some(self.uri.get()),
            flags: self.affect.flags(),
        };
        if self.remove {
            note.set(None)?;
            return session.out.done("Metadata removed", &done("removed", &note.dom));
        }
        let element = if self.edit {
            note.edited(".xml")?
        } else {
            self.set.clone()
        };
        if let Some(element) = element {
            note.set(Some(element))?;
            return session.out.done("Metadata modified", &done("modified", &note.dom));
        }
        if self.edit {
            return session.out.done("Metadata not changed", &done("unchanged", &note.dom));
        }
        let text = note.get()?.ok_or_else(|| {
            let name = &note.dom.name;
            Failure::Other(format!(
                "'{name}' has no metadata of the namespace '{}'",
                self.uri.get()
            ))
        })?;
        session.out.document("xml", &text)
    }
}
