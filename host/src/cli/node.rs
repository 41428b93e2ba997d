//! Verbs about the connection and the machine's short facts: capabilities, sysinfo, nodeinfo, version, hostname, uri.

use super::Session;
use super::exit::Failure;
use super::words;
use crate::rpc::codec::connect::{
    ConnectGetCapabilities, ConnectGetHostname, ConnectGetLibVersion, ConnectGetSysinfo, ConnectGetType, ConnectGetUri,
    ConnectGetVersion,
};
use crate::rpc::codec::node::NodeGetInfo;
use clap::Subcommand;
use serde_json::json;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show what guests can be had, as XML
    Capabilities,
    /// Show what the machine's firmware says of it, as XML
    Sysinfo,
    /// Show processors and memory of the machine
    Nodeinfo,
    /// Show versions of the command, the host and what runs the guests
    Version {
        /// The host's own version too
        #[arg(long)]
        daemon: bool,
    },
    /// Show the name of the machine
    Hostname,
    /// Show the URI of the connection
    Uri,
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let mut connection = session.connect()?;
        let out = session.out;
        match self {
            Self::Capabilities => out.document("xml", &connection.call(&ConnectGetCapabilities {})?),
            Self::Sysinfo => out.document("xml", &connection.call(&ConnectGetSysinfo { flags: 0 })?),
            Self::Nodeinfo => {
                let node = connection.call(&NodeGetInfo {})?;
                if out.is_json() {
                    return out.json(&json!({
                        "model": node.model.as_str(), "cpus": node.cpus, "mhz": node.mhz, "sockets": node.sockets,
                        "cores": node.cores, "threads": node.threads, "nodes": node.nodes, "memory_kib": node.memory,
                    }));
                }
                out.pairs(&[
                    ("CPU model", node.model.as_str().to_owned()),
                    ("CPU(s)", node.cpus.to_string()),
                    ("CPU frequency", format!("{} MHz", node.mhz)),
                    ("CPU socket(s)", node.sockets.to_string()),
                    ("Core(s) per socket", node.cores.to_string()),
                    ("Thread(s) per core", node.threads.to_string()),
                    ("NUMA cell(s)", node.nodes.to_string()),
                    ("Memory size", format!("{} KiB", node.memory)),
                ])
            }
            Self::Version { daemon } => {
                let kind = connection.call(&ConnectGetType {})?;
                let api = words::version(connection.call(&ConnectGetLibVersion {})?);
                let hypervisor = words::version(connection.call(&ConnectGetVersion {})?);
                let own = env!("CARGO_PKG_VERSION");
                if out.is_json() {
                    return out.json(&json!({
                        "lockstep": own, "type": kind, "api": api, "hypervisor": hypervisor,
                    }));
                }
                out.line(format_args!("Using command: lockstep {own}"))?;
                out.line(format_args!("Using API: {kind} {api}"))?;
                out.line(format_args!("Running hypervisor: {kind} {hypervisor}"))?;
                if *daemon {
                    out.line(format_args!("Running against daemon: {api}"))?;
                }
                out.line("")
            }
            Self::Hostname => out.value("hostname", connection.call(&ConnectGetHostname {})?),
            Self::Uri => out.value("uri", connection.call(&ConnectGetUri {})?),
        }
    }
}
