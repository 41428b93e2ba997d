//! Lists of what this host does not keep: empty, since clients drop whole features when they hear "not supported".

use super::Dispatch;
use crate::rpc::codec::Listing;
use crate::rpc::codec::empty as codec;
use crate::server::Call;
use driver_api::error::Result;

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
    pools: ConnectNumOfStoragePools -> i32 = 0;
    defined_pools: ConnectNumOfDefinedStoragePools -> i32 = 0;
    devices: NodeNumOfDevices -> i32 = 0;
    interfaces: ConnectNumOfInterfaces -> i32 = 0;
    defined_interfaces: ConnectNumOfDefinedInterfaces -> i32 = 0;
    secrets: ConnectNumOfSecrets -> i32 = 0;
    list_pools: ConnectListAllStoragePools -> Listing<codec::PoolRef> = Listing::new(Vec::new(), 1);
    list_networks: ConnectListAllNetworks -> Listing<crate::rpc::error::NetworkRef> = Listing::new(Vec::new(), 1);
    list_interfaces: ConnectListAllInterfaces -> Listing<codec::InterfaceRef> = Listing::new(Vec::new(), 1);
    list_devices: ConnectListAllNodeDevices -> Listing<codec::NodeDeviceRef, 65_536> = Listing::new(Vec::new(), 1);
    list_secrets: ConnectListAllSecrets -> Listing<codec::SecretRef> = Listing::new(Vec::new(), 1);
}
