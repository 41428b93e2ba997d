//! `Book`: the leases of all guests by their key, whether their ports are bound or not.

use super::clock::Now;
use super::lease::{Full, Lease, Leases};
use super::record::{Key, Record};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// All leases that are known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Book(BTreeMap<Key, Leases>);

impl Book {
    /// Does what a line of the file says. What is over by then, and what is too much, is left out.
    pub fn replay(&mut self, record: Record, now: Now) {
        match record {
            Record::Lease {
                key,
                address,
                until,
                server,
            } => {
                // The file has the time of day; from now on the lease runs by the clock that nobody sets.
                let left = until.map(|until| until.saturating_sub(now.wall));
                if left.is_some_and(|left| left.is_zero()) {
                    self.end(&key, address);
                    return;
                }
                let until = left.map(|left| now.up.saturating_add(left));
                // No file of ours has too many.
                let _ = self.grant(&key, address, Lease { until, server });
            }
            Record::End { key, address } => {
                self.end(&key, address);
            }
        }
    }

    /// The shortest list of lines that says the same.
    pub fn records(&self, now: Now) -> impl Iterator<Item = Record> {
        self.0.iter().flat_map(move |(key, leases)| {
            leases
                .iter()
                .map(move |(address, lease)| record(key, address, lease, now))
        })
    }

    /// Adds or renews a lease.
    ///
    /// # Errors
    /// This guest has too many.
    pub fn grant(&mut self, key: &Key, address: IpAddr, lease: Lease) -> Result<(), Full> {
        self.0.entry(key.clone()).or_default().grant(address, lease)
    }

    /// Ends a lease; says whether there was one.
    pub fn end(&mut self, key: &Key, address: IpAddr) -> bool {
        let ended = self.0.get_mut(key).is_some_and(|leases| leases.end(address));
        self.tidy(key);
        ended
    }

    /// Ends the leases of one guest whose time is over and names their addresses.
    pub fn expire(&mut self, key: &Key, now: Now) -> Vec<IpAddr> {
        let over = self.0.get_mut(key).map(|leases| leases.expire(now.up));
        self.tidy(key);
        over.unwrap_or_default()
    }

    /// Ends everybody's leases whose time is over.
    pub fn expire_all(&mut self, now: Now) {
        self.0.retain(|_, leases| {
            leases.expire(now.up);
            !leases.is_empty()
        });
    }

    /// The leases of one guest.
    #[must_use]
    pub fn of(&self, key: &Key) -> Option<&Leases> {
        self.0.get(key)
    }

    /// How many leases there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(|leases| leases.iter().count()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn tidy(&mut self, key: &Key) {
        if self.0.get(key).is_some_and(Leases::is_empty) {
            self.0.remove(key);
        }
    }
}

/// A lease as the file has it.
#[must_use]
pub fn record(key: &Key, address: IpAddr, lease: Lease, now: Now) -> Record {
    let left = lease.until.map(|until| until.saturating_sub(now.up));
    Record::Lease {
        key: key.clone(),
        address,
        until: left.map(|left| now.wall.saturating_add(left)),
        server: lease.server,
    }
}
