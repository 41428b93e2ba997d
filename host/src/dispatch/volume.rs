//! Storage volumes: look-ups, lists, making and removing them.

use super::Dispatch;
use super::storage::refuse_flags;
use crate::rpc::codec::storage::{
    StoragePoolListAllVolumes, StoragePoolListVolumes, StoragePoolNumOfVolumes, StorageVolCreateXml, StorageVolDelete,
    StorageVolGetInfo, StorageVolGetInfoFlags, StorageVolGetPath, StorageVolGetXmlDesc, StorageVolLookupByKey,
    StorageVolLookupByName, StorageVolLookupByPath, VolumeInfo, VolumeRef,
};
use crate::rpc::codec::{Listing, Names};
use crate::rpc::xdr::List;
use crate::server::Call;
use crate::storage::{Pool, Use, Volume, fault};
use driver_api::error::{Code, Origin, Result};
use driver_api::kit::xml::{Element, Limits, parse};

/// `VIR_STORAGE_VOL_FILE`.
const FILE: u8 = 0;

/// `VIR_STORAGE_VOL_GET_PHYSICAL`.
const PHYSICAL: u32 = 1;

/// `VIR_STORAGE_VOL_CREATE_VALIDATE`: every document is read strictly.
const VALIDATE: u32 = 4;

fn wire(pool: &Pool, name: String) -> VolumeRef {
    VolumeRef {
        pool: pool.definition.name.clone(),
        key: pool.definition.volume_path(&name),
        name,
    }
}

fn find(host: &Dispatch, volume: &VolumeRef) -> Result<Volume> {
    host.storage.by_name(&volume.pool)?.volume(&volume.name)
}

pub(super) fn num(host: &Dispatch, _: &Call<'_>, args: StoragePoolNumOfVolumes) -> Result<i32> {
    let names = host.storage.by_uuid(args.pool.uuid)?.names()?;
    Ok(i32::try_from(names.len()).unwrap_or(i32::MAX))
}

pub(super) fn list(host: &Dispatch, _: &Call<'_>, args: StoragePoolListVolumes) -> Result<Names> {
    let mut names = host.storage.by_uuid(args.pool.uuid)?.names()?;
    names.truncate(usize::try_from(args.max).unwrap_or(0));
    Ok(List(names))
}

pub(super) fn list_all(host: &Dispatch, _: &Call<'_>, args: StoragePoolListAllVolumes) -> Result<Listing<VolumeRef>> {
    refuse_flags(args.flags, 0, "a list of volumes")?;
    let pool = host.storage.by_uuid(args.pool.uuid)?;
    let volumes = pool.names()?.into_iter().map(|name| wire(&pool, name));
    Ok(Listing::new(volumes.collect(), args.need_results))
}

pub(super) fn by_name(host: &Dispatch, _: &Call<'_>, args: StorageVolLookupByName) -> Result<VolumeRef> {
    let pool = host.storage.by_uuid(args.pool.uuid)?;
    Ok(wire(&pool, pool.volume(&args.name)?.name))
}

fn at(host: &Dispatch, path: &str) -> Result<VolumeRef> {
    let (pool, volume) = host.storage.volume_at(path)?;
    Ok(wire(&pool, volume.name))
}

pub(super) fn by_key(host: &Dispatch, _: &Call<'_>, args: StorageVolLookupByKey) -> Result<VolumeRef> {
    at(host, &args.key)
}

pub(super) fn by_path(host: &Dispatch, _: &Call<'_>, args: StorageVolLookupByPath) -> Result<VolumeRef> {
    at(host, &args.path)
}

pub(super) fn info(host: &Dispatch, _: &Call<'_>, args: StorageVolGetInfo) -> Result<VolumeInfo> {
    told(host, &args.volume, 0)
}

pub(super) fn info_flags(host: &Dispatch, _: &Call<'_>, args: StorageVolGetInfoFlags) -> Result<VolumeInfo> {
    told(host, &args.volume, args.flags)
}

fn told(host: &Dispatch, volume: &VolumeRef, flags: u32) -> Result<VolumeInfo> {
    refuse_flags(flags, PHYSICAL, "a look at a volume")?;
    let volume = find(host, volume)?;
    Ok(VolumeInfo {
        kind: FILE,
        capacity: volume.capacity,
        allocation: if flags & PHYSICAL == 0 {
            volume.allocation
        } else {
            volume.physical
        },
    })
}

pub(super) fn xml(host: &Dispatch, _: &Call<'_>, args: StorageVolGetXmlDesc) -> Result<String> {
    refuse_flags(args.flags, 0, "the document of a volume")?;
    Ok(find(host, &args.volume)?.format().to_string())
}

