//! A definition with one device more, fewer, or another one in its place; what runs keeps the numbers of all others.

use super::console::{CONSOLE_COUNT, Console, SERIAL_COUNT};
use super::device::{Device, Given};
use super::disk::Disk;
use super::interface::Interface;
use super::live::{console_alias, disk_alias, interface_alias, serial_alias};
use super::{DomainDef, format, validate};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Node};

/// How many interfaces a guest may have (`vec0`...).
pub const INTERFACE_COUNT: u32 = 32;

/// Which of a definition's devices, by its place among those of its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are those of `Device`")]
pub enum Place {
    Disk(usize),
    Interface(usize),
    Console(usize),
    Serial(usize),
}

impl DomainDef {
    /// The device at a place.
    #[must_use]
    pub fn device(&self, place: Place) -> Option<Device> {
        match place {
            Place::Disk(at) => self.disks.get(at).cloned().map(Device::Disk),
            Place::Interface(at) => self.interfaces.get(at).cloned().map(Device::Interface),
            Place::Console(at) => self.consoles.get(at).cloned().map(Device::Console),
            Place::Serial(at) => self.serials.get(at).cloned().map(Device::Serial),
        }
    }

    /// The alias that the device at a place has while the domain runs; empty where there is none.
    #[must_use]
    pub fn alias(&self, place: Place) -> String {
        self.device(place).as_ref().and_then(alias).unwrap_or_default()
    }

    /// The place of the device with an alias.
    ///
    /// # Errors
    /// 99.
    pub fn place_of_alias(&self, wanted: &str) -> Result<Place> {
        let found = self
            .places()
            .find(|place| self.device(*place).as_ref().and_then(alias).as_deref() == Some(wanted));
        found.ok_or_else(|| missing(self, &format!("with the alias '{}'", wanted.escape_debug())))
    }

