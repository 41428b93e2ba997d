//! What the host knows of filters, bindings and the ports that virt drivers want filtered.

use super::uuid::Uuid;

/// A filter as lists and look-ups show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterBrief {
    /// Never changes.
    pub uuid: Uuid,
    /// Unique among filters.
    pub name: String,
}

/// A filter bound to a port, as lists and look-ups show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BindingBrief {
    /// The host's network device.
    pub port: String,
    /// The filter's name.
    pub filter: String,
}

/// A guest's port and the filter wanted on it, as a virt driver hands it to the filter driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortRequest {
    /// The host's network device: a tap or veth that exists and is not yet attached to anything.
    pub port: String,
    /// The guest's MAC address in canonical text form.
    pub mac: String,
    /// The filter's name.
    pub filter: String,
    /// `<parameter>` names with their values; a name given twice is a list.
    pub parameters: Vec<(String, String)>,
    /// The domain that owns the port.
    pub owner: Uuid,
    /// The owner's name.
    pub owner_name: String,
}
