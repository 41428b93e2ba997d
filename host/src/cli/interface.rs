//! Verbs that change guests' network interfaces: attach-interface, detach-interface, domif-setlink; and domif-getlink.

use super::Session;
use super::args::{self, Domain, InterfaceType, Link, LinkState, Place};
use super::device::{Change, change, devices, of_child};
use super::exit::{Context, Failure};
use super::tune::Rates;
use crate::client::Connection;
use crate::rpc::codec::device::DomainUpdateDeviceFlags;
use crate::rpc::codec::domain::DomainRef;
use clap::{Args, Subcommand};
use driver_api::kit::xml::Element;
use driver_api::types::domain::flags::{AFFECT_CONFIG, XML_INACTIVE};
use serde_json::json;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Put a network interface into a guest
    AttachInterface(Attach),
    /// Take a network interface out of a guest
    DetachInterface {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Of which type.
        #[command(flatten)]
        kind: InterfaceType,
        /// Its MAC address, where there are several of that type
        #[arg(long, value_name = "MAC")]
        mac: Option<String>,
        /// Where.
        #[command(flatten)]
        place: Place,
        /// Only show the element that would be sent
        #[arg(long)]
        print_xml: bool,
    },
    /// Put in or pull the cable of a guest's network interface
    DomifSetlink {
        /// Which one.
        #[command(flatten)]
        interface: Which,
        /// What becomes of it.
        #[command(flatten)]
        state: Link,
        /// Only show the element that would be sent
        #[arg(long)]
        print_xml: bool,
    },
    /// Show whether the cable of a guest's network interface is in
    DomifGetlink(Which),
}

/// What `attach-interface` takes.
#[derive(Args, Debug)]
pub struct Attach {
    #[command(flatten)]
    domain: Domain,
    #[command(flatten)]
    kind: InterfaceType,
    /// The bridge, network or device that it leads to
    #[arg(value_name = "SOURCE", default_value = "")]
    source: String,
    #[arg(long = "source", value_name = "SOURCE", hide = true, conflicts_with = "source")]
    source_option: Option<String>,
    /// What the host's device is called
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Its MAC address
    #[arg(long, value_name = "MAC")]
    mac: Option<String>,
    /// The script that sets the host's device up
    #[arg(long, value_name = "PATH")]
    script: Option<String>,
    /// What the guest takes it for
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// An alias of your own, which begins with `ua-`
    #[arg(long, value_name = "ALIAS")]
    alias: Option<String>,
    /// Limits of what the guest gets: AVERAGE[,PEAK[,BURST]] in KiB/s and KiB
    #[arg(long, value_name = "RATES")]
    inbound: Option<Rates>,
    /// Limits of what the guest sends
    #[arg(long, value_name = "RATES")]
    outbound: Option<Rates>,
    #[command(flatten)]
    place: Place,
    /// Only show the element that would be sent
    #[arg(long)]
    print_xml: bool,
}

/// Which interface of a guest is meant.
#[derive(Args, Debug)]
pub struct Which {
    #[command(flatten)]
    domain: Domain,
    #[command(flatten)]
    interface: args::Interface,
    /// As the definition has it, which the next start takes
    #[arg(long)]
    config: bool,
}

/// Whether an interface is called so: by its device's name or by its MAC address.
pub(super) fn is_called(interface: &Element, called: &str) -> bool {
    let mac = of_child(interface, "mac", "address");
    of_child(interface, "target", "dev") == Some(called) || mac.is_some_and(|mac| mac.eq_ignore_ascii_case(called))
}