    /// The place of the device that is meant: by the user's own alias, a disk by its target, an interface by its address, a
    /// line by its port; where the element does not say that, by any alias, or the only one that is alike.
    ///
    /// # Errors
    /// 99 when there is none, 9 when several are meant, 67 for a kind of device that has no place.
    pub fn place_of(&self, wanted: &Given) -> Result<Place> {
        if let Some(alias) = &wanted.alias
            && (!wanted.exact || alias.starts_with("ua-"))
        {
            let place = self.place_of_alias(alias)?;
            let kind = self.device(place).map(|device| device.element().to_owned());
            if kind.as_deref() != Some(wanted.device.element()) {
                let what = format!("<{}> with the alias '{alias}'", wanted.device.element());
                return Err(missing(self, &what));
            }
            return Ok(place);
        }
        let (alike, what): (Vec<Place>, String) = match &wanted.device {
            Device::Disk(disk) => (
                places(&self.disks, Place::Disk, |other| other.target == disk.target),
                format!("disk '{}'", disk.target),
            ),
            Device::Interface(wanted_one) => (
                places(&self.interfaces, Place::Interface, |other| {
                    if wanted.exact {
                        other.mac == wanted_one.mac
                    } else {
                        resembles(other, wanted_one)
                    }
                }),
                match wanted.exact {
                    true => format!("interface with the address '{}'", wanted_one.mac),
                    false => format!("interface of type '{}' like that", wanted_one.kind),
                },
            ),
            Device::Console(line) => lines(&self.consoles, Place::Console, line, "console", wanted.exact),
            Device::Serial(line) => lines(&self.serials, Place::Serial, line, "serial", wanted.exact),
            Device::Other(element) => {
                let message = format!("<{}> can not be changed while a domain runs", element.name);
                return Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::UML, message));
            }
        };
        match alike[..] {
            [place] => Ok(place),
            [] => Err(missing(self, &what)),
            _ => {
                let message = format!(
                    "domain '{}' has {} devices that may be meant by '{what}': give the alias",
                    self.name,
                    alike.len()
                );
                Err(Error::new(Code::OPERATION_FAILED, Origin::UML, message))
            }
        }
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let disks = (0..self.disks.len()).map(Place::Disk);
        let interfaces = (0..self.interfaces.len()).map(Place::Interface);
        let consoles = (0..self.consoles.len()).map(Place::Console);
        let serials = (0..self.serials.len()).map(Place::Serial);
        disks.chain(interfaces).chain(consoles).chain(serials)
    }

    /// The same with one device more, and where it is. All others keep their numbers; the new one gets the lowest that is
    /// free. The numbers in `taken` are not given to a console.
    ///
    /// # Errors
    /// 9 when its target, address, port or alias is taken, 67 when there is no number left and for a kind of device that
    /// does not come and go, else as `DomainDef::from_xml`.
    pub fn with(&self, given: &Given, taken: &[u32]) -> Result<(Self, Place)> {
        let mut def = self.clone();
        if let Some(alias) = given.device.own_alias()
            && self.place_of_alias(alias).is_ok()
        {
            return Err(occupied(self, &format!("alias '{alias}'"), "another device"));
        }
        let place = match &given.device {
            Device::Disk(disk) => {
                if let Some(other) = self.disks.iter().find(|other| other.target == disk.target) {
                    let owner = format!("the disk '{}'", other.source.as_deref().unwrap_or_default());
                    return Err(occupied(self, &format!("target '{}'", disk.target), &owner));
                }
                let at = self.disks.partition_point(|other| rank(other) < rank(disk));
                def.disks.insert(at, disk.clone());
                Place::Disk(at)
            }
            Device::Interface(interface) => {
                if self.interfaces.iter().any(|other| other.mac == interface.mac) {
                    return Err(occupied(
                        self,
                        &format!("address '{}'", interface.mac),
                        "another interface",
                    ));
                }
                let used = self.interfaces.iter().map(|other| other.number);
                let number = lowest_free(used, INTERFACE_COUNT).ok_or_else(|| full(self, "interfaces"))?;
                def.interfaces.push(Interface {
                    number,
                    ..interface.clone()
                });
                Place::Interface(self.interfaces.len())
            }
            Device::Console(console) => {
                let used = self.consoles.iter().map(|other| other.port);
                let used = used.chain(taken.iter().copied());
                let port = lowest_free(used, CONSOLE_COUNT).ok_or_else(|| full(self, "consoles"))?;
                def.consoles.push(Console {
                    port,
                    ..console.clone()
                });
                Place::Console(self.consoles.len())
            }
            Device::Serial(serial) => {
                let mut used = self.serials.iter().map(|other| other.port);
                if given.exact && used.clone().any(|port| port == serial.port) {
                    return Err(occupied(
                        self,
                        &format!("serial port {}", serial.port),
                        "another serial line",
                    ));
                }
                let port = match given.exact {
                    true => serial.port,
                    false => lowest_free(&mut used, SERIAL_COUNT).ok_or_else(|| full(self, "serial lines"))?,
                };
                def.serials.push(Console { port, ..serial.clone() });
                Place::Serial(self.serials.len())
            }
            Device::Other(element) => {
                let message = format!("<{}> can not be plugged into a domain that runs", element.name);
                return Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::UML, message));
            }
        };
        validate::all(&def)?;
        Ok((def, place))
    }

    /// The same without one device.
    #[must_use]
    pub fn without(&self, place: Place) -> Self {
        fn remove<T>(all: &mut Vec<T>, at: usize) {
            if at < all.len() {
                all.remove(at);
            }
        }
        let mut def = self.clone();
        match place {
            Place::Disk(at) => remove(&mut def.disks, at),
            Place::Interface(at) => remove(&mut def.interfaces, at),
            Place::Console(at) => remove(&mut def.consoles, at),
            Place::Serial(at) => remove(&mut def.serials, at),
        }
        def
    }

    /// The same with another device at a place, which keeps its number.
    ///
    /// # Errors
    /// 27 and its kin when the whole contradicts itself then.
    pub fn exchanged(&self, place: Place, device: &Device) -> Result<Self> {
        let mut def = self.clone();
        match (place, device) {
            (Place::Disk(at), Device::Disk(disk)) => {
                if let Some(old) = def.disks.get_mut(at) {
                    *old = disk.clone();
                }
            }
            (Place::Interface(at), Device::Interface(interface)) => {
                if let Some(old) = def.interfaces.get_mut(at) {
                    *old = Interface {
                        number: old.number,
                        mac: old.mac,
                        ..interface.clone()
                    };
                }
            }
            (Place::Console(at), Device::Console(line)) => {
                if let Some(old) = def.consoles.get_mut(at) {
                    *old = Console {
                        port: old.port,
                        ..line.clone()
                    };
                }
            }
            (Place::Serial(at), Device::Serial(line)) => {
                if let Some(old) = def.serials.get_mut(at) {
                    *old = Console {
                        port: old.port,
                        ..line.clone()
                    };
                }
            }
            _ => {}
        }
        validate::all(&def)?;
        Ok(def)
    }

    /// The definition as the next start reads it: numbers by the place in the document.
    ///
    /// # Errors
    /// As `DomainDef::from_xml`.
    pub fn renumbered(&self) -> Result<Self> {
        Self::from_xml(self.to_xml(None).as_bytes())
    }

    /// What this asks for that can not be done, and `before` did not ask for.
    #[must_use]
    pub fn refused_beyond(&self, before: &Self) -> Vec<String> {
        let known = before.unsupported();
        let mut reasons = self.unsupported();
        reasons.retain(|reason| !known.contains(reason));
        reasons
    }

    /// The definition with a device of a kind that only definitions have.
    ///
    /// # Errors
    /// As `DomainDef::from_xml`.
    pub fn with_element(&self, element: &Element) -> Result<Self> {
        let mut document = format::document(self, None);
        if let Some(devices) = devices(&mut document) {
            devices.children.push(Node::Element(element.clone()));
        }
        Self::from_xml(document.to_string().as_bytes())
    }

    /// The definition without a device of a kind that only definitions have.
    ///
    /// # Errors
    /// 99 when there is none that is alike.
    pub fn without_element(&self, element: &Element) -> Result<Self> {
        let mut document = format::document(self, None);
        let alike = |node: &Node| matches!(node, Node::Element(one) if bare(one) == bare(element));
        let place = devices(&mut document).and_then(|devices| {
            let place = devices.children.iter().position(alike)?;
            Some(devices.children.remove(place))
        });
        match place {
            Some(_) => Self::from_xml(document.to_string().as_bytes()),
            None => Err(missing(self, &format!("<{}> like that", element.name))),
        }
    }
}

