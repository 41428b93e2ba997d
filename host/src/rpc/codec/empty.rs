//! Lists and look-ups of things that this host does not keep: clients want none of them, not "unsupported", or drop whole
//! features.

use super::{Listing, procedures};
use crate::rpc::error::NetworkRef;
use crate::rpc::xdr::xdr_struct;
use driver_api::types::uuid::Uuid;

/// The most node devices in a list.
const NODE_DEVICES_MAX: usize = 65_536;

xdr_struct! {
    /// A host interface.
    InterfaceRef {
        name: String,
        mac: String,
    }

    /// A device of the machine.
    NodeDeviceRef {
        name: String,
    }

    /// A secret.
    SecretRef {
        uuid: Uuid,
        usage_type: i32,
        usage_id: String,
    }
}

procedures! {
    46 NetworkLookupByName { name: String } -> NetworkRef;
    47 NetworkLookupByUuid { uuid: Uuid } -> NetworkRef;
    50 ConnectNumOfDefinedNetworks {} -> i32;
    52 ConnectNumOfNetworks {} -> i32;
    111 NodeNumOfDevices { cap: Option<String>, flags: u32 } -> i32;
    113 NodeDeviceLookupByName { name: String } -> NodeDeviceRef;
    126 ConnectNumOfInterfaces {} -> i32;
    128 InterfaceLookupByName { name: String } -> InterfaceRef;
    129 InterfaceLookupByMacString { mac: String } -> InterfaceRef;
    137 ConnectNumOfDefinedInterfaces {} -> i32;
    139 ConnectNumOfSecrets {} -> i32;
    141 SecretLookupByUuid { uuid: Uuid } -> SecretRef;
    147 SecretLookupByUsage { usage_type: i32, usage_id: String } -> SecretRef;
    283 ConnectListAllNetworks { need_results: i32, flags: u32 } -> Listing<NetworkRef>;
    284 ConnectListAllInterfaces { need_results: i32, flags: u32 } -> Listing<InterfaceRef>;
    285 ConnectListAllNodeDevices { need_results: i32, flags: u32 } -> Listing<NodeDeviceRef, NODE_DEVICES_MAX>;
    287 ConnectListAllSecrets { need_results: i32, flags: u32 } -> Listing<SecretRef>;
}