impl Attach {
    fn element(&self) -> Element {
        let (kind, source) = (self.kind.get(), self.source_option.as_ref().unwrap_or(&self.source));
        let attribute = match kind.as_str() {
            "network" => "network",
            "direct" | "ethernet" => "dev",
            _ => "bridge",
        };
        let named = |name: &str, attribute: &str, value: &Option<String>| {
            let value = value.as_ref()?;
            Some(Element::new(name).with_attr(attribute, value))
        };
        let rates = [("inbound", &self.inbound), ("outbound", &self.outbound)];
        let bandwidth: Vec<Element> = rates
            .into_iter()
            .filter_map(|(name, rates)| rates.as_ref().map(|rates| rates.element(name)))
            .collect();
        let has_source = !source.is_empty();
        let source = Element::new("source").with_attr(attribute, source);
        let bandwidth = Some(Element::new("bandwidth").with_children(bandwidth));
        Element::new("interface")
            .with_attr("type", kind)
            .with_children(has_source.then_some(source))
            .with_children(named("target", "dev", &self.target))
            .with_children(named("mac", "address", &self.mac))
            .with_children(named("script", "path", &self.script))
            .with_children(named("model", "type", &self.model))
            .with_children(named("alias", "name", &self.alias))
            .with_children(bandwidth.filter(|bandwidth| !bandwidth.children.is_empty()))
    }
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::AttachInterface(attach) => {
                let xml = attach.element().to_string();
                if attach.print_xml {
                    return session.out.document("xml", &xml);
                }
                let (connection, dom) = session.find(&attach.domain)?;
                change(session, connection, dom, Change::Attach(xml), attach.place, "Interface")
            }
            Self::DetachInterface {
                domain,
                kind,
                mac,
                place,
                print_xml,
            } => {
                let (mut connection, dom) = session.find(domain)?;
                let kind = kind.get();
                let mut found = devices(&mut connection, &dom, "interface", place.affect.document())?;
                found.retain(|interface| interface.attr("type") == Some(kind.as_str()));
                let interface = the_one(found, &kind, mac.as_deref(), &dom)?;
                let xml = interface.to_string();
                if *print_xml {
                    return session.out.document("xml", &xml);
                }
                change(session, connection, dom, Change::Detach(xml), *place, "Interface")
            }
            Self::DomifSetlink {
                interface,
                state,
                print_xml,
            } => set_link(session, interface, state.get(), *print_xml),
            Self::DomifGetlink(which) => {
                let (_, _, interface) = which.find(session)?;
                let state = of_child(&interface, "link", "state").unwrap_or("up").to_owned();
                if session.out.is_json() {
                    return session
                        .out
                        .json(&json!({ "interface": which.interface.get(), "state": state }));
                }
                session.out.line(format_args!("{} {state}\n", which.interface.get()))
            }
        }
    }
}

/// The interface that is meant among those of a type.
fn the_one(found: Vec<Element>, kind: &str, mac: Option<&str>, dom: &DomainRef) -> Result<Element, Failure> {
    let count = found.len();
    let name = &dom.name;
    let mut found = found.into_iter();
    match (mac, count) {
        (None, 0) => Err(Failure::Other(format!("'{name}' has no interface of type '{kind}'"))),
        (None, 2..) => Err(Failure::Other(format!(
            "'{name}' has {count} interfaces of type '{kind}': say which one with --mac"
        ))),
        _ => {
            let wanted = found.find(|interface| mac.is_none_or(|mac| is_called(interface, mac)));
            wanted.ok_or_else(|| {
                let mac = mac.unwrap_or_default();
                Failure::Other(format!(
                    "'{name}' has no interface of type '{kind}' with MAC address '{mac}'"
                ))
            })
        }
    }
}

impl Which {
    fn find(&self, session: &Session) -> Result<(Connection, DomainRef, Element), Failure> {
        let (mut connection, dom) = session.find(&self.domain)?;
        let flags = if self.config { XML_INACTIVE } else { 0 };
        let found = devices(&mut connection, &dom, "interface", flags)?;
        let called = self.interface.get();
        let interface = found.into_iter().find(|interface| is_called(interface, &called));
        let interface = interface.ok_or_else(|| {
            let name = &dom.name;
            Failure::Other(format!(
                "'{name}' has no interface '{called}' (`lockstep domiflist {name}` shows all)"
            ))
        })?;
        Ok((connection, dom, interface))
    }
}

fn set_link(session: &Session, which: &Which, state: LinkState, print_xml: bool) -> Result<(), Failure> {
    let (mut connection, dom, mut interface) = which.find(session)?;
    let word = match state {
        LinkState::Up => "up",
        LinkState::Down => "down",
    };
    interface.take_child("link");
    let interface = interface.with_child(Element::new("link").with_attr("state", word));
    let xml = interface.to_string();
    if print_xml {
        return session.out.document("xml", &xml);
    }
    let flags = if which.config { AFFECT_CONFIG } else { 0 };
    let call = DomainUpdateDeviceFlags {
        dom: dom.clone(),
        xml,
        flags,
    };
    connection
        .call(&call)
        .context(|| format!("cannot change the link of '{}'", which.interface.get()))?;
    let value = json!({ "done": "updated", "name": dom.name, "interface": which.interface.get(), "state": word });
    session.out.done("Device updated successfully", &value)
}
