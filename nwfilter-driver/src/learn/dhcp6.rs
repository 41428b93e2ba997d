//! `Message`: a DHCPv6 message (RFC 8415) as far as leases need it.

use std::net::Ipv6Addr;

/// A DHCPv6 message between a client and a server, not one of a relay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is about.
    pub kind: Kind,
    /// 24 bits; question and answer have the same.
    pub xid: u32,
    /// The addresses in it with their valid lifetimes in seconds; [`u32::MAX`] means for ever, 0 no longer.
    pub addresses: Vec<(Ipv6Addr, u32)>,
    /// The client takes, or the server gives, addresses without an offer before.
    pub rapid: bool,
}

/// The kinds of messages that leases come of.
#[allow(missing_docs, reason = "the names are the standard's")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Solicit,
    Request,
    Renew,
    Rebind,
    Reply,
    Release,
    Decline,
}

const IA_NA: u16 = 3;
const IA_TA: u16 = 4;
const ADDRESS: u16 = 5;
const STATUS: u16 = 13;
const RAPID: u16 = 14;

/// More addresses than anybody gives in one message.
const MOST: usize = 64;

impl Message {
    /// Reads the content of a UDP datagram. `None` for other kinds and if an option runs over the end.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&[kind, x, y, z], options) = bytes.split_first_chunk()?;
        let mut message = Self {
            kind: Kind::read(kind)?,
            xid: u32::from_be_bytes([0, x, y, z]),
            addresses: Vec::new(),
            rapid: false,
        };
        for option in Options(options) {
            let (code, value) = option?;
            match code {
                IA_NA => message.take(value.get(12..)?)?,
                IA_TA => message.take(value.get(4..)?)?,
                RAPID => message.rapid = true,
                _ => {}
            }
        }
        Some(message)
    }

    /// The addresses of one association; none if the server says that it failed.
    fn take(&mut self, options: &[u8]) -> Option<()> {
        let mut found = Vec::new();
        for option in Options(options) {
            let (code, value) = option?;
            match code {
                ADDRESS => {
                    let (address, rest) = value.split_first_chunk()?;
                    let (_preferred, rest) = rest.split_first_chunk::<4>()?;
                    let (valid, inner) = rest.split_first_chunk()?;
                    if succeeded(inner)? {
                        found.push((Ipv6Addr::from_octets(*address), u32::from_be_bytes(*valid)));
                    }
                }
                STATUS if value.first_chunk()? != &[0, 0] => return Some(()),
                _ => {}
            }
        }
        found.truncate(MOST - self.addresses.len());
        self.addresses.append(&mut found);
        Some(())
    }
}

fn succeeded(options: &[u8]) -> Option<bool> {
    for option in Options(options) {
        let (code, value) = option?;
        if code == STATUS && value.first_chunk()? != &[0, 0] {
            return Some(false);
        }
    }
    Some(true)
}

impl Kind {
    const fn read(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Solicit,
            3 => Self::Request,
            5 => Self::Renew,
            6 => Self::Rebind,
            7 => Self::Reply,
            8 => Self::Release,
            9 => Self::Decline,
            _ => return None,
        })
    }
}

/// Options one after the other; the last item is `None` if one is cut short.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = Option<(u16, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let option = self.0.split_first_chunk::<4>().and_then(|(&[a, b, c, d], rest)| {
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([c, d])))?;
            self.0 = rest;
            Some((u16::from_be_bytes([a, b]), value))
        });
        if option.is_none() {
            self.0 = &[];
        }
        Some(option)
    }
}

#[cfg(test)]
mod tests;
