//! `domsecurity`: what a running guest is kept in, layer by layer.

use super::Session;
use super::args::Domain;
use super::exit::Failure;
use super::output::{Cell, Colour};
use crate::supervisor::Security;
use clap::Subcommand;
use serde_json::json;

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show what a running guest is kept in: user, rights, namespaces, limits, system calls, files
    Domsecurity(Domain),
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let Self::Domsecurity(domain) = self;
        let mut connection = session.connect()?;
        let dom = connection.find_domain(domain.word())?;
        let security = connection.security(dom)?;
        if session.out.is_json() {
            return session.out.json(&json!(security));
        }
        show(session, &security)
    }
}

fn show(session: &Session, security: &Security) -> Result<(), Failure> {
    let out = session.out;
    let rows = security.layers.iter().map(|layer| {
        let on = if layer.on {
            Cell::coloured("yes", Colour::Green)
        } else {
            Cell::coloured("no", Colour::Red)
        };
        vec![layer.layer.as_str().into(), on, layer.state.as_str().into()]
    });
    let mut rows: Vec<Vec<Cell>> = rows.collect();
    let limits = security
        .limits
        .iter()
        .map(|(name, value)| vec![format!("limit {name}").into(), "-".into(), value.as_str().into()]);
    rows.extend(limits);
    out.table(&["Layer", "In force", "State"], &rows)?;
    let files = security
        .files
        .iter()
        .map(|seen| vec![seen.path.as_str().into(), seen.rights.as_str().into()]);
    out.table(&["File", "Rights"], &files.collect::<Vec<Vec<Cell>>>())?;
    for note in &security.not_isolated {
        out.line(format_args!("not isolated: {}\n", super::output::harmless(note)))?;
    }
    Ok(())
}
