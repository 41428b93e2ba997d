//! `BindingDef`: which filter somebody wants on which port, with values for its variables.

use crate::def::address::Mac;
use crate::def::vars::Parameters;
use driver_api::types::filter::BindingBrief;
use driver_api::types::uuid::Uuid;

/// A binding as it was asked for. Equal definitions ask for the same rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BindingDef {
    /// Who uses the port.
    pub owner: Owner,
    /// The host's network device; it need not exist yet.
    pub port: String,
    /// The device below a macvtap; kept, as libvirt does, and without effect on bridged ports.
    pub link: Option<String>,
    /// The address of the guest behind the port.
    pub mac: Mac,
    /// The filter's name.
    pub filter: String,
    /// Values for the filter's variables; `MAC` is always among them.
    pub parameters: Parameters,
}

/// Who uses a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The domain's name, or any other.
    pub name: String,
    /// The domain's UUID, or any other.
    pub uuid: Uuid,
}

/// Who made a binding, and may therefore end it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Maker {
    /// A client, by `nwfilter-binding-create`.
    Client,
    /// A virt driver, for a guest.
    Guest,
}

impl BindingDef {
    /// The binding as lists show it.
    #[must_use]
    pub fn brief(&self) -> BindingBrief {
        BindingBrief {
            port: self.port.clone(),
            filter: self.filter.clone(),
        }
    }
}
