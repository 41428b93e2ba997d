//! What should be in force, as data of our own: equal programs mean the same, whoever wrote the filters.
//!
//! ```text
//! Program    the rules of one filter tree, for every port that uses it alike
//!   Hook       where its chains stand: frames and packets, from the guest and to it
//!   Chain      rules in their order
//!   Rule       conditions, verdict, and the place in a definition that it comes from
//!   Slot       a condition whose values differ from port to port: a set with the port's name in its key
//! Desired    all programs and ports: what the kernel is brought to
//! ```
//!
//! Nothing here knows XML, netlink or ports that exist. The kernel's form is made by `nft`, a verdict without a kernel
//! by `simulate`.

pub mod condition;
pub mod desired;
mod print;

pub use condition::{Base, Condition, Load, Predicate, SlotKey, States, Test};
pub use desired::{Desired, PortRules, ProgramName};

use driver_api::types::uuid::Uuid;
use std::collections::BTreeMap;

/// Where a chain of a program is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hook {
    /// Every frame that comes from the guest, before the bridge looks at it.
    FrameOut,
    /// Every frame that goes to the guest, after the bridge decided so, also from the host itself.
    FrameIn,
    /// IP packets from the guest that are forwarded by the bridge or taken in by the host; connection tracking has seen
    /// them.
    PacketOut,
    /// IP packets that the bridge forwards to the guest; connection tracking has seen them. What the host itself sends
    /// does not pass here.
    PacketIn,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::FrameOut, Self::FrameIn, Self::PacketOut, Self::PacketIn];

    /// A short name for messages and for the kernel.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FrameOut => "frame-out",
            Self::FrameIn => "frame-in",
            Self::PacketOut => "packet-out",
            Self::PacketIn => "packet-in",
        }
    }

    /// Whether the guest is the sender; the port's name is then that of the device the frame came in by.
    #[must_use]
    pub const fn is_out(self) -> bool {
        matches!(self, Self::FrameOut | Self::PacketOut)
    }
}

/// Names a chain within a program. The first chain of a hook has an empty suffix, the others the name that filters give
/// (`ipv4`, `arp-x`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChainName {
    /// Where it is asked.
    pub hook: Hook,
    /// The chain's name in filters; empty for the hook's first chain.
    pub suffix: String,
}

impl ChainName {
    /// The chain where a hook begins.
    #[must_use]
    pub const fn first(hook: Hook) -> Self {
        Self {
            hook,
            suffix: String::new(),
        }
    }
}

/// All rules of a filter with what it refers to. A frame that no rule decides passes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Program {
    /// Chains with at least one rule. A hook without its first chain passes everything.
    pub chains: BTreeMap<ChainName, Vec<Rule>>,
    /// What the slots hold, by their number.
    pub slots: Vec<SlotShape>,
}

/// The key of a slot's set behind the port's name: the kind and width of each part. All slots of a program differ in
/// number, though they may have the same shape.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SlotShape {
    /// The direction that the slot is asked in: it tells which device's name stands first in the key.
    pub out: bool,
    /// The width in bytes of each part of the key behind the port's name.
    pub widths: Vec<u8>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    /// All must hold; asked in this order, since a condition may only read what earlier ones made sure is there.
    pub conditions: Vec<Condition>,
    /// What happens then.
    pub verdict: Verdict,
    /// Where it comes from; `None` for the jumps between chains.
    pub origin: Option<Origin>,
}

/// What a rule does with what it matches.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// No more rules of this hook are asked.
    Accept,
    /// The frame is gone.
    Drop,
    /// The frame is gone and its sender is told, where the kernel can do so from this hook; else only gone.
    Reject,
    /// Back to the rule behind the jump; from a first chain: the frame passes this hook.
    Return,
    /// The next rule is asked; the rule only counts.
    Continue,
    /// Another chain of the same hook is asked, by its suffix.
    Jump(String),
}

/// The place in a filter's definition that a rule comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin {
    /// The filter.
    pub filter: Uuid,
    /// The entry's number among the filter's rules and references, from 0.
    pub entry: u32,
}
