//! `Message`: a DHCP message (RFC 2131, 2132) as far as leases need it.

use crate::def::address::Mac;
use std::net::Ipv4Addr;

/// A DHCP message over Ethernet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is about.
    pub kind: Kind,
    /// Question and answer have the same.
    pub xid: u32,
    /// The client's MAC address.
    pub client: Mac,
    /// The address that the client uses already, else 0.0.0.0.
    pub current: Ipv4Addr,
    /// The address that the server gives, else 0.0.0.0.
    pub given: Ipv4Addr,
    /// The address that the client asks for or declines.
    pub requested: Option<Ipv4Addr>,
    /// The server that is chosen, or that answers.
    pub server: Option<Ipv4Addr>,
    /// For how many seconds; [`u32::MAX`] means for ever.
    pub lease_time: Option<u32>,
    /// The client takes, or the server gives, an address without an offer before.
    pub rapid: bool,
}

/// The kinds of messages, with their numbers on the wire.
#[allow(missing_docs, reason = "the names are the standard's")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Discover,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
    Release,
    Inform,
}

const PAD: u8 = 0;
const REQUESTED: u8 = 50;
const LEASE_TIME: u8 = 51;
const OVERLOAD: u8 = 52;
const KIND: u8 = 53;
const SERVER: u8 = 54;
const RAPID: u8 = 80;
const END: u8 = 255;

/// `sname`, `file` and the magic cookie before the options.
const SNAME: usize = 44;
const FILE: usize = 108;
const COOKIE: usize = 236;
const OPTIONS: usize = 240;

impl Message {
    /// Reads the content of a UDP datagram. `None` if it is no DHCP over Ethernet, says that it goes the other way
    /// (`from_client`), or an option runs over its field's end.
    #[must_use]
    pub fn read(bytes: &[u8], from_client: bool) -> Option<Self> {
        let (head, options) = bytes.split_first_chunk::<OPTIONS>()?;
        let direction = if from_client { 1 } else { 2 };
        if head[..3] != [direction, 1, 6] || head[COOKIE..] != [99, 130, 83, 99] {
            return None;
        }
        let mut found = Options::default();
        found.take(options)?;
        // Overloaded fields hold options as well; the first value of an option counts (RFC 2131, 4.1).
        let overload = found.overload;
        if overload & 1 != 0 {
            found.take(&head[FILE..COOKIE])?;
        }
        if overload & 2 != 0 {
            found.take(&head[SNAME..FILE])?;
        }
        Some(Self {
            kind: Kind::read(found.kind?)?,
            xid: u32::from_be_bytes(*head[4..].first_chunk()?),
            client: Mac(*head[28..].first_chunk()?),
            current: Ipv4Addr::from_octets(*head[12..].first_chunk()?),
            given: Ipv4Addr::from_octets(*head[16..].first_chunk()?),
            requested: found.requested,
            server: found.server,
            lease_time: found.lease_time,
            rapid: found.rapid,
        })
    }
}

impl Kind {
    const fn read(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            _ => return None,
        })
    }
}

#[derive(Default)]
struct Options {
    kind: Option<u8>,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    lease_time: Option<u32>,
    overload: u8,
    rapid: bool,
}

impl Options {
    /// `None` if an option is longer than the field, or one that matters has not the length that it must have. A field
    /// may end without an end mark.
    fn take(&mut self, mut field: &[u8]) -> Option<()> {
        while let Some((code, rest)) = field.split_first() {
            field = rest;
            match *code {
                PAD => continue,
                END => break,
                _ => {}
            }
            let (length, rest) = field.split_first()?;
            let (value, rest) = rest.split_at_checked(usize::from(*length))?;
            field = rest;
            match *code {
                KIND => first(&mut self.kind, value, |[kind]| kind)?,
                REQUESTED => first(&mut self.requested, value, Ipv4Addr::from_octets)?,
                SERVER => first(&mut self.server, value, Ipv4Addr::from_octets)?,
                LEASE_TIME => first(&mut self.lease_time, value, u32::from_be_bytes)?,
                OVERLOAD => self.overload = *value.first()?,
                RAPID => self.rapid = true,
                _ => {}
            }
        }
        Some(())
    }
}

fn first<const N: usize, T>(slot: &mut Option<T>, value: &[u8], make: impl FnOnce([u8; N]) -> T) -> Option<()> {
    let value = make(value.try_into().ok()?);
    slot.get_or_insert(value);
    Some(())
}

#[cfg(test)]
mod tests;
