//! What puts a device into a running guest: pure, from the device to the order for its kernel.

use super::order::{Order, Unit, Unspeakable};
use super::{Cow, Image, Nic, RUN, assignment, cow, refuse};
use crate::def::disk::{Disk, Place};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::VisibleFile;

/// A disk for a running guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiskPlug {
    /// Which one.
    pub unit: Unit,
    /// What puts it in.
    pub order: Order,
    /// What the kernel answers when it is asked for a disk that it has.
    pub shown: String,
    /// The files that it lives in.
    pub image: Image,
    /// Its copy-on-write file, made first if it is missing.
    pub cow: Option<Cow>,
}

impl DiskPlug {
    /// Plans a disk; `None` for a drive without a medium, of which the guest sees nothing.
    ///
    /// # Errors
    /// 67 for one that the kernel can not be told of.
    pub fn of(disk: &Disk) -> Result<Option<Self>> {
        let Some(image) = Image::of(disk)? else {
            return Ok(None);
        };
        let Place::Ubd(number) = image.place else {
            return Err(refuse(format!(
                "disk '{}' on bus '{}' can not come or go while the guest runs: those on bus 'uml' can",
                disk.target, disk.bus
            )));
        };
        let Some((option, value)) = assignment(disk)? else {
            return Ok(None);
        };
        let order = Order::disk(&option, &value);
        let top = image.top.path.display();
        Ok(Some(Self {
            unit: Unit::Disk(number),
            order: order.map_err(|why| unspeakable(&format!("disk '{}'", disk.target), why))?,
            shown: match image.below.first() {
                Some(below) => format!("{top},{}", below.path.display()),
                None => top.to_string(),
            },
            cow: cow(disk),
            image,
        }))
    }

    /// The host's files that the guest opens.
    pub fn files(&self) -> impl Iterator<Item = VisibleFile> {
        let top = (&self.image.top, !self.image.readonly);
        let below = self.image.below.iter().map(|layer| (layer, false));
        std::iter::once(top).chain(below).map(|(layer, writable)| VisibleFile {
            path: layer.path.clone(),
            writable,
        })
    }
}

impl Nic {
    /// What puts it into a running guest; `device` is the host's.
    ///
    /// # Errors
    /// 67 for one that the kernel can not be told of.
    pub fn order(&self, device: &str) -> Result<Order> {
        // The run folder is where the guest's kernel is at home.
        let argument = self.argument(device).replace(&format!("{RUN}/"), "");
        Order::interface(&argument).map_err(|why| unspeakable(&format!("interface '{}'", self.mac), why))
    }

    /// The guest's device.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        Unit::Interface(self.number)
    }
}

fn unspeakable(what: &str, why: Unspeakable) -> Error {
    let remedy = match why {
        Unspeakable::Long(_) => "shorten its paths",
        Unspeakable::Odd(_) => "choose other names",
    };
    let message = format!("{what} can not be plugged into a running guest: {remedy}");
    Error::new(Code::CONFIG_UNSUPPORTED, Origin::UML, message).because(why)
}
