//! Limits of domains and their devices, as named values whose set is the driver's.

use super::Dispatch;
use super::domain::find;
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::limit::{
    DISK_LIMITS_MAX, DomainGetBlkioParameters, DomainGetBlockIoTune, DomainGetInterfaceParameters,
    DomainGetMemoryParameters, DomainGetSchedulerParameters, DomainGetSchedulerParametersFlags, DomainGetSchedulerType,
    DomainSetBlkioParameters, DomainSetBlockIoTune, DomainSetInterfaceParameters, DomainSetMemoryParameters,
    DomainSetSchedulerParameters, DomainSetSchedulerParametersFlags, LIMITS_MAX, Limits, SchedulerType,
};
use crate::rpc::codec::typed_param::{Counted, TEXTS};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::device::ParameterSet;
use driver_api::types::param::{Param, Value};

/// What `virDomainGetSchedulerType` calls limits that the kernel's control groups keep.
const SCHEDULER: &str = "posix";

/// The room for values that a client says that it has; 0 means that it wants to know how much it needs.
pub(super) fn room(asked: i32, max: usize) -> Result<usize> {
    usize::try_from(asked)
        .ok()
        .filter(|asked| *asked <= max)
        .ok_or_else(|| {
            let text = format!("room for {asked} named values was offered: 0 to {max} can be asked for");
            Error::new(Code::INVALID_ARG, Origin::DOMAIN, text)
        })
}

/// Values as they are answered: as many as there is room for, or their number.
pub(super) fn counted<const MAX: usize>(mut params: Vec<Param>, asked: i32, flags: u32) -> Result<Counted<MAX>> {
    let room = room(asked, MAX)?;
    if flags & TEXTS == 0 {
        params.retain(|param| !matches!(param.value, Value::Text(_)));
    }
    if room != 0 {
        params.truncate(room);
    }
    let count = i32::try_from(params.len()).unwrap_or(i32::MAX);
    if room == 0 {
        params.clear();
    }
    Ok(Counted {
        params: List(params),
        count,
    })
}

/// Which limits of which domain.
struct Wanted<'a> {
    dom: &'a DomainRef,
    set: ParameterSet,
    device: Option<&'a str>,
    flags: u32,
}

impl Wanted<'_> {
    fn get(&self, host: &Dispatch, call: &Call<'_>) -> Result<Vec<Param>> {
        let uuid = find(host, call, self.dom)?.uuid;
        // The client's flag about texts has the number of other flags elsewhere.
        let flags = self.flags & !TEXTS;
        let params = host.resources(call, "parameters", |resources| {
            resources.parameters(uuid, self.set, self.device, flags)
        })?;
        params.ok_or_else(|| host.lacks(call, "looks at limits"))
    }

    fn set(&self, host: &Dispatch, call: &Call<'_>, params: Vec<Param>) -> Result<()> {
        let uuid = find(host, call, self.dom)?.uuid;
        host.change_resources(call, "set_parameters", |resources, cx| {
            resources.set_parameters(cx, uuid, self.set, self.device, params, self.flags)
        })
    }
}

pub(super) fn scheduler_type(host: &Dispatch, call: &Call<'_>, args: DomainGetSchedulerType) -> Result<SchedulerType> {
    let limits = scheduler(&args.dom, 0).get(host, call)?;
    Ok(SchedulerType {
        name: SCHEDULER.to_owned(),
        nparams: counted::<LIMITS_MAX>(limits, 0, 0)?.count,
    })
}

fn scheduler(dom: &DomainRef, flags: u32) -> Wanted<'_> {
    Wanted {
        dom,
        set: ParameterSet::Scheduler,
        device: None,
        flags,
    }
}

pub(super) fn get_scheduler(host: &Dispatch, call: &Call<'_>, args: DomainGetSchedulerParameters) -> Result<Limits> {
    let limits = scheduler(&args.dom, 0).get(host, call)?;
    Ok(counted(limits, args.nparams, 0)?.params)
}

pub(super) fn get_scheduler_flags(
    host: &Dispatch,
    call: &Call<'_>,
    args: DomainGetSchedulerParametersFlags,
) -> Result<Limits> {
    let limits = scheduler(&args.dom, args.flags).get(host, call)?;
    Ok(counted(limits, args.nparams, args.flags)?.params)
}

pub(super) fn set_scheduler(host: &Dispatch, call: &Call<'_>, args: DomainSetSchedulerParameters) -> Result<()> {
    scheduler(&args.dom, 0).set(host, call, args.params.0)
}

