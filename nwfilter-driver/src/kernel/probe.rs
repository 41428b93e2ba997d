//! What this kernel can: found out by transactions that are checked and never come into force.

use super::names::FRAMES;
use super::object::What;
use super::step::bits_of_first;
use super::{Facts, Options, StatePlan};
use crate::nft::expression::{Expression, Register, ct};
use crate::nft::socket::Failed;
use crate::nft::{BaseChain, Batch, Chain, Rule, Socket, Table};
use std::io;

const SCRATCH: &str = "lockstep_probe";
const FORWARD: u32 = 2;

/// Asks for everything that is not the same on all kernels.
pub(super) fn facts(socket: &mut Socket, options: Options) -> io::Result<Facts> {
    // Also tells in time that there is no nf_tables, or no right to it.
    if let Err(errno) = takes(socket, Vec::new())? {
        return Err(io::Error::from_raw_os_error(errno));
    }
    let state_plan = match options.state_plan {
        Some(plan) => plan,
        None if takes(socket, connection_state())?.is_ok() => StatePlan::Conntrack,
        None => StatePlan::Mark,
    };
    Ok(Facts {
        state_plan,
        calls_ip: calls("bridge-nf-call-iptables"),
        calls_ip6: calls("bridge-nf-call-ip6tables"),
    })
}

/// Whether bridged packets pass the IP tables; the file is not there without `br_netfilter`.
pub(super) fn calls(switch: &str) -> bool {
    let path = format!("/proc/sys/net/bridge/{switch}");
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() != "0")
}

fn connection_state() -> Vec<Expression> {
    let mut steps = vec![Expression::Connection {
        key: ct::STATE,
        into: Register::FIRST,
    }];
    steps.extend(bits_of_first(2, true));
    steps
}

/// Whether the kernel takes such a rule; the inner error is its reason why not.
fn takes(socket: &mut Socket, expressions: Vec<Expression>) -> io::Result<Result<(), i32>> {
    let mut batch = Batch::default();
    let table = Table {
        name: SCRATCH.to_owned(),
        comment: None,
        owned: false,
        dormant: false,
    };
    let chain = Chain {
        table: table.name.clone(),
        name: "forward".to_owned(),
        base: Some(BaseChain {
            hook: FORWARD,
            priority: 0,
        }),
    };
    let rule = Rule {
        expressions,
        comment: None,
    };
    batch.add_table(FRAMES, &table, What::Table(FRAMES));
    batch.add_chain(FRAMES, &chain, What::Chain(chain.name.clone()));
    let label = What::Rule {
        chain: chain.name.clone(),
        origin: None,
    };
    batch.add_rule(FRAMES, &table.name, &chain.name, &rule, label);
    match socket.check(batch) {
        Ok(()) => Ok(Ok(())),
        Err(Failed::Refused(refusal)) => Ok(Err(refusal.errno)),
        Err(Failed::Io(error)) => Err(error),
    }
}
