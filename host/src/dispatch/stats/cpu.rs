//! Processor time of guests: that of all processes together, since who ran on which processor is not counted.

use super::super::Dispatch;
use super::super::domain::{find, running, unknown_flags};
use super::super::limit::counted;
use super::Figures;
use crate::rpc::codec::stats::{CPU_FIGURES_MAX, DomainGetCpuStats};
use crate::rpc::codec::typed_param::{Counted, TEXTS};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::device::stats::CPU_TOTAL;
use driver_api::types::param::Param;

/// The names of the figures in `virDomainGetCPUStats` and among all figures.
const NAMES: [(&str, &str); 3] = [
    ("cpu_time", "cpu.time"),
    ("user_time", "cpu.user"),
    ("system_time", "cpu.system"),
];

/// What stands for all processors together.
const TOTAL: i32 = -1;

pub(in super::super) fn stats(
    host: &Dispatch,
    call: &Call<'_>,
    args: DomainGetCpuStats,
) -> Result<Counted<CPU_FIGURES_MAX>> {
    if args.flags & !TEXTS != 0 {
        return Err(unknown_flags("figures of processors", args.flags & !TEXTS));
    }
    let domain = find(host, call, &args.dom)?;
    running(&domain)?;
    let refused = |text: String| Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, text));
    match (args.start_cpu, args.ncpus, args.nparams) {
        (TOTAL, 1, asked) => {
            let figures = Figures::of(host, call, domain, CPU_TOTAL)?;
            let param = |(name, of): &(&str, &str)| figures.number(of).map(|value| Param::new(*name, value));
            let params = NAMES.iter().filter_map(param).collect();
            counted(params, i32::try_from(asked).unwrap_or(-1), args.flags)
        }
        (TOTAL, ncpus, _) => refused(format!("the total of all processors is one, and not {ncpus}")),
        (..TOTAL, ..) => refused(format!("there is no processor {}", args.start_cpu)),
        (0, 0, 0) => Ok(Counted {
            params: List(Vec::new()),
            count: host.machine.cpu_map()?.present.cast_signed(),
        }),
        (_, 0, _) => refused("figures of no processor at all were asked for".to_owned()),
        (_, _, 0) => Ok(Counted {
            params: List(Vec::new()),
            count: 0,
        }),
        _ => Err(host.lacks(call, "figures of single processors of the machine")),
    }
}
