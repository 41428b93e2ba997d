//! `Condition`: one question to a frame; what it reads, what it compares with, and what answers when it can not be read.

/// Where bytes of a frame are counted from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Base {
    /// The Ethernet header as it stood on the wire: a tag that the kernel took off is counted as if it were there.
    Link,
    /// The byte behind the Ethernet header (behind a tag that the kernel took off).
    Network,
    /// The transport header. Not there in fragments but the first, and for frames that are not IP.
    Transport,
}

/// Bytes that are read from a frame. What is not there does not match, negated or not: the rule is skipped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Load {
    /// Bytes of the frame itself; at most 16, and the kernel wants at least one.
    Payload {
        /// Where from.
        base: Base,
        /// The first byte.
        offset: u8,
        /// How many.
        len: u8,
    },
    /// The IP protocol of the transport header (one byte): the header's own field for IPv4, the last header of the chain
    /// for IPv6. There only for IP packets that the kernel can read.
    Protocol,
}

impl Load {
    /// Bytes behind `base`.
    #[must_use]
    pub const fn payload(base: Base, offset: u8, len: u8) -> Self {
        Self::Payload { base, offset, len }
    }

    /// How many bytes it gives.
    #[must_use]
    pub const fn len(self) -> u8 {
        match self {
            Self::Payload { len, .. } => len,
            Self::Protocol => 1,
        }
    }

    /// One byte of what it gives.
    #[must_use]
    pub const fn byte(self, at: u8) -> Self {
        match self {
            Self::Payload { base, offset, .. } => Self::payload(base, offset.saturating_add(at), 1),
            Self::Protocol => Self::Protocol,
        }
    }

    /// Never: a load gives at least one byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Connection states as a set of bits (`NEW` 1, `ESTABLISHED` 2, `RELATED` 4, `INVALID` 8), as in the filter language.
pub type States = u8;

/// One question to a frame.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Condition {
    /// Bytes compared with values that every port shares.
    Bytes {
        /// What is read.
        load: Load,
        /// Bits that are looked at, as long as the load; `None` looks at all.
        mask: Option<Vec<u8>>,
        /// What they are compared with.
        test: Test,
        /// The condition holds if the comparison does not.
        negated: bool,
    },
    /// Bytes compared with the port's own values: one element of the slot's set is the port's name and the parts.
    Slot {
        /// The number of the slot in the program.
        slot: u32,
        /// What is read for each part of the key behind the port's name.
        keys: Vec<SlotKey>,
        /// The condition holds if no element fits.
        negated: bool,
    },
    /// Two loads of the same length compared with one another.
    Same {
        /// The one.
        left: Load,
        /// The other.
        right: Load,
        /// The condition holds if they differ.
        negated: bool,
    },
    /// The packet's connection is in one of these states.
    State {
        /// The states.
        states: States,
        /// The condition holds if it is in none of them.
        negated: bool,
    },
    /// The packet goes the way in which its connection was opened, or back. Not there without a connection.
    Reply(bool),
    /// The TCP header has an option of this kind.
    TcpOption {
        /// The kind.
        kind: u8,
        /// The condition holds if it has none.
        negated: bool,
    },
    /// Something that only the IP tables of the kernel can ask.
    Predicate {
        /// What.
        predicate: Predicate,
        /// The condition holds if it does not.
        negated: bool,
    },
}

/// What bytes are compared with; values are as long as the load.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Test {
    /// The same bytes.
    Equal(Vec<u8>),
    /// From the first to the last in network order, both included.
    Range(Vec<u8>, Vec<u8>),
}

/// One part of a slot's key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SlotKey {
    /// What is read.
    pub load: Load,
    /// Bits that are looked at; elements have the others cleared.
    pub mask: Option<Vec<u8>>,
}

/// A question that the bridge tables can not ask: the IP tables answer it before and leave the answer in the packet's
/// mark.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Predicate {
    /// The packet's sender has more than so many connections open, counted among packets that the same rule would ask
    /// about.
    Connections {
        /// IPv6 rather than IPv4.
        v6: bool,
        /// The IP protocol; `None` counts all.
        protocol: Option<u8>,
        /// More than so many.
        above: u32,
    },
    /// The packet's ends are in an ipset.
    IpSet {
        /// IPv6 rather than IPv4.
        v6: bool,
        /// The set's name.
        name: String,
        /// For each dimension whether it looks at the sender.
        sources: Vec<bool>,
    },
}