pub(super) fn path(host: &Dispatch, _: &Call<'_>, args: StorageVolGetPath) -> Result<String> {
    Ok(find(host, &args.volume)?.path)
}

pub(super) fn create(host: &Dispatch, _: &Call<'_>, args: StorageVolCreateXml) -> Result<VolumeRef> {
    refuse_flags(args.flags, VALIDATE, "the making of a volume")?;
    let pool = host.storage.by_uuid(args.pool.uuid)?;
    Ok(wire(&pool, pool.create_volume(&args.xml)?.name))
}

pub(super) fn delete(host: &Dispatch, _: &Call<'_>, args: StorageVolDelete) -> Result<()> {
    refuse_flags(args.flags, 0, "the removal of a volume")?;
    let pool = host.storage.by_name(&args.volume.pool)?;
    pool.delete_volume(&args.volume.name, || host.storage.taken(uses(host)?))
}

/// The files of the disks of all domains that run or are about to, whichever driver runs them.
///
/// # Errors
/// 87 while a driver that may have guests is out of service, else what a driver answers: a file of which nobody knows whether
/// it is used stays.
fn uses(host: &Dispatch) -> Result<Vec<Use>> {
    // A driver that never came up here has no run folder, and no guests.
    if let Some(name) = host.plugins.missing_virts(|name| host.run.join(name).exists()).first() {
        let message = format!(
            "the plug-in '{name}' is out of service, and guests of it may use any file: mend or remove it ('lockstep plugins' \
             says why), then restart the host"
        );
        return Err(fault(Code::RESOURCE_BUSY, message));
    }
    let mut uses = Vec::new();
    for plugin in host.plugins.virts() {
        let domains = plugin.read("list", |driver| {
            driver.virt().map_or(Ok(Vec::new()), |virt| virt.list())
        });
        for domain in
            domains.map_err(|error| error.within(format!("driver '{}' does not tell its domains", plugin.name())))?
        {
            // A domain that is just started has no id yet, but a job.
            let by = match domain.id {
                Some(_) => format!("domain '{}', which runs", domain.name),
                None if host.locks.job(plugin.number(), domain.uuid).is_some() => {
                    format!("domain '{}', on which a job runs", domain.name)
                }
                None => continue,
            };
            let document = plugin.read("dump_xml", |driver| {
                driver
                    .virt()
                    .map_or(Ok(String::new()), |virt| virt.dump_xml(domain.uuid, 0))
            });
            let files = files_used(document)
                .map_err(|error| error.within(format!("domain '{}' does not tell its disks", domain.name)))?;
            uses.extend(files.into_iter().map(|file| Use { file, by: by.clone() }));
        }
    }
    Ok(uses)
}

/// What the document of a domain tells of its files; one that ended meanwhile has no document any more, and uses nothing.
fn files_used(document: Result<String>) -> Result<Vec<String>> {
    let document = match document {
        Err(error) if error.code() == Code::NO_DOMAIN => return Ok(Vec::new()),
        document => parse(document?.as_bytes(), Origin::NONE, &Limits::default())?,
    };
    Ok(disk_files(&document).into_iter().map(str::to_owned).collect())
}

/// The files of a domain's disks, and of what they lie over.
fn disk_files(domain: &Element) -> Vec<&str> {
    let mut open: Vec<&Element> = domain
        .children_named("devices")
        .flat_map(|devices| devices.children_named("disk"))
        .collect();
    let mut files = Vec::new();
    while let Some(element) = open.pop() {
        files.extend(
            element
                .children_named("source")
                .filter_map(|source| source.attr("file")),
        );
        open.extend(element.children_named("backingStore"));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_disks_are_found_down_their_chains() {
        let document = "<domain><devices><disk><source file='/a'/><backingStore><source file='/b'/><backingStore><source \
                        file='/c'/></backingStore></backingStore></disk><disk/><console><source file='/d'/></console>\
                        </devices></domain>";
        let document = parse(document.as_bytes(), Origin::NONE, &Limits::default()).unwrap();
        assert_eq!(disk_files(&document), ["/a", "/b", "/c"]);
    }

    #[test]
    fn only_a_domain_that_is_gone_uses_nothing_without_a_document() {
        let failed = |code| files_used(Err(fault(code, "as tests do")));
        assert_eq!(failed(Code::NO_DOMAIN).unwrap(), [""; 0]);
        assert_eq!(failed(Code::INTERNAL).unwrap_err().code(), Code::INTERNAL);
        assert!(files_used(Ok("<domain".into())).is_err() && files_used(Ok(String::new())).is_err());
    }
}
