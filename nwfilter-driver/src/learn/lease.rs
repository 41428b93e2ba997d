//! `Leases`: the addresses that DHCP servers gave to one guest, and until when.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// More than anybody gives one guest; what comes above is refused.
const MOST: usize = 64;

/// One address for some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// When it ends on the clock that counts since the machine started; `None` is never.
    pub until: Option<Duration>,
    /// Who gave it.
    pub server: IpAddr,
}

/// All leases of one guest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Leases(BTreeMap<IpAddr, Lease>);

impl Leases {
    /// Adds or renews a lease.
    ///
    /// # Errors
    /// There are too many.
    pub fn grant(&mut self, address: IpAddr, lease: Lease) -> Result<(), Full> {
        if self.0.len() >= MOST && !self.0.contains_key(&address) {
            return Err(Full);
        }
        self.0.insert(address, lease);
        Ok(())
    }

    /// Ends a lease; says whether there was one.
    pub fn end(&mut self, address: IpAddr) -> bool {
        self.0.remove(&address).is_some()
    }

    /// Ends the leases whose time is over and names their addresses.
    pub fn expire(&mut self, up: Duration) -> Vec<IpAddr> {
        let over: Vec<IpAddr> = self
            .iter()
            .filter(|(_, lease)| lease.until.is_some_and(|until| until <= up))
            .map(|(address, _)| address)
            .collect();
        self.0.retain(|address, _| !over.contains(address));
        over
    }

    /// When the next one ends.
    #[must_use]
    pub fn next_end(&self) -> Option<Duration> {
        self.0.values().filter_map(|lease| lease.until).min()
    }

    /// All of them in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, Lease)> {
        self.0.iter().map(|(address, lease)| (*address, *lease))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A guest has more leases than anybody gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_end_in_their_time_and_are_bounded() {
        let server = "10.0.0.254".parse().unwrap();
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let until = |seconds| Lease {
            until: Some(Duration::from_secs(seconds)),
            server,
        };
        let mut leases = Leases::default();
        leases.grant(address(1), until(10)).unwrap();
        leases.grant(address(2), until(20)).unwrap();
        leases.grant(address(3), Lease { until: None, server }).unwrap();
        assert_eq!(leases.next_end(), Some(Duration::from_secs(10)));
        assert!(leases.expire(Duration::from_secs(9)).is_empty());
        leases.grant(address(1), until(30)).unwrap();
        assert_eq!(leases.expire(Duration::from_secs(20)), [address(2)]);
        assert!(leases.end(address(1)) && !leases.end(address(1)));
        assert_eq!(leases.next_end(), None);
        for n in 4..=66 {
            leases.grant(address(n), until(40)).unwrap();
        }
        assert_eq!(leases.grant(address(67), until(40)), Err(Full));
        leases.grant(address(66), until(50)).unwrap();
        leases.end(address(4));
        leases.grant(address(67), until(40)).unwrap();
    }
}
