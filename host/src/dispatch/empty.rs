//! Lists and look-ups of what this host does not keep: there is none, since clients drop whole features, or give up, when
//! they hear "not supported".

use super::Dispatch;
use crate::rpc::codec::Listing;
use crate::rpc::codec::empty as codec;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};

/// Declares procedures that answer an empty list, or that there are none.
macro_rules! empty {
    ($($name:ident: $procedure:ident -> $ret:ty = $value:expr;)+) => {$(
        pub(super) fn $name(_: &Dispatch, _: &Call<'_>, _: codec::$procedure) -> Result<$ret> {
            Ok($value)
        }
    )+};
}

empty! {
    defined_networks: ConnectNumOfDefinedNetworks -> i32 = 0;
    networks: ConnectNumOfNetworks -> i32 = 0;
    devices: NodeNumOfDevices -> i32 = 0;
    interfaces: ConnectNumOfInterfaces -> i32 = 0;
    defined_interfaces: ConnectNumOfDefinedInterfaces -> i32 = 0;
    secrets: ConnectNumOfSecrets -> i32 = 0;
    list_networks: ConnectListAllNetworks -> Listing<crate::rpc::error::NetworkRef> = Listing::new(Vec::new(), 1);
    list_interfaces: ConnectListAllInterfaces -> Listing<codec::InterfaceRef> = Listing::new(Vec::new(), 1);
    list_devices: ConnectListAllNodeDevices -> Listing<codec::NodeDeviceRef, 65_536> = Listing::new(Vec::new(), 1);
    list_secrets: ConnectListAllSecrets -> Listing<codec::SecretRef> = Listing::new(Vec::new(), 1);
}

/// Declares procedures that look something up that this host does not keep: libvirt's code for "there is none", and for
/// which part of a host says so.
macro_rules! absent {
    ($($name:ident: $procedure:ident -> $ret:ty = $code:literal, $origin:literal, $thing:literal, |$wish:ident| $by:expr;)+) => {$(
        pub(super) fn $name(_: &Dispatch, _: &Call<'_>, $wish: codec::$procedure) -> Result<$ret> {
            let message = format!("there is no {} with {}: this host keeps none", $thing, $by);
            Err(Error::new(Code($code), Origin($origin), message))
        }
    )+};
}

absent! {
    network: NetworkLookupByName -> crate::rpc::error::NetworkRef = 43, 19, "network", |wish| format!("the name '{}'", wish.name);
    network_by_uuid: NetworkLookupByUuid -> crate::rpc::error::NetworkRef = 43, 19, "network", |wish| format!("UUID '{}'", wish.uuid);
    device: NodeDeviceLookupByName -> codec::NodeDeviceRef = 53, 22, "node device", |wish| format!("the name '{}'", wish.name);
    interface: InterfaceLookupByName -> codec::InterfaceRef = 57, 26, "host interface", |wish| format!("the name '{}'", wish.name);
    interface_by_mac: InterfaceLookupByMacString -> codec::InterfaceRef = 57, 26, "host interface", |wish| format!("address '{}'", wish.mac);
    secret: SecretLookupByUuid -> codec::SecretRef = 66, 30, "secret", |wish| format!("UUID '{}'", wish.uuid);
    secret_by_usage: SecretLookupByUsage -> codec::SecretRef = 66, 30, "secret", |wish| format!("usage '{}' of type {}", wish.usage_id, wish.usage_type);
}