fn devices(document: &mut Element) -> Option<&mut Element> {
    document.children.iter_mut().find_map(|node| match node {
        Node::Element(element) if element.name == "devices" => Some(element),
        _ => None,
    })
}

/// The element without the blanks that only lay it out, and without what a host adds to what runs.
fn bare(element: &Element) -> Element {
    let mut bare = element.clone();
    bare.children.retain(|node| match node {
        Node::Element(child) => child.name != "alias" || child.attr("name").is_some_and(|name| name.starts_with("ua-")),
        Node::Text(text) => !text.trim().is_empty(),
        Node::Comment(_) => false,
    });
    for node in &mut bare.children {
        if let Node::Element(child) = node {
            *child = self::bare(child);
        }
    }
    bare
}

/// The alias of a device of what runs.
fn alias(device: &Device) -> Option<String> {
    let own = device.own_alias();
    match device {
        Device::Disk(disk) => Some(disk_alias(&disk.target, own)),
        Device::Interface(interface) => Some(interface_alias(interface.number, own)),
        Device::Console(line) => Some(console_alias(line.port, own)),
        Device::Serial(line) => Some(serial_alias(line.port, own)),
        Device::Other(_) => own.map(ToOwned::to_owned),
    }
}

/// The order of disks in a definition.
pub(super) fn rank(disk: &Disk) -> (bool, &super::disk::Target) {
    (disk.bus != "uml", &disk.target)
}

fn places<T>(all: &[T], place: fn(usize) -> Place, alike: impl Fn(&T) -> bool) -> Vec<Place> {
    let found = all.iter().enumerate().filter(|(_, one)| alike(one));
    found.map(|(at, _)| place(at)).collect()
}

fn lines(all: &[Console], place: fn(usize) -> Place, line: &Console, what: &str, exact: bool) -> (Vec<Place>, String) {
    if exact {
        let alike = places(all, place, |other| other.port == line.port);
        return (alike, format!("{what} on port {}", line.port));
    }
    let alike = places(all, place, |other| {
        other.kind == line.kind && (line.source.is_none() || other.source == line.source)
    });
    (alike, format!("{what} of type '{}' like that", line.kind))
}

/// Whether what is said of an interface without its address is true of this one.
fn resembles(interface: &Interface, wanted: &Interface) -> bool {
    interface.kind == wanted.kind
        && (wanted.source.is_none() || interface.source == wanted.source)
        && (wanted.target.is_none() || interface.target == wanted.target)
}

fn lowest_free(used: impl IntoIterator<Item = u32>, count: u32) -> Option<u32> {
    let used: Vec<u32> = used.into_iter().collect();
    (0..count).find(|number| !used.contains(number))
}

fn missing(def: &DomainDef, what: &str) -> Error {
    let message = format!("domain '{}' has no device: {what}", def.name);
    Error::new(Code::DEVICE_MISSING, Origin::UML, message)
}

fn occupied(def: &DomainDef, what: &str, owner: &str) -> Error {
    let message = format!("{what} of domain '{}' is taken by {owner}", def.name);
    Error::new(Code::OPERATION_FAILED, Origin::UML, message)
}

fn full(def: &DomainDef, what: &str) -> Error {
    let message = format!("domain '{}' has as many {what} as UML can have", def.name);
    Error::new(Code::CONFIG_UNSUPPORTED, Origin::UML, message)
}
