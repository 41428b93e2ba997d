//! Verbs about network filters and their bindings, all named `nwfilter-...` as virsh names them.

use super::Session;
use super::args::File;
use super::exit::{Context, Failure};
use crate::rpc::codec::binding::{
    BindingRef, NwfilterBindingCreateXml, NwfilterBindingDelete, NwfilterBindingGetXmlDesc,
    NwfilterBindingLookupByPortDev,
};
use crate::rpc::codec::nwfilter::{NwfilterDefineXmlFlags, NwfilterGetXmlDesc, NwfilterRef, NwfilterUndefine};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// The flag of both kinds of definition that asks for a check against the schema.
const VALIDATE: u32 = 1;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Define a filter from XML, or replace its definition on every port at once
    NwfilterDefine {
        /// The document.
        #[command(flatten)]
        file: File,
        /// Check the document against its schema first
        #[arg(long)]
        validate: bool,
    },
    /// Remove a filter
    NwfilterUndefine(Filter),
    /// Show a filter as XML
    NwfilterDumpxml(Filter),
    /// List filters
    NwfilterList,
    /// Put a filter on a port
    NwfilterBindingCreate {
        /// The document.
        #[command(flatten)]
        file: File,
        /// Check the document against its schema first
        #[arg(long)]
        validate: bool,
    },
    /// Take the filter off a port
    NwfilterBindingDelete(Port),
    /// Show the binding of a port as XML
    NwfilterBindingDumpxml(Port),
    /// List bindings
    NwfilterBindingList,
}

/// Which filter.
#[derive(Args, Debug)]
pub struct Filter {
    /// The filter: its name or UUID
    #[arg(value_name = "FILTER", required_unless_present = "filter_option")]
    filter: Option<String>,
    #[arg(long = "nwfilter", value_name = "FILTER", hide = true, conflicts_with = "filter")]
    filter_option: Option<String>,
}

/// Which port.
#[derive(Args, Debug)]
pub struct Port {
    /// The name of the port's device
    #[arg(value_name = "PORT", required_unless_present = "port_option")]
    port: Option<String>,
    #[arg(long = "binding", value_name = "PORT", hide = true, conflicts_with = "port")]
    port_option: Option<String>,
}

impl Filter {
    fn word(&self) -> &str {
        self.filter
            .as_deref()
            .or(self.filter_option.as_deref())
            .unwrap_or_default()
    }
}

impl Port {
    /// The name as given.
    pub(super) fn word(&self) -> &str {
        self.port.as_deref().or(self.port_option.as_deref()).unwrap_or_default()
    }

    fn lookup(&self) -> NwfilterBindingLookupByPortDev {
        let name = self.word().to_owned();
        NwfilterBindingLookupByPortDev { name }
    }
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let out = session.out;
        match self {
            Self::NwfilterDefine { file, validate } => {
                let path = file.path();
                let xml = file.read()?;
                let flags = if *validate { VALIDATE } else { 0 };
                let filter = (session.connect()?.call(&NwfilterDefineXmlFlags { xml, flags }))
                    .context(|| format!("cannot define a filter from '{}'", path.display()))?;
                let sentence = format!("Network filter '{}' defined from {}", filter.name, path.display());
                out.done(sentence, &filter_done("defined", &filter))
            }
            Self::NwfilterUndefine(word) => {
                let mut connection = session.connect()?;
                let call = NwfilterUndefine {
                    filter: connection.find_filter(word.word())?,
                };
                let filter = &call.filter;
                connection
                    .call(&call)
                    .context(|| format!("cannot undefine filter '{}'", filter.name))?;
                let sentence = format!("Network filter '{}' undefined", filter.name);
                out.done(sentence, &filter_done("undefined", filter))
            }
            Self::NwfilterDumpxml(word) => {
                let mut connection = session.connect()?;
                let filter = connection.find_filter(word.word())?;
                out.document("xml", &connection.call(&NwfilterGetXmlDesc { filter, flags: 0 })?)
            }
            Self::NwfilterList => {
                let filters = session.connect()?.filters()?;
                if out.is_json() {
                    let list = filters
                        .iter()
                        .map(|filter| json!({ "name": filter.name, "uuid": filter.uuid.to_string() }));
                    return out.json(&list.collect());
                }
                let row = |filter: &NwfilterRef| vec![filter.uuid.into(), filter.name.as_str().into()];
                out.table(&["UUID", "Name"], &filters.iter().map(row).collect::<Vec<_>>())
            }
            Self::NwfilterBindingCreate { file, validate } => {
                let path = file.path();
                let xml = file.read()?;
                let flags = if *validate { VALIDATE } else { 0 };
                let binding = (session.connect()?.call(&NwfilterBindingCreateXml { xml, flags }))
                    .context(|| format!("cannot create a binding from '{}'", path.display()))?;
                let sentence = format!(
                    "Network filter binding on {} created from {}",
                    binding.port,
                    path.display()
                );
                out.done(sentence, &binding_done("created", &binding))
            }
            Self::NwfilterBindingDelete(port) => {
                let mut connection = session.connect()?;
                let call = NwfilterBindingDelete {
                    binding: connection.call(&port.lookup())?,
                };
                let binding = &call.binding;
                connection
                    .call(&call)
                    .context(|| format!("cannot delete the binding of '{}'", binding.port))?;
                let sentence = format!("Network filter binding on {} deleted", binding.port);
                out.done(sentence, &binding_done("deleted", binding))
            }
            Self::NwfilterBindingDumpxml(port) => {
                let mut connection = session.connect()?;
                let binding = connection.call(&port.lookup())?;
                out.document(
                    "xml",
                    &connection.call(&NwfilterBindingGetXmlDesc { binding, flags: 0 })?,
                )
            }
            Self::NwfilterBindingList => {
                let bindings = session.connect()?.bindings()?;
                if out.is_json() {
                    let list = bindings
                        .iter()
                        .map(|binding| json!({ "port": binding.port, "filter": binding.filter }));
                    return out.json(&list.collect());
                }
                let row = |binding: &BindingRef| vec![binding.port.as_str().into(), binding.filter.as_str().into()];
                out.table(&["Port Dev", "Filter"], &bindings.iter().map(row).collect::<Vec<_>>())
            }
        }
    }
}

fn filter_done(what: &str, filter: &NwfilterRef) -> Value {
    json!({ "done": what, "name": filter.name, "uuid": filter.uuid.to_string() })
}

fn binding_done(what: &str, binding: &BindingRef) -> Value {
    json!({ "done": what, "port": binding.port, "filter": binding.filter })
}
