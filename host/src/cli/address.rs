//! Verbs that look at guests' network interfaces: domiflist, domifstat, domifaddr.

use super::Session;
use super::args::{self, Domain};
use super::device::{devices, of_child};
use super::exit::Failure;
use super::output::{Cell, harmless};
use crate::rpc::codec::stats::{DomainInterfaceAddresses, DomainInterfaceStats, Interface};
use clap::{Args, Subcommand, ValueEnum};
use driver_api::kit::xml::Element;
use driver_api::types::domain::flags::XML_INACTIVE;
use serde_json::{Map, Value, json};

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// List a guest's network interfaces
    Domiflist {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Those that the next start takes
        #[arg(long)]
        inactive: bool,
    },
    /// Show how much a network interface of a running guest gets and sends
    Domifstat {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Which interface.
        #[command(flatten)]
        interface: args::Interface,
    },
    /// Show the addresses of a running guest's network interfaces
    Domifaddr(Addresses),
}

/// What `domifaddr` takes.
#[derive(Args, Debug)]
pub struct Addresses {
    #[command(flatten)]
    domain: Domain,
    /// Of this interface only, by its name
    #[arg(value_name = "INTERFACE")]
    interface: Option<String>,
    #[arg(
        long = "interface",
        value_name = "INTERFACE",
        hide = true,
        conflicts_with = "interface"
    )]
    interface_option: Option<String>,
    /// Repeat names and MAC addresses on every line
    #[arg(long)]
    full: bool,
    /// Who is asked
    #[arg(long, value_enum, value_name = "SOURCE", default_value_t = Source::Lease)]
    source: Source,
}

/// Who is asked for addresses (`virDomainInterfaceAddressesSource`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Source {
    /// Leases of a DHCP server.
    Lease,
    /// The agent in the guest.
    Agent,
    /// The host's table of neighbours.
    Arp,
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Domiflist { domain, inactive } => {
                let (mut connection, dom) = session.find(domain)?;
                let flags = if *inactive { XML_INACTIVE } else { 0 };
                list(session, &devices(&mut connection, &dom, "interface", flags)?)
            }
            Self::Domifstat { domain, interface } => stat(session, domain, &interface.get()),
            Self::Domifaddr(addresses) => addresses.perform(session),
        }
    }
}

impl Addresses {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let (mut connection, dom) = session.find(&self.domain)?;
        let (source, flags) = (self.source as u32, 0);
        let mut found = connection.call(&DomainInterfaceAddresses { dom, source, flags })?.0;
        if let Some(name) = self.interface.as_ref().or(self.interface_option.as_ref()) {
            found.retain(|interface| interface.name == *name);
        }
        show(session, &found, self.full)
    }
}

fn list(session: &Session, interfaces: &[Element]) -> Result<(), Failure> {
    const NAMES: [&str; 5] = ["interface", "type", "source", "model", "mac"];
    let facts = |interface: &Element| {
        let of_source = |name| of_child(interface, "source", name);
        let source = ["bridge", "network", "dev", "path", "address", "name"]
            .into_iter()
            .find_map(of_source);
        [
            of_child(interface, "target", "dev"),
            interface.attr("type"),
            source,
            of_child(interface, "model", "type"),
            of_child(interface, "mac", "address"),
        ]
        .map(|fact| fact.map(str::to_owned))
    };
    if session.out.is_json() {
        let document = |interface: &Element| {
            let facts = NAMES.into_iter().zip(facts(interface));
            Value::Object(facts.map(|(name, fact)| (name.to_owned(), json!(fact))).collect())
        };
        return session.out.json(&interfaces.iter().map(document).collect());
    }
    let row = |interface: &Element| {
        let cells = facts(interface).map(|fact| Cell::from(fact.unwrap_or_else(|| "-".to_owned())));
        cells.into_iter().collect()
    };
    let rows: Vec<Vec<Cell>> = interfaces.iter().map(row).collect();
    session
        .out
        .table(&["Interface", "Type", "Source", "Model", "MAC"], &rows)
}

fn stat(session: &Session, domain: &Domain, interface: &str) -> Result<(), Failure> {
    let (mut connection, dom) = session.find(domain)?;
    let device = interface.to_owned();
    let stats = connection.call(&DomainInterfaceStats { dom, device })?;
    let figures = [
        ("rx_bytes", stats.rx_bytes),
        ("rx_packets", stats.rx_packets),
        ("rx_errs", stats.rx_errs),
        ("rx_drop", stats.rx_drop),
        ("tx_bytes", stats.tx_bytes),
        ("tx_packets", stats.tx_packets),
        ("tx_errs", stats.tx_errs),
        ("tx_drop", stats.tx_drop),
    ];
    let known = figures.into_iter().filter(|(_, number)| *number >= 0);
    if session.out.is_json() {
        let facts: Map<String, Value> = known.map(|(name, number)| (name.to_owned(), json!(number))).collect();
        return session.out.json(&Value::Object(facts));
    }
    let interface = harmless(interface);
    let lines = known.map(|(name, number)| format!("{interface} {name} {number}\n"));
    session.out.line(lines.collect::<String>())
}

fn show(session: &Session, interfaces: &[Interface], full: bool) -> Result<(), Failure> {
    let family = |kind| if kind == 0 { "ipv4" } else { "ipv6" };
    if session.out.is_json() {
        let document = |interface: &Interface| {
            let addresses = interface.addresses.0.iter().map(
                |address| json!({ "type": family(address.kind), "address": address.address, "prefix": address.prefix }),
            );
            json!({
                "name": interface.name, "mac": interface.mac, "addresses": addresses.collect::<Vec<_>>(),
            })
        };
        return session.out.json(&interfaces.iter().map(document).collect());
    }
    let mut rows = Vec::new();
    for interface in interfaces {
        let mac = interface.mac.as_deref().unwrap_or("N/A");
        if interface.addresses.0.is_empty() {
            rows.push([interface.name.as_str(), mac, "N/A", "N/A"].map(Cell::from).into());
        }
        for (place, address) in interface.addresses.0.iter().enumerate() {
            let head = if place == 0 || full {
                [interface.name.as_str(), mac]
            } else {
                ["-", "-"]
            };
            let address_cell = Cell::from(format_args!("{}/{}", address.address, address.prefix));
            let cells = head.into_iter().map(Cell::from);
            rows.push(cells.chain([Cell::from(family(address.kind)), address_cell]).collect());
        }
    }
    session
        .out
        .table(&["Name", "MAC address", "Protocol", "Address"], &rows)
}
