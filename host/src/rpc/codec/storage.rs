//! Storage pools and volumes: definitions, look-ups, lists and what they are.

use super::{Listing, Names, procedures};
use crate::rpc::xdr::xdr_struct;
use driver_api::types::uuid::Uuid;

xdr_struct! {
    /// A storage pool on the wire; in calls only the UUID counts.
    PoolRef {
        name: String,
        uuid: Uuid,
    }

    /// A storage volume on the wire; in calls the key counts for nothing.
    VolumeRef {
        pool: String,
        name: String,
        key: String,
    }

    /// The result of [`StoragePoolGetInfo`]: a state, and bytes of the file system.
    PoolInfo {
        state: u8,
        capacity: u64,
        allocation: u64,
        available: u64,
    }

    /// The result of [`StorageVolGetInfo`]: a kind, and bytes.
    VolumeInfo {
        kind: u8,
        capacity: u64,
        allocation: u64,
    }
}

procedures! {
    71 ConnectNumOfStoragePools {} -> i32;
    72 ConnectListStoragePools { max: i32 } -> Names;
    73 ConnectNumOfDefinedStoragePools {} -> i32;
    74 ConnectListDefinedStoragePools { max: i32 } -> Names;
    76 StoragePoolCreateXml { xml: String, flags: u32 } -> PoolRef;
    77 StoragePoolDefineXml { xml: String, flags: u32 } -> PoolRef;
    78 StoragePoolCreate { pool: PoolRef, flags: u32 } -> ();
    79 StoragePoolBuild { pool: PoolRef, flags: u32 } -> ();
    80 StoragePoolDestroy { pool: PoolRef } -> ();
    81 StoragePoolDelete { pool: PoolRef, flags: u32 } -> ();
    82 StoragePoolUndefine { pool: PoolRef } -> ();
    83 StoragePoolRefresh { pool: PoolRef, flags: u32 } -> ();
    84 StoragePoolLookupByName { name: String } -> PoolRef;
    85 StoragePoolLookupByUuid { uuid: Uuid } -> PoolRef;
    86 StoragePoolLookupByVolume { volume: VolumeRef } -> PoolRef;
    87 StoragePoolGetInfo { pool: PoolRef } -> PoolInfo;
    88 StoragePoolGetXmlDesc { pool: PoolRef, flags: u32 } -> String;
    89 StoragePoolGetAutostart { pool: PoolRef } -> i32;
    90 StoragePoolSetAutostart { pool: PoolRef, autostart: i32 } -> ();
    91 StoragePoolNumOfVolumes { pool: PoolRef } -> i32;
    92 StoragePoolListVolumes { pool: PoolRef, max: i32 } -> Names;
    93 StorageVolCreateXml { pool: PoolRef, xml: String, flags: u32 } -> VolumeRef;
    94 StorageVolDelete { volume: VolumeRef, flags: u32 } -> ();
    95 StorageVolLookupByName { pool: PoolRef, name: String } -> VolumeRef;
    96 StorageVolLookupByKey { key: String } -> VolumeRef;
    97 StorageVolLookupByPath { path: String } -> VolumeRef;
    98 StorageVolGetInfo { volume: VolumeRef } -> VolumeInfo;
    99 StorageVolGetXmlDesc { volume: VolumeRef, flags: u32 } -> String;
    100 StorageVolGetPath { volume: VolumeRef } -> String;
    154 StoragePoolIsActive { pool: PoolRef } -> i32;
    155 StoragePoolIsPersistent { pool: PoolRef } -> i32;
    281 ConnectListAllStoragePools { need_results: i32, flags: u32 } -> Listing<PoolRef>;
    282 StoragePoolListAllVolumes { pool: PoolRef, need_results: i32, flags: u32 } -> Listing<VolumeRef>;
    378 StorageVolGetInfoFlags { volume: VolumeRef, flags: u32 } -> VolumeInfo;
    391 StoragePoolLookupByTargetPath { path: String } -> PoolRef;
}