pub(super) fn set_scheduler_flags(
    host: &Dispatch,
    call: &Call<'_>,
    args: DomainSetSchedulerParametersFlags,
) -> Result<()> {
    scheduler(&args.dom, args.flags).set(host, call, args.params.0)
}

/// Declares the getter and the setter of a set; `device` is what the set is of, if it is not of the whole domain.
macro_rules! sets {
    ($($set:ident: $get:ident($getter:ident), $put:ident($setter:ident) $(of $device:ident)?;)+) => { $(
        pub(super) fn $get(host: &Dispatch, call: &Call<'_>, args: $getter) -> Result<Counted<LIMITS_MAX>> {
            let wanted = sets!(@wanted $set args $($device)?);
            counted(wanted.get(host, call)?, args.nparams, args.flags)
        }

        pub(super) fn $put(host: &Dispatch, call: &Call<'_>, args: $setter) -> Result<()> {
            sets!(@wanted $set args $($device)?).set(host, call, args.params.0)
        }
    )+ };
    (@wanted $set:ident $args:ident) => {
        Wanted { dom: &$args.dom, set: ParameterSet::$set, device: None, flags: $args.flags }
    };
    (@wanted $set:ident $args:ident $device:ident) => {
        Wanted { dom: &$args.dom, set: ParameterSet::$set, device: Some(&$args.$device), flags: $args.flags }
    };
}

sets! {
    Memory: get_memory(DomainGetMemoryParameters), set_memory(DomainSetMemoryParameters);
    Blkio: get_blkio(DomainGetBlkioParameters), set_blkio(DomainSetBlkioParameters);
    Interface: get_interface(DomainGetInterfaceParameters), set_interface(DomainSetInterfaceParameters) of device;
}

pub(super) fn get_block_io(
    host: &Dispatch,
    call: &Call<'_>,
    args: DomainGetBlockIoTune,
) -> Result<Counted<DISK_LIMITS_MAX>> {
    let Some(disk) = args.disk.as_deref() else {
        return most_of_any_disk(host, call, &args);
    };
    let wanted = Wanted {
        dom: &args.dom,
        set: ParameterSet::BlockIo,
        device: Some(disk),
        flags: args.flags,
    };
    counted(wanted.get(host, call)?, args.nparams, args.flags)
}

/// How much room a client needs for whichever disk it asks for next: as much as an answer can take.
fn most_of_any_disk(host: &Dispatch, call: &Call<'_>, args: &DomainGetBlockIoTune) -> Result<Counted<DISK_LIMITS_MAX>> {
    find(host, call, &args.dom)?;
    if room(args.nparams, DISK_LIMITS_MAX)? != 0 {
        let text = "limits are those of one disk: name it";
        return Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, text));
    }
    let offered = host.resources(call, "parameters", |_| Ok(()))?;
    offered.ok_or_else(|| host.lacks(call, "looks at limits"))?;
    Ok(Counted {
        params: List(Vec::new()),
        count: i32::try_from(DISK_LIMITS_MAX).unwrap_or(i32::MAX),
    })
}

pub(super) fn set_block_io(host: &Dispatch, call: &Call<'_>, args: DomainSetBlockIoTune) -> Result<()> {
    let wanted = Wanted {
        dom: &args.dom,
        set: ParameterSet::BlockIo,
        device: Some(&args.disk),
        flags: args.flags,
    };
    wanted.set(host, call, args.params.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: i32, flags: u32) -> (Vec<String>, i32) {
        let params = vec![Param::new("a", 1_u64), Param::new("b", "text"), Param::new("c", -1_i64)];
        let counted = counted::<LIMITS_MAX>(params, asked, flags).unwrap();
        (
            counted.params.0.into_iter().map(|param| param.name).collect(),
            counted.count,
        )
    }

    #[test]
    fn values_are_counted_first_and_then_told_as_far_as_there_is_room() {
        assert_eq!(names(0, TEXTS), (vec![], 3));
        assert_eq!(names(3, TEXTS).0, ["a", "b", "c"]);
        assert_eq!(names(16, TEXTS).1, 3);
        assert_eq!(names(2, TEXTS), (vec!["a".to_owned(), "b".to_owned()], 2));
    }

    #[test]
    fn texts_are_neither_told_nor_counted_for_who_can_not_take_them() {
        assert_eq!(names(0, 0), (vec![], 2));
        assert_eq!(names(2, 0).0, ["a", "c"]);
    }

    #[test]
    fn room_that_no_answer_can_fill_is_refused() {
        for asked in [-1, 17, i32::MIN, i32::MAX] {
            assert_eq!(
                room(asked, LIMITS_MAX).unwrap_err().code(),
                Code::INVALID_ARG,
                "{asked}"
            );
        }
    }
}
