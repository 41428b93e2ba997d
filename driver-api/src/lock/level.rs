//! The order of the host's locks: the only file in which an edge is written.
//!
//! ```text
//! Unlocked -> Filter -> Update -> Virt -> Domain
//! ```
//!
//! | level  | protects                                   | modes               | how many at once        |
//! |--------|--------------------------------------------|---------------------|-------------------------|
//! | Filter | the set of filter definitions              | exclusive           | one                     |
//! | Update | "filters do not change now"                | shared or exclusive | one                     |
//! | Virt   | one virt driver's table of domains         | shared or exclusive | one per driver          |
//! | Domain | one guest                                  | shared or exclusive | several, in UUID order  |
//!
//! A thread may take a lock only if its (rank, key) is greater than every one that it holds. Whoever waits therefore
//! waits for somebody who can only be waiting further down, and no ring can close.
//!
//! The deadlock this forbids is real: until 2014 libvirt's filter definition took Update then Domain while a guest's
//! start held Domain and asked for Update.

/// A level of the lock order. Sealed: the order is the host's, drivers can only walk down it.
pub trait Level: sealed::Sealed + 'static {
    /// Position in the order; gaps are kept for levels of later versions.
    const RANK: u32;
    /// The name that messages use.
    const NAME: &'static str;
}

/// `Self` comes after `L` in the lock order, so it may be acquired by who holds `L`.
#[diagnostic::on_unimplemented(
    message = "lock order: `{Self}` may not be acquired while `{L}` is held",
    label = "this would wait against the order",
    note = "the order is Filter -> Update -> Virt -> Domain; drop the guard that is held, or take `{Self}` first"
)]
pub trait After<L: Level>: Level {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! levels {
    ($($(#[$doc:meta])* $level:ident = $rank:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $level {}
        impl sealed::Sealed for $level {}
        impl Level for $level {
            const RANK: u32 = $rank;
            const NAME: &'static str = stringify!($level);
        }
    )+};
}

levels! {
    /// Nothing is held.
    Unlocked = 0,
    /// The set of filter definitions.
    Filter = 100,
    /// "Filters do not change now."
    Update = 200,
    /// One virt driver's table of domains.
    Virt = 300,
    /// One guest.
    Domain = 400,
}

macro_rules! order {
    ($($lower:ident: $($higher:ident),+;)+) => {$($(
        impl After<$lower> for $higher {}
    )+)+};
}

order! {
    Unlocked: Filter, Update, Virt, Domain;
    Filter: Update, Virt, Domain;
    Update: Virt, Domain;
    Virt: Domain;
}

/// How a lock is held; the mode is part of a guard's type.
pub trait Mode: sealed::Sealed + 'static {
    /// Whether others are shut out.
    const EXCLUSIVE: bool;
}

/// Shared with other readers.
#[derive(Debug, Clone, Copy)]
pub enum R {}
/// Exclusive.
#[derive(Debug, Clone, Copy)]
pub enum W {}

impl sealed::Sealed for R {}
impl sealed::Sealed for W {}
impl Mode for R {
    const EXCLUSIVE: bool = false;
}
impl Mode for W {
    const EXCLUSIVE: bool = true;
}
