//! `Hold`: one lock held by one call on one thread, and the rule about what may be taken on top of it.

use super::error::LockError;
use super::rank::{Key, Mode};
use std::time::Duration;

/// One hold.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// What is held.
    pub key: Key,
    /// How.
    pub mode: Mode,
    /// The call that took it; the call says which thread and which plug-in.
    pub call: u64,
    /// Since when.
    pub since: Duration,
    /// Whether a loan of it may be under way.
    pub lent: bool,
}

/// Which rules are in force; only the model checks ever switch one off, to see the deadlock that it prevents.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Locks are taken in order, and no thread waits for itself.
    pub order: bool,
    /// A reader may read again without queueing.
    pub nested: bool,
}

impl Rules {
    /// What ships.
    pub const ALL: Self = Self {
        order: true,
        nested: true,
    };
}

/// How a request that is allowed is to be met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// At once: this thread holds the lock shared already, so it waits for nobody and adds no edge.
    Nested,
    /// In the queue like anybody.
    Queue,
}

/// Whether a thread that holds `held` may ask for `wanted`.
///
/// Every wait then leads to a thread that holds or awaits something greater, so no ring of waits can close.
pub(super) fn may_take(
    held: impl Iterator<Item = (Key, Mode)>,
    wanted: Key,
    mode: Mode,
    rules: Rules,
) -> Result<Way, LockError> {
    let (mut top, mut own) = (None, None);
    for (key, held_as) in held {
        top = top.max(Some(key));
        if key == wanted && own != Some(Mode::Exclusive) {
            own = Some(held_as);
        }
    }
    match (own, mode) {
        (Some(Mode::Shared), Mode::Shared) if rules.nested => Ok(Way::Nested),
        _ if !rules.order => Ok(Way::Queue),
        (Some(Mode::Exclusive), _) => Err(LockError::SelfDeadlock { key: wanted }),
        (Some(Mode::Shared), Mode::Exclusive) => Err(LockError::Upgrade { key: wanted }),
        (Some(Mode::Shared), Mode::Shared) => Ok(Way::Queue),
        (None, _) => match top {
            Some(held) if held >= wanted => Err(LockError::Order { held, wanted }),
            _ => Ok(Way::Queue),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::types::uuid::Uuid;

    const R: Mode = Mode::Shared;
    const W: Mode = Mode::Exclusive;

    fn ask(held: &[(Key, Mode)], wanted: Key, mode: Mode) -> Result<Way, LockError> {
        may_take(held.iter().copied(), wanted, mode, Rules::ALL)
    }

    fn domain(last: u8) -> Key {
        let mut bytes = [0; 16];
        bytes[15] = last;
        Key::domain(1, Uuid::from_bytes(bytes))
    }

    #[test]
    fn only_something_greater_than_everything_held_may_be_taken() {
        let virt = Key::Virt { driver: 1 };
        assert_eq!(ask(&[], domain(1), W), Ok(Way::Queue));
        assert_eq!(ask(&[(Key::Update, R), (virt, R)], domain(1), W), Ok(Way::Queue));
        assert_eq!(
            ask(&[(Key::Filter, W), (domain(1), W)], Key::Update, R),
            Err(LockError::Order {
                held: domain(1),
                wanted: Key::Update
            })
        );
        assert_eq!(ask(&[(domain(1), W)], domain(2), W), Ok(Way::Queue));
        assert!(ask(&[(domain(2), W)], domain(1), W).is_err());
    }

    #[test]
    fn the_same_lock_again_is_nested_refused_or_never_upgraded() {
        let key = Key::Update;
        assert_eq!(
            ask(&[(key, R), (domain(1), W)], key, R),
            Ok(Way::Nested),
            "however deep"
        );
        assert_eq!(ask(&[(key, W)], key, R), Err(LockError::SelfDeadlock { key }));
        assert_eq!(ask(&[(key, W)], key, W), Err(LockError::SelfDeadlock { key }));
        assert_eq!(ask(&[(key, R)], key, W), Err(LockError::Upgrade { key }));
        assert_eq!(ask(&[(key, R), (key, R)], key, W), Err(LockError::Upgrade { key }));
    }
}
