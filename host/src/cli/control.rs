//! Verbs that need the guest's consent for nothing: reset, domrename.

use super::Session;
use super::args::{Domain, NewName};
use super::define::done;
use super::exit::{Context, Failure};
use crate::rpc::codec::control::{DomainRename, DomainReset};
use clap::Subcommand;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Start a guest anew at once, as its reset button would
    Reset(Domain),
    /// Give a guest that does not run another name
    Domrename {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// What it is called from now on.
        #[command(flatten)]
        name: NewName,
    },
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Reset(domain) => {
                let (mut connection, dom) = session.find(domain)?;
                let call = DomainReset { dom, flags: 0 };
                connection
                    .call(&call)
                    .context(|| format!("cannot reset '{}'", call.dom.name))?;
                let sentence = format!("Domain '{}' was reset", call.dom.name);
                session.out.done(sentence, &done("reset", &call.dom))
            }
            Self::Domrename { domain, name } => {
                let (mut connection, dom) = session.find(domain)?;
                let name = Some(name.get());
                let call = DomainRename { dom, name, flags: 0 };
                connection
                    .call(&call)
                    .context(|| format!("cannot rename '{}'", call.dom.name))?;
                session
                    .out
                    .done("Domain successfully renamed", &done("renamed", &call.dom))
            }
        }
    }
}
