//! `Shaping`: `<bandwidth>` of an interface: how much it may carry each way.

use super::rest::Rest;

/// `<bandwidth>`; the words are the guest's: inbound is what it receives.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shaping {
    /// What comes to the guest.
    pub inbound: Option<Rate>,
    /// What the guest sends.
    pub outbound: Option<Rate>,
    /// Everything else.
    pub rest: Rest,
}

/// How much of one way; figures that are not given are `None`, never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rate {
    /// What is reached in the long run, in 1000 bytes a second; there, unless there is a floor.
    pub average: Option<u64>,
    /// What is never passed, in 1000 bytes a second.
    pub peak: Option<u64>,
    /// How much may come at once, in KiB.
    pub burst: Option<u64>,
    /// What is always there, in 1000 bytes a second.
    pub floor: Option<u64>,
}

impl Shaping {
    /// Whether anything is limited.
    #[must_use]
    pub const fn is_some(&self) -> bool {
        self.inbound.is_some() || self.outbound.is_some()
    }
}
