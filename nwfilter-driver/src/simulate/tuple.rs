//! `Tuple`: the ends of a connection as a packet names them, and whether connection tracking can use the packet at all.

use super::packet::{Packet, be16, checksum, folded};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const GRE: u8 = 47;
const SCTP: u8 = 132;
const UDPLITE: u8 = 136;

/// Who talks to whom, in the direction of one packet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tuple {
    /// The sender's address.
    pub source: Vec<u8>,
    /// The receiver's address.
    pub target: Vec<u8>,
    /// The IP protocol.
    pub protocol: u8,
    /// The sender's port; for ICMP the identifier.
    pub source_port: u16,
    /// The receiver's port; for ICMP the type and code.
    pub target_port: u16,
}

impl Tuple {
    /// The tuple of an answer, or `None` if this can have none.
    #[must_use]
    pub fn reversed(&self) -> Option<Self> {
        let (source_port, target_port) = match self.protocol {
            ICMP | ICMPV6 => {
                let [kind, code] = self.target_port.to_be_bytes();
                let answer = answer_to(self.protocol, kind)?;
                (self.source_port, u16::from_be_bytes([answer, code]))
            }
            _ => (self.target_port, self.source_port),
        };
        Some(Self {
            source: self.target.clone(),
            target: self.source.clone(),
            protocol: self.protocol,
            source_port,
            target_port,
        })
    }

    fn read(version: u8, header: &[u8], protocol: u8, transport: &[u8]) -> Option<Self> {
        let (source, target) = match version {
            4 => (header.get(12..16)?, header.get(16..20)?),
            _ => (header.get(8..24)?, header.get(24..40)?),
        };
        let (source_port, target_port) = match protocol {
            TCP | UDP | UDPLITE | SCTP => (be16(transport, 0)?, be16(transport, 2)?),
            ICMP | ICMPV6 if transport.len() < 8 => return None,
            ICMP | ICMPV6 => (be16(transport, 4)?, be16(transport, 0)?),
            GRE if transport.get(1)? & 7 == 1 => (0, be16(transport, 6)?),
            _ => (0, 0),
        };
        Some(Self {
            source: source.to_vec(),
            target: target.to_vec(),
            protocol,
            source_port,
            target_port,
        })
    }
}

/// The ICMP type that answers this one, both ways.
const fn answer_to(protocol: u8, kind: u8) -> Option<u8> {
    const V4: [(u8, u8); 4] = [(8, 0), (13, 14), (15, 16), (17, 18)];
    const V6: [(u8, u8); 2] = [(128, 129), (139, 140)];
    let pairs: &[(u8, u8)] = if protocol == ICMP { &V4 } else { &V6 };
    let mut at = 0;
    while at < pairs.len() {
        let (question, answer) = pairs[at];
        if kind == question {
            return Some(answer);
        }
        if kind == answer {
            return Some(question);
        }
        at += 1;
    }
    None
}

/// What connection tracking makes of a packet by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ends {
    /// It may belong to a connection, or begin one if `opens` says so.
    Talk {
        /// Its ends.
        tuple: Tuple,
        /// Whether it can be the first packet of a connection.
        opens: bool,
        /// TCP: its flags.
        flags: Option<TcpFlags>,
    },
    /// An ICMP error about a packet with these ends.
    Error(Tuple),
    /// It is never tracked: neighbour discovery and multicast listener messages.
    Ignored,
    /// It is broken.
    Invalid,
}

impl Ends {
    /// Reads a packet.
    #[must_use]
    pub fn read(packet: &Packet<'_>) -> Self {
        Self::find(packet).unwrap_or(Self::Invalid)
    }

