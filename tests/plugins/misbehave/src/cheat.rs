//! Ways to break the lock rules that the type system forbids; each must come back as an error.

use driver_api::abi::lock::{Call, HostObj, LockKey, LockV1};
use driver_api::abi::root::HostRef;
use driver_api::error::Result;
use driver_api::lock::level::{Domain, Level, Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;
use std::sync::OnceLock;

static HOST: OnceLock<HostRef> = OnceLock::new();

pub(crate) fn remember(host: HostRef) {
    HOST.get_or_init(|| host);
}

fn table() -> Option<(&'static LockV1, HostObj)> {
    let host = HOST.get()?;
    let interface = (host.query)(host.obj, "lock/1".into()).into_option()?;
    Some((interface.check().ok()?, host.obj))
}

const UPDATE: LockKey = LockKey {
    rank: Update::RANK,
    uuid: Uuid::from_bytes([0; 16]),
};

/// Cheats as `fault` says; `None` when it is no cheat.
pub(crate) fn play(fault: &str, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Option<Result<()>> {
    let (table, obj) = table()?;
    let call = cx.call();
    Some(match fault {
        "transmuted token" => transmuted(cx, uuid),
        "forged handle" => release(table, obj, call, 0xdead_beef),
        "forged call" => acquire(
            table,
            obj,
            Call {
                id: call.id ^ 1,
                ..call
            },
            UPDATE,
        ),
        "raw order" => cx
            .domain_write(uuid)
            .and_then(|_domain| acquire(table, obj, call, UPDATE)),
        "raw level" => acquire(table, obj, call, LockKey { rank: 250, ..UPDATE }),
        "double release" => acquire_handle(table, obj, call)
            .and_then(|handle| release(table, obj, call, handle).map(|()| handle))
            .and_then(|handle| release(table, obj, call, handle)),
        "leak" => acquire(
            table,
            obj,
            call,
            LockKey {
                rank: Domain::RANK,
                uuid,
            },
        ),
        _ => return None,
    })
}

fn transmuted(cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
    let mut domain = cx.domain_write(uuid)?;
    let token: &mut Cx<'_, Domain> = &mut domain;
    // SAFETY: both are the same record; the level is only a marker. That it compiles is the point of the cheat.
    let token: &mut Cx<'_, Unlocked> = unsafe { &mut *std::ptr::from_mut(token).cast() };
    token.update_read().map(|_| ())
}

fn acquire(table: &LockV1, obj: HostObj, call: Call, key: LockKey) -> Result<()> {
    Ok((table.acquire)(obj, call, key, 1, 100).into_result().map(|_| ())?)
}

fn acquire_handle(table: &LockV1, obj: HostObj, call: Call) -> Result<u64> {
    Ok((table.acquire)(obj, call, UPDATE, 0, 100).into_result()?.handle)
}

fn release(table: &LockV1, obj: HostObj, call: Call, handle: u64) -> Result<()> {
    Ok((table.release)(obj, call, handle, 0).into_result()?)
}
