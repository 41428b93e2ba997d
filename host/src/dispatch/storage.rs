//! Storage pools: look-ups, lists, and what is done with them. They are the host's own, so no driver is asked.

use super::Dispatch;
use crate::rpc::codec::storage::{
    ConnectListAllStoragePools, ConnectListDefinedStoragePools, ConnectListStoragePools,
    ConnectNumOfDefinedStoragePools, ConnectNumOfStoragePools, PoolInfo, PoolRef, StoragePoolBuild, StoragePoolCreate,
    StoragePoolCreateXml, StoragePoolDefineXml, StoragePoolDelete, StoragePoolDestroy, StoragePoolGetAutostart,
    StoragePoolGetInfo, StoragePoolGetXmlDesc, StoragePoolIsActive, StoragePoolIsPersistent, StoragePoolLookupByName,
    StoragePoolLookupByTargetPath, StoragePoolLookupByUuid, StoragePoolLookupByVolume, StoragePoolRefresh,
    StoragePoolSetAutostart, StoragePoolUndefine,
};
use crate::rpc::codec::{Listing, Names};
use crate::rpc::xdr::List;
use crate::server::Call;
use crate::storage::{self, Build, Pool};
use driver_api::error::{Code, Result};

/// `virConnectListAllStoragePoolsFlags`: groups of which none or some narrow the list.
mod narrow {
    pub(super) const INACTIVE: u32 = 1;
    pub(super) const ACTIVE: u32 = 2;
    pub(super) const PERSISTENT: u32 = 4;
    pub(super) const TRANSIENT: u32 = 8;
    pub(super) const AUTOSTART: u32 = 16;
    pub(super) const NO_AUTOSTART: u32 = 32;
    /// Folders.
    pub(super) const DIR: u32 = 64;
    /// All kinds of pools, of which only folders are kept here.
    pub(super) const KINDS: u32 = 0xf_ffc0;
    pub(super) const ALL: u32 = 0xf_ffff;
}

/// `virStoragePoolState`.
const INACTIVE: u8 = 0;
const RUNNING: u8 = 2;

/// `VIR_STORAGE_XML_INACTIVE`.
const XML_INACTIVE: u32 = 1;

pub(super) fn refuse_flags(flags: u32, known: u32, what: &str) -> Result<()> {
    if flags & !known == 0 {
        return Ok(());
    }
    let message = format!("{what} does not know the flags {:#x}", flags & !known);
    Err(storage::fault(Code::INVALID_ARG, message))
}

fn wire(pool: &Pool) -> PoolRef {
    PoolRef {
        name: pool.definition.name.clone(),
        uuid: pool.definition.uuid,
    }
}

fn matches(pool: &Pool, flags: u32) -> bool {
    let group = |pairs: &[(u32, bool)]| {
        let asked = pairs.iter().filter(|(flag, _)| flags & flag != 0);
        let mut asked = asked.peekable();
        asked.peek().is_none() || asked.any(|(_, is)| *is)
    };
    group(&[(narrow::ACTIVE, pool.active), (narrow::INACTIVE, !pool.active)])
        && group(&[
            (narrow::PERSISTENT, pool.persistent),
            (narrow::TRANSIENT, !pool.persistent),
        ])
        && group(&[
            (narrow::AUTOSTART, pool.autostart),
            (narrow::NO_AUTOSTART, !pool.autostart),
        ])
        && (flags & narrow::KINDS == 0 || flags & narrow::DIR != 0)
}

fn count(host: &Dispatch, active: bool) -> i32 {
    let pools = host.storage.pools();
    i32::try_from(pools.iter().filter(|pool| pool.active == active).count()).unwrap_or(i32::MAX)
}

fn names(host: &Dispatch, active: bool, max: i32) -> Names {
    let pools = host.storage.pools();
    let some = pools
        .iter()
        .filter(|pool| pool.active == active)
        .take(usize::try_from(max).unwrap_or(0));
    List(some.map(|pool| pool.definition.name.clone()).collect())
}

pub(super) fn num_active(host: &Dispatch, _: &Call<'_>, _: ConnectNumOfStoragePools) -> Result<i32> {
    Ok(count(host, true))
}

pub(super) fn num_inactive(host: &Dispatch, _: &Call<'_>, _: ConnectNumOfDefinedStoragePools) -> Result<i32> {
    Ok(count(host, false))
}

pub(super) fn list_active(host: &Dispatch, _: &Call<'_>, args: ConnectListStoragePools) -> Result<Names> {
    Ok(names(host, true, args.max))
}

pub(super) fn list_inactive(host: &Dispatch, _: &Call<'_>, args: ConnectListDefinedStoragePools) -> Result<Names> {
    Ok(names(host, false, args.max))
}

pub(super) fn list_all(host: &Dispatch, _: &Call<'_>, args: ConnectListAllStoragePools) -> Result<Listing<PoolRef>> {
    refuse_flags(args.flags, narrow::ALL, "a list of pools")?;
    let pools = host.storage.pools();
    let wanted = pools.iter().filter(|pool| matches(pool, args.flags));
    Ok(Listing::new(wanted.map(|pool| wire(pool)).collect(), args.need_results))
}

pub(super) fn by_name(host: &Dispatch, _: &Call<'_>, args: StoragePoolLookupByName) -> Result<PoolRef> {
    Ok(wire(&*host.storage.by_name(&args.name)?))
}