    fn find(packet: &Packet<'_>) -> Option<Self> {
        let (version, protocol, bytes) = transport(packet)?;
        let tuple = Tuple::read(version, packet.network(), protocol, bytes);
        let sum = |bytes: &[u8]| folded(pseudo_header(packet.network(), version, protocol, bytes.len()), bytes);
        let mut tcp = None;
        let opens = match (version, protocol) {
            (_, TCP) => {
                let flags = tcp_flags(bytes)?;
                tcp = Some(flags);
                if sum(bytes) != 0xffff {
                    return None;
                }
                flags.opens()
            }
            (_, UDP) => {
                let length = usize::from(be16(bytes, 4)?);
                let body = bytes.get(..length).filter(|body| body.len() >= 8)?;
                if be16(bytes, 6)? != 0 && sum(body) != 0xffff {
                    return None;
                }
                true
            }
            (_, UDPLITE) => udplite_is_sound(packet.network(), version, bytes)?,
            (_, SCTP) => sctp_opens(bytes)?,
            (_, GRE) => gre_is_known(bytes)?,
            (4, ICMP) => return icmp(packet.network(), version, bytes, checksum(bytes) == 0),
            (6, ICMPV6) => return icmp(packet.network(), version, bytes, sum(bytes) == 0xffff),
            // An ICMP of the other version.
            (_, ICMP | ICMPV6) => return None,
            _ => true,
        };
        Some(Self::Talk {
            tuple: tuple?,
            opens,
            flags: tcp,
        })
    }
}

/// The IP version, the protocol and its header.
fn transport<'p>(packet: &'p Packet<'_>) -> Option<(u8, u8, &'p [u8])> {
    let version = packet.ip_version()?;
    if version == 6 {
        let (protocol, bytes) = behind_extensions(packet.network())?;
        return Some((version, protocol, bytes));
    }
    let transport = packet.transport().filter(|transport| !transport.later_fragment)?;
    Some((version, transport.protocol, packet.link().get(transport.at..)?))
}

/// The protocol and header behind all extension headers of IPv6. Other than nf_tables, connection tracking looks behind an
/// authentication header too, and does not know packets without a next header.
fn behind_extensions(network: &[u8]) -> Option<(u8, &[u8])> {
    let (mut next, mut at) = (*network.get(6)?, 40);
    loop {
        let header = network.get(at..).unwrap_or_default();
        let len = match next {
            0 | 43 | 60 => (usize::from(*header.get(1)?) + 1) * 8,
            44 if be16(header, 2)? & 0xfff8 == 0 => 8,
            51 => (usize::from(*header.get(1)?) + 2) * 4,
            44 | 59 => return None,
            _ => return Some((next, header)),
        };
        (next, at) = (header[0], at + len);
    }
}

/// The flags of a TCP header that connection tracking looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpFlags(u8);

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const URG: u8 = 32;

impl TcpFlags {
    /// A lone SYN opens a connection. So does a lone ACK: the kernel picks up connections that it did not see open.
    const fn opens(self) -> bool {
        matches!(self.0 & (SYN | ACK | FIN | RST), SYN | ACK)
    }

    /// It asks for a connection.
    #[must_use]
    pub const fn asks(self) -> bool {
        self.0 & (SYN | ACK | RST) == SYN
    }

    /// It agrees to a connection.
    #[must_use]
    pub const fn agrees(self) -> bool {
        self.0 & (SYN | ACK | RST) == SYN | ACK
    }

    /// It ends its half of a connection.
    #[must_use]
    pub const fn ends(self) -> bool {
        self.0 & (FIN | RST) == FIN
    }

    /// It ends a connection at once.
    #[must_use]
    pub const fn resets(self) -> bool {
        self.0 & RST != 0
    }
}

/// The flags, if the header is whole and they make sense together.
fn tcp_flags(bytes: &[u8]) -> Option<TcpFlags> {
    let header = usize::from(*bytes.get(12)? >> 4) * 4;
    if header < 20 || header > bytes.len() {
        return None;
    }
    let flags = bytes[13] & (FIN | SYN | RST | ACK | URG);
    const SENSIBLE: [u8; 9] = [
        SYN,
        SYN | URG,
        SYN | ACK,
        RST,
        RST | ACK,
        FIN | ACK,
        FIN | ACK | URG,
        ACK,
        ACK | URG,
    ];
    SENSIBLE.contains(&flags).then_some(TcpFlags(flags))
}

