//! `Key`: the name of one lock, and the total order in which locks may be taken.

use super::error::LockError;
use driver_api::abi::lock::LockKey;
use driver_api::lock::level::{Domain, Filter, Level, Update, Virt};
use driver_api::types::uuid::Uuid;
use std::fmt;

/// One lock. The derived order is *the* lock order: variants and fields stand in the order in which they may be taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    /// The set of filter definitions.
    Filter,
    /// "Filters do not change now."
    Update,
    /// One virt driver's table of domains.
    Virt {
        /// The number of the plug-in that is the driver.
        driver: u32,
    },
    /// One guest. Guests are ordered by UUID whatever driver runs them, as the order of `acquire_domains` promises.
    Domain {
        /// The guest.
        uuid: Uuid,
        /// The number of the plug-in that runs it.
        driver: u32,
    },
}

impl Key {
    /// The key that a plug-in means: it reaches only its own table and its own guests.
    ///
    /// # Errors
    /// 8 for a rank that no level has.
    pub fn of(plugin: u32, wanted: LockKey) -> Result<Self, LockError> {
        match wanted.rank {
            Filter::RANK => Ok(Self::Filter),
            Update::RANK => Ok(Self::Update),
            Virt::RANK => Ok(Self::Virt { driver: plugin }),
            Domain::RANK => Ok(Self::domain(plugin, wanted.uuid)),
            rank => Err(LockError::UnknownLevel { rank }),
        }
    }

    /// The lock of one guest of a driver.
    #[must_use]
    pub const fn domain(driver: u32, uuid: Uuid) -> Self {
        Self::Domain { uuid, driver }
    }

    /// The level's position in the order (`Level::RANK`).
    #[must_use]
    pub const fn rank(self) -> u32 {
        match self {
            Self::Filter => Filter::RANK,
            Self::Update => Update::RANK,
            Self::Virt { .. } => Virt::RANK,
            Self::Domain { .. } => Domain::RANK,
        }
    }

    /// The level's name (`Level::NAME`).
    #[must_use]
    pub const fn level(self) -> &'static str {
        match self {
            Self::Filter => Filter::NAME,
            Self::Update => Update::NAME,
            Self::Virt { .. } => Virt::NAME,
            Self::Domain { .. } => Domain::NAME,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter | Self::Update => f.write_str(self.level()),
            Self::Virt { driver } => write!(f, "Virt of driver {driver}"),
            Self::Domain { uuid, .. } => write!(f, "Domain '{uuid}'"),
        }
    }
}

/// How a lock is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// With other readers.
    Shared,
    /// Alone.
    Exclusive,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(last: u8) -> Uuid {
        let mut bytes = [0; 16];
        bytes[15] = last;
        Uuid::from_bytes(bytes)
    }

    #[test]
    fn keys_are_ordered_by_rank_then_driver_or_uuid() {
        let order = [
            Key::Filter,
            Key::Update,
            Key::Virt { driver: 1 },
            Key::Virt { driver: 2 },
            Key::domain(9, uuid(1)),
            Key::domain(1, uuid(2)),
            Key::domain(2, uuid(2)),
        ];
        assert!(order.is_sorted_by(|a, b| a < b));
        assert!(order.is_sorted_by_key(|k| k.rank()));
    }

    #[test]
    fn a_plug_in_names_only_its_own_table_and_guests() {
        let virt = LockKey {
            rank: 300,
            uuid: uuid(7),
        };
        assert_eq!(Key::of(3, virt), Ok(Key::Virt { driver: 3 }));
        let domain = LockKey {
            rank: 400,
            uuid: uuid(7),
        };
        assert_eq!(Key::of(3, domain), Ok(Key::domain(3, uuid(7))));
        let odd = LockKey {
            rank: 250,
            uuid: uuid(7),
        };
        assert_eq!(Key::of(3, odd), Err(LockError::UnknownLevel { rank: 250 }));
    }
}
