//! Devices that come, go and change.

use super::domain::DomainRef;
use super::procedures;

procedures! {
    8 DomainAttachDevice { dom: DomainRef, xml: String } -> ();
    13 DomainDetachDevice { dom: DomainRef, xml: String } -> ();
    160 DomainAttachDeviceFlags { dom: DomainRef, xml: String, flags: u32 } -> ();
    161 DomainDetachDeviceFlags { dom: DomainRef, xml: String, flags: u32 } -> ();
    174 DomainUpdateDeviceFlags { dom: DomainRef, xml: String, flags: u32 } -> ();
    392 DomainDetachDeviceAlias { dom: DomainRef, alias: String, flags: u32 } -> ();
}