fn udplite_is_sound(network: &[u8], version: u8, bytes: &[u8]) -> Option<bool> {
    let covered = match usize::from(be16(bytes, 4)?) {
        0 => bytes.len(),
        covered => covered,
    };
    if covered < 8 || covered > bytes.len() || be16(bytes, 6)? == 0 {
        return None;
    }
    // The kernel sums these as if they were UDP, so what is right to everybody else is broken to it.
    let start = pseudo_header(network, version, UDP, bytes.len());
    (folded(start, &bytes[..covered]) == 0xffff).then_some(true)
}

/// Of the second version only tunnels of PPP have ends.
fn gre_is_known(bytes: &[u8]) -> Option<bool> {
    const PPP: u16 = 0x880b;
    let version = *bytes.get(1)? & 7;
    (version != 1 || be16(bytes, 2)? == PPP && bytes.len() >= 8).then_some(true)
}

/// Only an association's first chunk opens one.
fn sctp_opens(bytes: &[u8]) -> Option<bool> {
    const INIT: u8 = 1;
    let first = *bytes.get(12)?;
    let mut unsummed = bytes.to_vec();
    let sum = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    unsummed[8..12].fill(0);
    if crc32c(&unsummed) != sum {
        return None;
    }
    Some(first == INIT && bytes[4..8] == [0; 4])
}

pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let byte = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 }
        })
    };
    !bytes.iter().fold(u32::MAX, byte)
}

fn icmp(network: &[u8], version: u8, bytes: &[u8], sound: bool) -> Option<Ends> {
    const HIGHEST_V4: u8 = 18;
    let kind = *bytes.first().filter(|_| bytes.len() >= 8 && sound)?;
    let protocol = if version == 4 { ICMP } else { ICMPV6 };
    if version == 4 && kind > HIGHEST_V4 {
        return None;
    }
    if version == 6 && matches!(kind, 130..=136 | 143) {
        return Some(Ends::Ignored);
    }
    let is_error = match version {
        4 => matches!(kind, 3 | 4 | 5 | 11 | 12),
        _ => kind < 128,
    };
    if is_error {
        return inner(version, bytes.get(8..)?, network).map(Ends::Error);
    }
    let opens = match version {
        4 => matches!(kind, 8 | 13 | 15 | 17),
        _ => matches!(kind, 128 | 139),
    };
    let tuple = Tuple::read(version, network, protocol, bytes)?;
    Some(Ends::Talk {
        tuple,
        opens,
        flags: None,
    })
}

/// The ends of the packet that an error is about, which must have come from whom the error is sent to.
fn inner(version: u8, packet: &[u8], outer: &[u8]) -> Option<Tuple> {
    let (protocol, header) = match version {
        4 => (*packet.get(9)?, usize::from(*packet.first()? & 0xf) * 4),
        _ => (*packet.get(6)?, 40),
    };
    let tuple = Tuple::read(version, packet, protocol, packet.get(header..)?)?;
    let receiver = match version {
        4 => outer.get(16..20)?,
        _ => outer.get(24..40)?,
    };
    (tuple.source == receiver).then_some(tuple)
}

/// The sum of the header that checksums of the transport include.
fn pseudo_header(network: &[u8], version: u8, protocol: u8, len: usize) -> u16 {
    let addresses = match version {
        4 => network.get(12..20),
        _ => network.get(8..40),
    };
    let start = folded(0, addresses.unwrap_or_default());
    let [.., high, low] = len.to_be_bytes();
    folded(start, &[0, protocol, high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_sctp_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn questions_and_answers_of_icmp_belong_together() {
        assert_eq!(answer_to(ICMP, 8), Some(0));
        assert_eq!(answer_to(ICMP, 0), Some(8));
        assert_eq!(answer_to(ICMPV6, 129), Some(128));
        assert_eq!(answer_to(ICMPV6, 8), None);
        assert_eq!(answer_to(ICMP, 3), None);
    }
}
