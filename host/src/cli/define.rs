//! Verbs about definitions: define, undefine, dumpxml, edit, autostart.

use super::Session;
use super::args::{Domain, File};
use super::exit::{Context, Failure};
use crate::client::Connection;
use crate::rpc::codec::control::DomainSetAutostartOnce;
use crate::rpc::codec::domain::{
    DomainDefineXmlFlags, DomainGetXmlDesc, DomainRef, DomainSetAutostart, DomainUndefineFlags,
};
use clap::{Args, Subcommand};
use driver_api::types::domain::flags;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Define a guest from XML, or replace its definition
    Define {
        /// The document.
        #[command(flatten)]
        file: File,
        /// Check the document against its schema first
        #[arg(long)]
        validate: bool,
    },
    /// Remove a guest's definition
    Undefine(Undefine),
    /// Show a guest's definition as XML
    Dumpxml {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// The definition that the next start takes
        #[arg(long)]
        inactive: bool,
        /// With secrets, on read-write connections
        #[arg(long)]
        security_info: bool,
        /// Without what only this host can use
        #[arg(long)]
        migratable: bool,
    },
    /// Change a guest's definition in $VISUAL or $EDITOR
    Edit {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Do not check the document against its schema
        #[arg(long)]
        skip_validate: bool,
    },
    /// Start a guest whenever the host starts
    Autostart {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Do not any more
        #[arg(long)]
        disable: bool,
        /// Only the next time, and then no more
        #[arg(long)]
        once: bool,
    },
}

/// What `undefine` takes.
#[derive(Args, Debug)]
pub struct Undefine {
    #[command(flatten)]
    domain: Domain,
    /// Remove a saved state too
    #[arg(long)]
    managed_save: bool,
    /// Remove what is known of snapshots too
    #[arg(long)]
    snapshots_metadata: bool,
    /// Remove what is known of checkpoints too
    #[arg(long)]
    checkpoints_metadata: bool,
    /// Remove the firmware's variables too
    #[arg(long, conflicts_with = "keep_nvram")]
    nvram: bool,
    /// Keep the firmware's variables
    #[arg(long)]
    keep_nvram: bool,
}

impl Undefine {
    fn flags(&self) -> u32 {
        [
            (self.managed_save, flags::UNDEFINE_MANAGED_SAVE),
            (self.snapshots_metadata, flags::UNDEFINE_SNAPSHOTS_METADATA),
            (self.nvram, flags::UNDEFINE_NVRAM),
            (self.keep_nvram, flags::UNDEFINE_KEEP_NVRAM),
            (self.checkpoints_metadata, flags::UNDEFINE_CHECKPOINTS_METADATA),
        ]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .fold(0, |flags, (_, flag)| flags | flag)
    }
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let out = session.out;
        match self {
            Self::Define { file, validate } => {
                let path = file.path();
                let xml = file.read()?;
                let flags = if *validate { flags::DEFINE_VALIDATE } else { 0 };
                let dom = (session.connect()?.call(&DomainDefineXmlFlags { xml, flags }))
                    .context(|| format!("cannot define a guest from '{}'", path.display()))?;
                let sentence = format!("Domain '{}' defined from {}", dom.name, path.display());
                out.done(sentence, &done("defined", &dom))
            }
            Self::Undefine(undefine) => {
                let mut connection = session.connect()?;
                let dom = connection.find_domain(undefine.domain.word())?;
                let call = DomainUndefineFlags {
                    dom: dom.clone(),
                    flags: undefine.flags(),
                };
                connection
                    .call(&call)
                    .context(|| format!("cannot undefine '{}'", dom.name))?;
                out.done(
                    format_args!("Domain '{}' has been undefined", dom.name),
                    &done("undefined", &dom),
                )
            }
            Self::Dumpxml {
                domain,
                inactive,
                security_info,
                migratable,
            } => {
                let wanted = [
                    (*inactive, flags::XML_INACTIVE),
                    (*security_info, flags::XML_SECURE),
                    (*migratable, flags::XML_MIGRATABLE),
                ];
                let flags = wanted
                    .into_iter()
                    .filter(|(on, _)| *on)
                    .fold(0, |flags, (_, flag)| flags | flag);
                let mut connection = session.connect()?;
                let dom = connection.find_domain(domain.word())?;
                let xml = connection.call(&DomainGetXmlDesc { dom, flags })?;
                out.document("xml", &xml)
            }
            Self::Edit { domain, skip_validate } => edit(session, domain.word(), *skip_validate),
            Self::Autostart { domain, disable, once } => autostart(session, domain, !disable, *once),
        }
    }
}

