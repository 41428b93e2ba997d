//! What a filter driver tells of filters in force: rules with their counters, a port's tree, verdicts and traces.

use super::uuid::Uuid;

/// The place in a filter's definition that a rule comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RulePlace {
    /// The filter's name.
    pub filter: String,
    /// The filter.
    pub uuid: Uuid,
    /// The entry's number among the filter's rules and references, from 0.
    pub entry: u32,
    /// The line of the printed definition on which the entry begins, from 1; 0 when the definition has no such entry any
    /// more.
    pub line: u32,
    /// The entry as the printed definition has it, of several lines perhaps; empty where `line` is 0.
    pub text: String,
}

/// One filter of the tree that is on a port, or a reference that leads nowhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TreeNode {
    /// How many references lead here; 0 for the filter that the port is bound to.
    pub level: u32,
    /// The filter's name.
    pub filter: String,
    /// Whether there is such a filter.
    pub exists: bool,
    /// The chain that its Ethernet rules stand in.
    pub chain: String,
    /// The values that its reference gives to variables.
    pub parameters: Vec<(String, String)>,
}

/// One rule as it is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleView {
    /// The chain that it stands in.
    pub chain: String,
    /// Its conditions and its verdict.
    pub text: String,
    /// Where it comes from; `None` for what the driver adds itself.
    pub place: Option<RulePlace>,
    /// What it does not do as it was written, and why; mostly empty.
    pub note: String,
}

/// A port and everything that is in force on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortView {
    /// The host's network device.
    pub port: String,
    /// The filter that is bound to it.
    pub filter: String,
    /// The guest's MAC address.
    pub mac: String,
    /// The name of the domain or program that owns the binding.
    pub owner: String,
    /// How it stands, in words: in force, learning, or why not.
    pub state: String,
    /// The rules' name in the kernel; ports with the same share them.
    pub program: String,
    /// The variables' values for this port; a list has its name several times.
    pub parameters: Vec<(String, String)>,
    /// Addresses that were learned from the port's traffic.
    pub learned: Vec<String>,
    /// The filters, each one before those that it refers to.
    pub tree: Vec<TreeNode>,
    /// The rules, in the order in which they are asked.
    pub rules: Vec<RuleView>,
}

/// How often one rule matched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleCount {
    /// The chain that it stands in.
    pub chain: String,
    /// What it does with what it matches.
    pub verdict: String,
    /// Packets.
    pub packets: u64,
    /// Bytes of these packets.
    pub bytes: u64,
    /// Where it comes from; `None` for what the driver adds itself.
    pub place: Option<RulePlace>,
}

/// How often the rules of a port matched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortCounters {
    /// The ports that share the rules and therefore the counters, the one that was asked for among them.
    pub ports: Vec<String>,
    /// The rules, in the order in which they are asked.
    pub rules: Vec<RuleCount>,
}

/// Which way a packet goes, seen from the guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketWay {
    /// From the guest, through the bridge.
    Out = 0,
    /// To the guest, through the bridge.
    In = 1,
    /// From the guest to the host itself.
    ToHost = 2,
    /// From the host itself to the guest.
    FromHost = 3,
}

impl PacketWay {
    /// All of them, by their number.
    pub const ALL: [Self; 4] = [Self::Out, Self::In, Self::ToHost, Self::FromHost];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::ToHost => "to-host",
            Self::FromHost => "from-host",
        }
    }
}

/// Where packets for a test come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PacketSource {
    /// One packet in words, in the driver's language.
    Words(String),
    /// All frames of a capture file: its bytes.
    Capture(Vec<u8>),
}

/// Packets and the filter whose verdicts are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestRequest {
    /// The filter's name or UUID.
    pub filter: String,
    /// The variables' values; a name given twice is a list. `MAC` is the guest's address.
    pub parameters: Vec<(String, String)>,
    /// The way of all packets; `None` leaves it to the words, and in captures to who the sender is.
    pub way: Option<PacketWay>,
    /// The packets in their order: connections are remembered from one to the next.
    pub packets: Vec<PacketSource>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketFate {
    /// It passes.
    Accept = 0,
    /// It is gone.
    Drop = 1,
    /// It is gone and its sender is told.
    Reject = 2,
    /// It is a fragment and waits for the others.
    Held = 3,
}

impl PacketFate {
    /// All of them, by their number.
    pub const ALL: [Self; 4] = [Self::Accept, Self::Drop, Self::Reject, Self::Held];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
            Self::Held => "held",
        }
    }
}

/// One rule that a packet matched on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestStep {
    /// The chain that the rule stands in.
    pub chain: String,
    /// What it did.
    pub verdict: String,
    /// Where it comes from; `None` for what the driver adds itself.
    pub place: Option<RulePlace>,
}

/// What becomes of one packet of a test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestOutcome {
    /// The packet from its Ethernet header on.
    pub frame: Vec<u8>,
    /// Which way it goes.
    pub way: PacketWay,
    /// What becomes of it.
    pub fate: PacketFate,
    /// The rule that decided so; `None` when no rule did.
    pub decided: Option<TestStep>,
    /// All rules that it matched, in order.
    pub path: Vec<TestStep>,
    /// What else should be known, such as what had to be supposed.
    pub notes: Vec<String>,
}

/// One thing that the kernel says of a traced packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceStep {
    /// Which packet; the same for all steps of one packet on its way through the host.
    pub packet: u32,
    /// The chain where it is.
    pub chain: String,
    /// What happens to it there.
    pub verdict: String,
    /// The rule that it matched; `None` for the end of a chain and for what the driver adds itself.
    pub place: Option<RulePlace>,
    /// The packet's headers, from the Ethernet header on; empty where the kernel does not repeat them.
    pub headers: Vec<u8>,
}

/// What happened since a trace was asked the last time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceBatch {
    /// In the order of time.
    pub steps: Vec<TraceStep>,
    /// How many more there were that nobody kept.
    pub lost: u64,
}