pub(super) fn by_uuid(host: &Dispatch, _: &Call<'_>, args: StoragePoolLookupByUuid) -> Result<PoolRef> {
    Ok(wire(&*host.storage.by_uuid(args.uuid)?))
}

pub(super) fn by_volume(host: &Dispatch, _: &Call<'_>, args: StoragePoolLookupByVolume) -> Result<PoolRef> {
    Ok(wire(&*host.storage.by_name(&args.volume.pool)?))
}

pub(super) fn by_folder(host: &Dispatch, _: &Call<'_>, args: StoragePoolLookupByTargetPath) -> Result<PoolRef> {
    Ok(wire(&*host.storage.by_folder(&args.path)?))
}

/// `virStoragePoolCreateFlags`.
fn create_build(flags: u32) -> Result<Build> {
    match flags {
        0 => Ok(Build::No),
        1..=3 => Ok(Build::Yes),
        4 | 5 => Ok(Build::Fresh),
        _ => {
            let message = format!("the start of a pool does not know the flags {flags:#x}");
            Err(storage::fault(Code::INVALID_ARG, message))
        }
    }
}

pub(super) fn create_xml(host: &Dispatch, _: &Call<'_>, args: StoragePoolCreateXml) -> Result<PoolRef> {
    Ok(wire(&*host.storage.create(&args.xml, create_build(args.flags)?)?))
}

pub(super) fn define(host: &Dispatch, _: &Call<'_>, args: StoragePoolDefineXml) -> Result<PoolRef> {
    // Every document is read strictly, which is what the one flag that there is asks for.
    refuse_flags(args.flags, 1, "the definition of a pool")?;
    Ok(wire(&*host.storage.define(&args.xml)?))
}

pub(super) fn create(host: &Dispatch, _: &Call<'_>, args: StoragePoolCreate) -> Result<()> {
    host.storage.start(args.pool.uuid, create_build(args.flags)?).map(drop)
}

pub(super) fn build(host: &Dispatch, _: &Call<'_>, args: StoragePoolBuild) -> Result<()> {
    // `virStoragePoolBuildFlags`: new, or over what is there (nothing of a folder is lost), or over nothing.
    let build = match args.flags {
        0 | 8 => Build::Yes,
        4 => Build::Fresh,
        flags => {
            let message = format!("the building of a folder does not know the flags {flags:#x}");
            return Err(storage::fault(Code::INVALID_ARG, message));
        }
    };
    host.storage.build(args.pool.uuid, build)
}

pub(super) fn destroy(host: &Dispatch, _: &Call<'_>, args: StoragePoolDestroy) -> Result<()> {
    host.storage.stop(args.pool.uuid)
}

pub(super) fn delete(host: &Dispatch, _: &Call<'_>, args: StoragePoolDelete) -> Result<()> {
    refuse_flags(args.flags, 0, "the deletion of a pool")?;
    host.storage.delete(args.pool.uuid)
}

pub(super) fn undefine(host: &Dispatch, _: &Call<'_>, args: StoragePoolUndefine) -> Result<()> {
    host.storage.undefine(args.pool.uuid)
}

pub(super) fn refresh(host: &Dispatch, _: &Call<'_>, args: StoragePoolRefresh) -> Result<()> {
    refuse_flags(args.flags, 0, "the refreshing of a pool")?;
    // Every look is at the folder as it is: all that is left to tell is whether it can be looked at.
    host.storage.by_uuid(args.pool.uuid)?.names().map(drop)
}

pub(super) fn info(host: &Dispatch, _: &Call<'_>, args: StoragePoolGetInfo) -> Result<PoolInfo> {
    let pool = host.storage.by_uuid(args.pool.uuid)?;
    let figures = pool.figures();
    Ok(PoolInfo {
        state: if pool.active { RUNNING } else { INACTIVE },
        capacity: figures.capacity,
        allocation: figures.allocation,
        available: figures.available,
    })
}

pub(super) fn xml(host: &Dispatch, _: &Call<'_>, args: StoragePoolGetXmlDesc) -> Result<String> {
    refuse_flags(args.flags, XML_INACTIVE, "the document of a pool")?;
    let pool = host.storage.by_uuid(args.pool.uuid)?;
    Ok(pool.xml(args.flags & XML_INACTIVE != 0))
}

pub(super) fn autostart(host: &Dispatch, _: &Call<'_>, args: StoragePoolGetAutostart) -> Result<i32> {
    Ok(i32::from(host.storage.by_uuid(args.pool.uuid)?.autostart))
}

pub(super) fn set_autostart(host: &Dispatch, _: &Call<'_>, args: StoragePoolSetAutostart) -> Result<()> {
    host.storage.set_autostart(args.pool.uuid, args.autostart != 0)
}

pub(super) fn is_active(host: &Dispatch, _: &Call<'_>, args: StoragePoolIsActive) -> Result<i32> {
    Ok(i32::from(host.storage.by_uuid(args.pool.uuid)?.active))
}

pub(super) fn is_persistent(host: &Dispatch, _: &Call<'_>, args: StoragePoolIsPersistent) -> Result<i32> {
    Ok(i32::from(host.storage.by_uuid(args.pool.uuid)?.persistent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_built_by_whatever_flag_asks_for_it() {
        let built: Vec<_> = (0..8).map(|flags| create_build(flags).ok()).collect();
        let (yes, fresh) = (Some(Build::Yes), Some(Build::Fresh));
        assert_eq!(built, [Some(Build::No), yes, yes, yes, fresh, fresh, None, None]);
    }
}