fn autostart(session: &Session, domain: &Domain, on: bool, once: bool) -> Result<(), Failure> {
    let (mut connection, dom) = session.find(domain)?;
    let (of, autostart) = (dom.clone(), i32::from(on));
    let done = match once {
        true => connection.call(&DomainSetAutostartOnce { dom: of, autostart }),
        false => connection.call(&DomainSetAutostart { dom: of, autostart }),
    };
    done.context(|| format!("cannot change the autostart of '{}'", dom.name))?;
    let word = if on { "marked" } else { "unmarked" };
    let how = if once { "autostarted once" } else { "autostarted" };
    let value = json!({ "autostart": on, "once": once, "name": dom.name, "uuid": dom.uuid.to_string() });
    session
        .out
        .done(format_args!("Domain '{}' {word} as {how}", dom.name), &value)
}

/// What a program is told of a verb that is done.
pub(super) fn done(what: &str, dom: &DomainRef) -> Value {
    json!({ "done": what, "name": dom.name, "uuid": dom.uuid.to_string() })
}

fn edit(session: &Session, word: &str, skip_validate: bool) -> Result<(), Failure> {
    let mut connection = session.connect()?;
    let dom = connection.find_domain(word)?;
    let before = definition(&mut connection, &dom)?;
    let mut file = tempfile::Builder::new()
        .prefix("lockstep-")
        .suffix(".xml")
        .tempfile()
        .context(|| "cannot make a file to edit".to_owned())?;
    file.write_all(before.as_bytes())
        .context(|| "cannot fill the file to edit".to_owned())?;
    run_editor(file.path())?;
    let after = std::fs::read_to_string(file.path()).context(|| "cannot read the edited file".to_owned())?;
    if after == before {
        let value = json!({ "done": "unchanged", "name": dom.name, "uuid": dom.uuid.to_string() });
        return session.out.done(
            format_args!("Domain '{}' XML configuration not changed", dom.name),
            &value,
        );
    }
    // A connection that was idle for as long as a person edits may be gone, and the definition may be another.
    let mut connection = session.connect()?;
    let keep = |failure: Failure| match file.keep() {
        Ok((_, path)) => Failure::Other(format!("{failure}; your version is kept in '{}'", path.display())),
        Err(_) => failure,
    };
    if definition(&mut connection, &dom)? != before {
        return Err(keep(Failure::Other(format!(
            "the definition of '{}' was changed by another meanwhile",
            dom.name
        ))));
    }
    let flags = if skip_validate { 0 } else { flags::DEFINE_VALIDATE };
    let defined = connection.call(&DomainDefineXmlFlags { xml: after, flags });
    let dom = match defined.context(|| format!("cannot define '{}' as edited", dom.name)) {
        Ok(dom) => dom,
        Err(failure) => return Err(keep(failure)),
    };
    session.out.done(
        format_args!("Domain '{}' XML configuration edited", dom.name),
        &done("edited", &dom),
    )
}

fn definition(connection: &mut Connection, dom: &DomainRef) -> Result<String, Failure> {
    let (dom, flags) = (dom.clone(), flags::XML_INACTIVE | flags::XML_SECURE);
    Ok(connection.call(&DomainGetXmlDesc { dom, flags })?)
}

/// An editor may be a command with options, so a shell takes it apart, as virsh, git and others do.
pub(super) fn run_editor(file: &Path) -> Result<(), Failure> {
    let named = ["VISUAL", "EDITOR"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok());
    let editor = named
        .into_iter()
        .find(|editor| !editor.is_empty())
        .unwrap_or_else(|| "vi".to_owned());
    let status = Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(file)
        .status()
        .context(|| "cannot run a shell for the editor".to_owned())?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Other(format!(
            "the editor '{editor}' ended with {status}; nothing was changed"
        )))
    }
}
