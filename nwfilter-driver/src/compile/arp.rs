//! Fields of `arp` and `rarp`.

use super::ethernet::{end, exact};
use super::questions::Questions;
use crate::def::value::Value;
use crate::ruleset::{Base, Condition, Load};
use driver_api::error::Result;

const fn field(offset: u8, len: u8) -> Load {
    Load::payload(Base::Network, offset, len)
}

/// Addresses of the sender and of the target, when hardware addresses are 6 and protocol addresses 4 bytes long.
const SENDER_MAC: u8 = 8;
const SENDER_IP: u8 = 14;
const TARGET_MAC: u8 = 18;
const TARGET_IP: u8 = 24;

const IP_NAMES: [&str; 2] = ["arpsrcipaddr", "arpdstipaddr"];

/// Asks for all fields that a rule has.
pub(super) fn ask(questions: &mut Questions<'_>, swapped: bool) -> Result<()> {
    exact(questions, "hwtype", field(0, 2))?;
    exact(questions, "protocoltype", field(2, 2))?;
    exact(questions, "opcode", field(6, 2))?;
    let has = |name: &str| questions.field(name).is_some();
    let gratuitous = match questions.field("gratuitous") {
        None => None,
        Some(field) => match questions.value(field)? {
            Value::Flag(true) => Some(field.negated),
            _ => None,
        },
    };
    let (sender_mac, target_mac) = (has("arpsrcmacaddr"), has("arpdstmacaddr"));
    let ips = gratuitous.is_some() || IP_NAMES.into_iter().any(has);
    let (fixed_hardware, fixed_protocol) = (has("hwtype"), has("protocoltype"));
    // Bytes are only addresses where the header says of which kind and how long they are. If the rule names another
    // kind itself, then that one is meant.
    if (sender_mac || target_mac) && !fixed_hardware {
        questions.assert(field(0, 2), &[0, 1]);
    }
    if ips && !fixed_protocol {
        questions.assert(field(2, 2), &[8, 0]);
    }
    let behind_protocol = if swapped { sender_mac } else { target_mac };
    if ips || behind_protocol {
        questions.assert(field(4, 2), &[6, 4]);
    } else if sender_mac || target_mac {
        questions.assert(field(4, 1), &[6]);
    }
    let (sender, target) = (
        end(swapped, SENDER_MAC, TARGET_MAC),
        end(swapped, TARGET_MAC, SENDER_MAC),
    );
    questions.mac("arpsrcmacaddr", None, Base::Network, sender)?;
    questions.mac("arpdstmacaddr", None, Base::Network, target)?;
    let (sender, target) = (end(swapped, SENDER_IP, TARGET_IP), end(swapped, TARGET_IP, SENDER_IP));
    questions.address("arpsrcipaddr", "arpsrcipmask", Base::Network, sender, 4)?;
    questions.address("arpdstipaddr", "arpdstipmask", Base::Network, target, 4)?;
    if let Some(negated) = gratuitous {
        questions.push(Condition::Same {
            left: field(SENDER_IP, 4),
            right: field(TARGET_IP, 4),
            negated,
        });
    }
    Ok(())
}
