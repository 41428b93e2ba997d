//! Facts about the machine.

use super::Dispatch;
use crate::rpc::codec::node::{NodeGetInfo, NodeInfo};
use crate::rpc::xdr::Chars;
use crate::server::Call;
use driver_api::error::Result;

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
