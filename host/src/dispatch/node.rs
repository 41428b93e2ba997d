//! Facts about the machine, and what can be changed of it: the host's own answers, whatever driver a client has opened.

use super::Dispatch;
use crate::node::ksm;
use crate::node::pages::Change;
use crate::node::power::Target;
use crate::rpc::codec::node::{
    CpuMap, MemoryParameters, NodeAllocPages, NodeGetCellsFreeMemory, NodeGetCpuMap, NodeGetCpuStats,
    NodeGetFreeMemory, NodeGetFreePages, NodeGetInfo, NodeGetMemoryParameters, NodeGetMemoryStats, NodeInfo,
    NodeSetMemoryParameters, NodeStat, NodeStats, NodeSuspendForDuration,
};
use crate::rpc::codec::typed_param::{TypedParam, Value};
use crate::rpc::xdr::{Chars, List, Opaque};
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use std::sync::Arc;

/// `virTypedParameterFlags`: the client takes texts too, of which there are none here.
const TYPED_PARAM_STRING_OKAY: u32 = 4;
/// `virNodeAllocPagesFlags`: the pool shall have so many pages, rather than so many more.
const ALLOC_PAGES_SET: u32 = 1;
/// What the protocol's lists of cells and pages hold.
const CELLS_MAX: usize = 1024;

fn invalid(text: String) -> Error {
    Error::new(Code::INVALID_ARG, Origin::NONE, text)
}

fn known_flags(what: &str, given: u32, known: u32) -> Result<()> {
    match given & !known {
        0 => Ok(()),
        rest => Err(invalid(format!("{what} does not know the flags {rest:#x}"))),
    }
}

/// A number that is one of several, or -1 for all of them.
fn one_or_all(what: &str, number: i32) -> Result<Option<u32>> {
    match number {
        -1 => Ok(None),
        _ => u32::try_from(number)
            .map(Some)
            .map_err(|_| invalid(format!("there is no {what} {number}: -1 means all"))),
    }
}

pub(super) fn info(host: &Dispatch, call: &Call<'_>, _: NodeGetInfo) -> Result<NodeInfo> {
    let info = host.read(call, "node_info", |virt| virt.node_info())?;
    Ok(NodeInfo {
        model: Chars::new(&info.model),
        memory: info.memory_kib,
        cpus: info.cpus.cast_signed(),
        mhz: info.mhz.cast_signed(),
        nodes: info.nodes.cast_signed(),
        sockets: info.sockets.cast_signed(),
        cores: info.cores.cast_signed(),
        threads: info.threads.cast_signed(),
    })
}

/// Clients ask for the number first and then for as many.
fn stats(figures: &[(&str, u64)], asked: i32) -> Result<NodeStats> {
    let count = i32::try_from(figures.len()).unwrap_or(i32::MAX);
    if asked != 0 && asked != count {
        return Err(invalid(format!("there are {count} figures and not {asked}")));
    }
    let stat = |(field, value): &(&str, u64)| NodeStat {
        field: (*field).to_owned(),
        value: *value,
    };
    let params = if asked == 0 { &[] } else { figures };
    Ok(NodeStats {
        params: List(params.iter().map(stat).collect()),
        nparams: count,
    })
}

pub(super) fn cpu_stats(host: &Dispatch, _: &Call<'_>, args: NodeGetCpuStats) -> Result<NodeStats> {
    known_flags("what processors spend their time with", args.flags, 0)?;
    let times = host.machine.cpu_times(one_or_all("processor", args.cpu)?)?;
    let figures = [
        ("kernel", times.kernel),
        ("user", times.user),
        ("idle", times.idle),
        ("iowait", times.iowait),
    ];
    stats(&figures, args.nparams)
}

pub(super) fn memory_stats(host: &Dispatch, _: &Call<'_>, args: NodeGetMemoryStats) -> Result<NodeStats> {
    known_flags("the machine's memory", args.flags, 0)?;
    let place = match one_or_all("NUMA cell", args.cell)? {
        Some(cell) => host.machine.place(cell)?,
        None => None,
    };
    let memory = host.machine.memory(place)?;
    let mut figures = vec![("total", memory.total), ("free", memory.free)];
    figures.extend(memory.buffers.map(|buffers| ("buffers", buffers)));
    figures.extend(memory.cached.map(|cached| ("cached", cached)));
    stats(&figures, args.nparams)
}

pub(super) fn cpu_map(host: &Dispatch, _: &Call<'_>, args: NodeGetCpuMap) -> Result<CpuMap> {
    known_flags("the map of processors", args.flags, 0)?;
    let map = host.machine.cpu_map()?;
    let online = u32::try_from(map.online.len()).unwrap_or(u32::MAX);
    Ok(CpuMap {
        cpumap: Opaque(if args.need_map != 0 { map.bits() } else { Vec::new() }),
        online: if args.need_online != 0 { online } else { 0 },
        ret: map.present.cast_signed(),
    })
}

pub(super) fn free_memory(host: &Dispatch, _: &Call<'_>, _: NodeGetFreeMemory) -> Result<u64> {
    host.machine.free_memory()
}

