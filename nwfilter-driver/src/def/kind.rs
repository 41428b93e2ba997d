//! `Kind`: what an attribute of a protocol element may hold, as data.

/// Numbers that have names of their own, in the order in which messages list them.
pub type Names = &'static [(u32, &'static str)];

/// How a number without a name is printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Base {
    /// As it was written: decimal or hexadecimal.
    Kept,
    /// Decimal, however it was written.
    Decimal,
}

/// What an attribute's value may be when it is not a variable. Every attribute also accepts a variable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A number in a range.
    Number {
        /// The smallest value.
        min: u32,
        /// The greatest value.
        max: u32,
        /// Whether hexadecimal digits are accepted, with or without `0x`.
        hex: bool,
        /// Names that may stand for a number, in any case; a number that has a name is printed by it.
        names: Names,
        /// How it is printed.
        base: Base,
    },
    /// A MAC address.
    Mac,
    /// A MAC mask: ones, then zeros.
    MacMask,
    /// An IPv4 address.
    V4,
    /// An IPv4 mask: a prefix length or dotted, ones then zeros; printed as a prefix length.
    V4Mask,
    /// An IPv6 address.
    V6,
    /// An IPv6 mask: a prefix length or an address, ones then zeros; printed as a prefix length.
    V6Mask,
    /// A list of connection states.
    States,
    /// `mask/flags` of a TCP header.
    TcpFlags,
    /// The name of an ipset.
    SetName,
    /// `src` or `dst` for each dimension of an ipset.
    SetFlags,
    /// Yes or no.
    Flag,
    /// Free text.
    Comment,
}

/// Ethernet types that have names.
pub const ETHER_TYPES: Names = &[
    (0x0806, "arp"),
    (0x8035, "rarp"),
    (0x0800, "ipv4"),
    (0x86dd, "ipv6"),
    (0x8100, "vlan"),
];

/// IP protocols that have names.
pub const IP_PROTOCOLS: Names = &[
    (6, "tcp"),
    (17, "udp"),
    (136, "udplite"),
    (50, "esp"),
    (51, "ah"),
    (1, "icmp"),
    (2, "igmp"),
    (132, "sctp"),
    (58, "icmpv6"),
];

/// ARP operations that have names.
pub const ARP_OPCODES: Names = &[
    (1, "Request"),
    (2, "Reply"),
    (3, "Request_Reverse"),
    (4, "Reply_Reverse"),
    (5, "DRARP_Request"),
    (6, "DRARP_Reply"),
    (7, "DRARP_Error"),
    (8, "InARP_Request"),
    (9, "ARP_NAK"),
];

/// Connection states by their bit in a set of states; `NONE` switches off the others.
pub const STATES: Names = &[
    (1, "NEW"),
    (2, "ESTABLISHED"),
    (4, "RELATED"),
    (8, "INVALID"),
    (STATE_NONE, "NONE"),
];

/// The bit of the state `NONE`: no connection state is matched.
pub const STATE_NONE: u32 = 16;

/// TCP header flags by their bit; the last two are shorthands.
pub const TCP_FLAGS: Names = &[
    (0x01, "FIN"),
    (0x02, "SYN"),
    (0x04, "RST"),
    (0x08, "PSH"),
    (0x10, "ACK"),
    (0x20, "URG"),
    (TCP_ALL, "ALL"),
    (0x00, "NONE"),
];

/// All TCP flags that can be named.
pub const TCP_ALL: u32 = 0x3f;

const fn number(max: u32) -> Kind {
    Kind::Number {
        min: 0,
        max,
        hex: true,
        names: &[],
        base: Base::Kept,
    }
}

/// The kinds that the table of protocols is made of.
impl Kind {
    /// 8 bits, decimal or hexadecimal.
    pub const U8: Self = number(0xff);
    /// 16 bits, decimal or hexadecimal.
    pub const U16: Self = number(0xffff);
    /// 32 bits, decimal or hexadecimal.
    pub const U32: Self = number(u32::MAX);
    /// 16 bits, decimal only.
    pub const U16_DECIMAL: Self = Self::Number {
        min: 0,
        max: 0xffff,
        hex: false,
        names: &[],
        base: Base::Decimal,
    };
    /// A differentiated services code point.
    pub const DSCP: Self = number(63);
    /// A VLAN number.
    pub const VLAN_ID: Self = number(4095);
    /// An Ethernet type; smaller numbers are lengths of 802.3 frames.
    pub const ETHER_TYPE: Self = Self::Number {
        min: 0x600,
        max: 0xffff,
        hex: true,
        names: ETHER_TYPES,
        base: Base::Kept,
    };
    /// What a VLAN tag carries: an Ethernet type, or the length of the shortest frame and up.
    pub const ENCAPSULATED: Self = Self::Number {
        min: 0x3c,
        max: 0xffff,
        hex: true,
        names: ETHER_TYPES,
        base: Base::Kept,
    };
    /// An IP protocol.
    pub const IP_PROTOCOL: Self = Self::Number {
        min: 0,
        max: 0xff,
        hex: true,
        names: IP_PROTOCOLS,
        base: Base::Kept,
    };
    /// An ARP operation.
    pub const OPCODE: Self = Self::Number {
        min: 0,
        max: 0xffff,
        hex: true,
        names: ARP_OPCODES,
        base: Base::Decimal,
    };
}
