//! Fields of `stp`: a bridge's messages, which stand behind an LLC header of three bytes.

use super::ethernet::exact;
use super::questions::Questions;
use crate::ruleset::{Base, Load, Test};
use driver_api::error::Result;

/// The address that bridges send to.
pub(super) const BRIDGES: &[u8] = &[0x01, 0x80, 0xc2, 0, 0, 0];

/// LLC's service points and control, then the protocol.
const HEADER: &[u8] = &[0x42, 0x42, 0x03, 0, 0];

const fn field(offset: u8, len: u8) -> Load {
    Load::payload(Base::Network, offset, len)
}

const TYPE: Load = field(6, 1);
/// The types of messages that have all fields, in the old protocol and in the rapid one; there is none between them.
const CONFIGURATION: u8 = 0;
const RAPID: u8 = 2;

/// Numbers that may have an end: name, name of the end, where they stand.
const RANGES: [(&str, &str, Load); 8] = [
    ("root-priority", "root-priority-hi", field(8, 2)),
    ("root-cost", "root-cost-hi", field(16, 4)),
    ("sender-priority", "sender-priority-hi", field(20, 2)),
    ("port", "port-hi", field(28, 2)),
    ("age", "age-hi", field(30, 2)),
    ("max-age", "max-age-hi", field(32, 2)),
    ("hello-time", "hello-time-hi", field(34, 2)),
    ("forward-delay", "forward-delay-hi", field(36, 2)),
];

/// Asks for all fields that a rule has.
pub(super) fn ask(questions: &mut Questions<'_>) -> Result<()> {
    let names = ["flags", "root-address", "sender-address"];
    let mut names = names.into_iter().chain(RANGES.map(|(name, ..)| name));
    let configures = names.any(|name| questions.field(name).is_some());
    let typed = questions.field("type").is_some();
    if typed || configures {
        questions.assert(field(0, 5), HEADER);
    }
    exact(questions, "type", TYPE)?;
    if configures && !typed {
        // Other messages end behind the type, and what stands there is only padding.
        let configuration = Test::Range(vec![CONFIGURATION], vec![RAPID]);
        questions.bytes(TYPE, None, configuration, false);
    }
    exact(questions, "flags", field(7, 1))?;
    questions.mac("root-address", Some("root-address-mask"), Base::Network, 10)?;
    questions.mac("sender-address", Some("sender-address-mask"), Base::Network, 22)?;
    for (name, end, load) in RANGES {
        questions.range(name, end, load)?;
    }
    Ok(())
}
