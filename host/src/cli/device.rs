//! Verbs about devices as XML: attach-device, detach-device, detach-device-alias, update-device.

use super::Session;
use super::args::{Affect, Alias, Domain, File, Place};
use super::define::done;
use super::exit::{Context, Failure};
use crate::client::Connection;
use crate::rpc::codec::device::{
    DomainAttachDeviceFlags, DomainDetachDeviceAlias, DomainDetachDeviceFlags, DomainUpdateDeviceFlags,
};
use crate::rpc::codec::domain::{DomainGetXmlDesc, DomainRef, NO_ID};
use clap::{Args, Subcommand};
use driver_api::error::Origin;
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::device::flags::DEVICE_FORCE;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Put a device into a guest, from its XML element
    AttachDevice(Device),
    /// Take a device out of a guest, by its XML element
    DetachDevice(Device),
    /// Take a device out of a guest, by its alias
    DetachDeviceAlias {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Which device.
        #[command(flatten)]
        alias: Alias,
        /// Where.
        #[command(flatten)]
        affect: Affect,
    },
    /// Change a device of a guest to what its XML element says
    UpdateDevice {
        /// Which device, and where.
        #[command(flatten)]
        device: Device,
        /// Even if the guest does not go along
        #[arg(long)]
        force: bool,
    },
}

/// A device in a guest.
#[derive(Args, Debug)]
pub struct Device {
    #[command(flatten)]
    domain: Domain,
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    place: Place,
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::AttachDevice(device) => {
                let xml = device.file.read()?;
                let (connection, dom) = session.find(&device.domain)?;
                change(session, connection, dom, Change::Attach(xml), device.place, "Device")
            }
            Self::DetachDevice(device) => {
                let xml = device.file.read()?;
                let (connection, dom) = session.find(&device.domain)?;
                change(session, connection, dom, Change::Detach(xml), device.place, "Device")
            }
            Self::UpdateDevice { device, force } => {
                let xml = device.file.read()?;
                let (connection, dom) = session.find(&device.domain)?;
                let update = Change::Update { xml, force: *force };
                change(session, connection, dom, update, device.place, "Device")
            }
            Self::DetachDeviceAlias { domain, alias, affect } => {
                let (mut connection, dom) = session.find(domain)?;
                let call = DomainDetachDeviceAlias {
                    dom: dom.clone(),
                    alias: alias.get(),
                    flags: affect.flags(),
                };
                connection
                    .call(&call)
                    .context(|| format!("cannot take device '{}' out of '{}'", alias.get(), dom.name))?;
                let sentence = "Device detach request sent successfully";
                session.out.done(sentence, &done("detached", &dom))
            }
        }
    }
}

/// What becomes of a device.
pub(super) enum Change {
    Attach(String),
    Detach(String),
    Update { xml: String, force: bool },
}

/// Makes a change and says that it is made.
pub(super) fn change(
    session: &Session,
    mut connection: Connection,
    dom: DomainRef,
    change: Change,
    place: Place,
    what: &str,
) -> Result<(), Failure> {
    let flags = place.flags(dom.id != NO_ID);
    let small = what.to_lowercase();
    let (of, name) = (dom.clone(), &dom.name);
    let word = match change {
        Change::Attach(xml) => {
            let call = DomainAttachDeviceFlags { dom: of, xml, flags };
            connection
                .call(&call)
                .context(|| format!("cannot put the {small} into '{name}'"))?;
            "attached"
        }
        Change::Detach(xml) => {
            let call = DomainDetachDeviceFlags { dom: of, xml, flags };
            connection
                .call(&call)
                .context(|| format!("cannot take the {small} out of '{name}'"))?;
            "detached"
        }
        Change::Update { xml, force } => {
            let flags = if force { flags | DEVICE_FORCE } else { flags };
            let call = DomainUpdateDeviceFlags { dom: of, xml, flags };
            connection
                .call(&call)
                .context(|| format!("cannot change the {small} of '{name}'"))?;
            "updated"
        }
    };
    session
        .out
        .done(format_args!("{what} {word} successfully"), &done(word, &dom))
}

/// The devices of a guest of one kind, as its document shows them (`virDomainXMLFlags`).
pub(super) fn devices(
    connection: &mut Connection,
    dom: &DomainRef,
    kind: &str,
    flags: u32,
) -> Result<Vec<Element>, Failure> {
    let dom = dom.clone();
    let xml = connection.call(&DomainGetXmlDesc { dom, flags })?;
    let document = parse(xml.as_bytes(), Origin::DOMAIN, &Limits::default());
    let mut document = document.map_err(|error| Failure::Other(format!("the host's document: {error}")))?;
    let devices = document.take_child("devices");
    Ok(devices
        .map(|mut devices| devices.take_children(kind))
        .unwrap_or_default())
}

/// An attribute of a child of a device.
pub(super) fn of_child<'d>(device: &'d Element, child: &str, attribute: &str) -> Option<&'d str> {
    device.child(child)?.attr(attribute)
}