pub(super) fn cells_free_memory(
    host: &Dispatch,
    _: &Call<'_>,
    args: NodeGetCellsFreeMemory,
) -> Result<List<u64, CELLS_MAX>> {
    let count = u32::try_from(args.max_cells).unwrap_or(0);
    host.machine.free_of_cells(args.start_cell, count).map(List)
}

pub(super) fn free_pages(host: &Dispatch, _: &Call<'_>, args: NodeGetFreePages) -> Result<List<u64, CELLS_MAX>> {
    known_flags("a count of free pages", args.flags, 0)?;
    let places = host.machine.places(args.start_cell, args.cell_count)?;
    if places.len().saturating_mul(args.pages.0.len()) > CELLS_MAX {
        let (cells, sizes) = (places.len(), args.pages.0.len());
        return Err(invalid(format!(
            "{sizes} sizes in {cells} NUMA cells are more than the {CELLS_MAX} figures that one answer holds"
        )));
    }
    host.machine.free_pages(&args.pages.0, &places).map(List)
}

pub(super) fn alloc_pages(host: &Dispatch, _: &Call<'_>, args: NodeAllocPages) -> Result<i32> {
    known_flags("a change of page pools", args.flags, ALLOC_PAGES_SET)?;
    let (sizes, counts) = (&args.sizes.0, &args.counts.0);
    if sizes.len() != counts.len() {
        let (sizes, counts) = (sizes.len(), counts.len());
        return Err(invalid(format!("{sizes} sizes of pages came with {counts} counts")));
    }
    let mut changed = 0;
    for place in host.machine.places(args.start_cell, args.cell_count)? {
        for (&size, &count) in sizes.iter().zip(counts) {
            let change = match args.flags & ALLOC_PAGES_SET {
                0 => Change::Add(count),
                _ => Change::Set(count),
            };
            host.machine.change_pool(place, size, change)?;
            changed += 1;
        }
    }
    Ok(changed)
}

pub(super) fn memory_parameters(
    host: &Dispatch,
    _: &Call<'_>,
    args: NodeGetMemoryParameters,
) -> Result<MemoryParameters> {
    known_flags("a look at memory parameters", args.flags, TYPED_PARAM_STRING_OKAY)?;
    let found = host.machine.ksm()?;
    let param = |(parameter, value): &(ksm::Parameter, u64)| TypedParam {
        name: parameter.name.to_owned(),
        value: match parameter.settable {
            true => Value::Uint(u32::try_from(*value).unwrap_or(u32::MAX)),
            false => Value::Ulong(*value),
        },
    };
    let wanted = usize::try_from(args.nparams).unwrap_or(0);
    Ok(MemoryParameters {
        params: List(found.iter().take(wanted).map(param).collect()),
        nparams: i32::try_from(if wanted == 0 {
            found.len()
        } else {
            wanted.min(found.len())
        })
        .unwrap_or(i32::MAX),
    })
}

pub(super) fn set_memory_parameters(host: &Dispatch, _: &Call<'_>, args: NodeSetMemoryParameters) -> Result<()> {
    known_flags("a change of memory parameters", args.flags, 0)?;
    let mut changes: Vec<(&'static ksm::Parameter, u32)> = Vec::new();
    for param in &args.params.0 {
        let parameter = ksm::wanted(&param.name)?;
        let Value::Uint(value) = param.value else {
            return Err(invalid(format!(
                "the memory parameter '{}' takes an unsigned number",
                param.name
            )));
        };
        if changes.iter().any(|(known, _)| known.name == parameter.name) {
            return Err(invalid(format!("the memory parameter '{}' is there twice", param.name)));
        }
        changes.push((parameter, value));
    }
    host.machine.set_ksm(&changes)
}

pub(super) fn suspend(host: &Dispatch, _: &Call<'_>, args: NodeSuspendForDuration) -> Result<()> {
    known_flags("a sleep of the machine", args.flags, 0)?;
    let target = Target::from_number(args.target)?;
    let plugins = Arc::clone(&host.plugins);
    host.suspender.ask(target, args.duration, move || plugins.running())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_counted_first_and_told_when_as_many_are_wanted() {
        let figures = [("total", 5), ("free", 3)];
        let counted = stats(&figures, 0).unwrap();
        assert_eq!((counted.params.0.len(), counted.nparams), (0, 2));
        let told = stats(&figures, 2).unwrap();
        assert_eq!((told.params.0[1].field.as_str(), told.params.0[1].value), ("free", 3));
        for asked in [1, 3, -1] {
            assert_eq!(stats(&figures, asked).unwrap_err().code(), Code::INVALID_ARG);
        }
    }

    #[test]
    fn minus_one_means_all_and_other_negative_numbers_nothing() {
        assert_eq!(one_or_all("processor", -1).unwrap(), None);
        assert_eq!(one_or_all("processor", 0).unwrap(), Some(0));
        let error = one_or_all("processor", -2).unwrap_err();
        assert_eq!(error.code(), Code::INVALID_ARG);
        assert!(error.to_string().contains("processor -2"), "{error}");
        assert!(known_flags("x", 5, 4).unwrap_err().to_string().contains("0x1"));
    }
}
