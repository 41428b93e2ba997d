//! `virt.devices/1`: elements that a running domain has and forgets when it stops.

use crate::{Hello, invalid, unsupported, wrong_state};
use driver_api::driver::Devices;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::flags::DEVICE_FORCE;
use driver_api::types::domain::DomainBrief;
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::notice::Notice;
use driver_api::types::uuid::Uuid;

/// One device.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) alias: String,
    pub(crate) element: Element,
}

impl Device {
    /// What it is called in its domain: the target of a disk or an interface.
    pub(crate) fn target(&self) -> Option<&str> {
        target(&self.element)
    }

    /// Whether an element means this device.
    fn fits(&self, element: &Element) -> bool {
        let alias = element.child("alias").and_then(|alias| alias.attr("name"));
        let called = alias.map_or_else(|| target(element) == self.target(), |alias| alias == self.alias);
        element.name == self.element.name && called
    }
}

fn target(element: &Element) -> Option<&str> {
    element.child("target")?.attr("dev")
}

fn read(xml: &str) -> Result<Element> {
    parse(xml.as_bytes(), Origin::DOMAIN, &Limits::default())
}

impl Hello {
    /// The domain if it can be changed where the flags say: there is nowhere but where it runs.
    fn live(&self, uuid: Uuid, flags: u32) -> Result<DomainBrief> {
        let unknown = flags & !(AFFECT_LIVE | AFFECT_CONFIG | DEVICE_FORCE);
        if unknown != 0 {
            return Err(invalid(format!("unknown flags {unknown:#x} for a device")));
        }
        if flags & AFFECT_CONFIG != 0 {
            return Err(unsupported("keep devices for the next start"));
        }
        let brief = self.get(uuid)?;
        if brief.id.is_none() {
            return Err(wrong_state(&brief, "is not running"));
        }
        Ok(brief)
    }

    fn take_device(&self, uuid: Uuid, flags: u32, what: &str, fits: impl Fn(&Device) -> bool) -> Result<()> {
        let brief = self.live(uuid, flags)?;
        let gone = self.with(uuid, |extras| {
            let place = extras.devices.iter().position(fits)?;
            Some(extras.devices.remove(place))
        });
        let gone = gone.ok_or_else(|| missing(&brief, what))?;
        self.notify(&brief, Notice::DeviceRemoved { alias: gone.alias });
        Ok(())
    }
}

fn missing(brief: &DomainBrief, what: &str) -> Error {
    let message = format!("domain '{}' has no such {what}", brief.name);
    Error::new(Code::DEVICE_MISSING, Origin::DOMAIN, message)
}

impl Devices for Hello {
    fn attach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        let brief = self.live(uuid, flags)?;
        let element = read(xml)?;
        let own = element.child("alias").and_then(|alias| alias.attr("name"));
        let own = own.map(str::to_owned);
        let alias = self.with(uuid, |extras| {
            let alias = own.unwrap_or_else(|| format!("{}{}", element.name, extras.devices.len()));
            if extras
                .devices
                .iter()
                .any(|device| device.alias == alias || device.fits(&element))
            {
                return None;
            }
            extras.devices.push(Device {
                alias: alias.clone(),
                element,
            });
            Some(alias)
        });
        let alias = alias.ok_or_else(|| {
            let message = format!("domain '{}' has a device that is called so already", brief.name);
            Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, message)
        })?;
        // Clients hear of it once the guard above is gone.
        self.notify(&brief, Notice::DeviceAdded { alias });
        Ok(())
    }

    fn detach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        let element = read(xml)?;
        self.take_device(uuid, flags, &element.name, |device| device.fits(&element))
    }

    fn detach_alias(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, alias: &str, flags: u32) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        self.take_device(uuid, flags, &format!("device '{alias}'"), |device| {
            device.alias == alias
        })
    }

    fn update_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        let brief = self.live(uuid, flags)?;
        let element = read(xml)?;
        let name = element.name.clone();
        let changed = self.with(uuid, |extras| {
            let device = extras.devices.iter_mut().find(|device| device.fits(&element))?;
            device.element = element;
            Some(())
        });
        changed.ok_or_else(|| missing(&brief, &name))
    }
}
