//! `Record`: one line of the file of leases, and whose lease it is.

use crate::def::address::Mac;
use driver_api::types::uuid::Uuid;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

/// Whose addresses: the owner's UUID and the MAC address of its port, which stay while ports come and go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(String);

impl Key {
    /// The key of an owner's port.
    #[must_use]
    pub fn new(owner: Uuid, mac: Mac) -> Self {
        Self(format!("{owner}-{mac}"))
    }

    fn read(text: &str) -> Option<Self> {
        let (owner, mac) = text.rsplit_once('-')?;
        let key = Self::new(Uuid::from_str(owner).ok()?, Mac::read(mac)?);
        (key.0 == text).then_some(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// A lease began or was renewed.
    Lease {
        /// Whose.
        key: Key,
        /// For which address.
        address: IpAddr,
        /// Until when, since 1970; `None` is never.
        until: Option<Duration>,
        /// Who gave it.
        server: IpAddr,
    },
    /// A lease ended before its time.
    End {
        /// Whose.
        key: Key,
        /// For which address.
        address: IpAddr,
    },
}

impl Record {
    /// Reads a line without its end.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        Some(match words[..] {
            ["lease", key, address, until, server] => Self::Lease {
                key: Key::read(key)?,
                address: address.parse().ok()?,
                until: match until {
                    "never" => None,
                    seconds => Some(Duration::from_secs(seconds.parse().ok()?)),
                },
                server: server.parse().ok()?,
            },
            ["end", key, address] => Self::End {
                key: Key::read(key)?,
                address: address.parse().ok()?,
            },
            _ => return None,
        })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease {
                key,
                address,
                until: Some(until),
                server,
            } => write!(f, "lease {key} {address} {} {server}", until.as_secs()),
            Self::Lease {
                key, address, server, ..
            } => write!(f, "lease {key} {address} never {server}"),
            Self::End { key, address } => write!(f, "end {key} {address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written_and_others_are_not() {
        const KEY: &str = "5c6d49af-b071-6127-b4ec-6f8ed4b55335-52:54:00:12:34:56";
        for line in [
            format!("lease {KEY} 10.0.0.5 1700000000 10.0.0.254"),
            format!("lease {KEY} 2001:db8::5 never fe80::1"),
            format!("end {KEY} 10.0.0.5"),
        ] {
            assert_eq!(Record::read(&line).unwrap().to_string(), line);
        }
        for line in [
            "",
            "lease",
            "end x 10.0.0.5",
            "end 5c6d49af-b071-6127-b4ec-6f8ed4b55335-52:54:00:12:34:5 10.0.0.5",
            "end 5C6d49af-b071-6127-b4ec-6f8ed4b55335-52:54:00:12:34:56 10.0.0.5",
            &format!("end {KEY} 10.0.0"),
            &format!("end {KEY}  10.0.0.5"),
            &format!("end {KEY} 10.0.0.5 "),
            &format!("lease {KEY} 10.0.0.5 -1 10.0.0.254"),
            &format!("lease {KEY} 10.0.0.5 17000"),
        ] {
            assert_eq!(Record::read(line), None, "{line}");
        }
    }
}
