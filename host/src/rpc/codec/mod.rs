//! Arguments and results of the procedures that are served: one struct a procedure, named and numbered after it.

pub mod binding;
pub mod connect;
pub mod control;
pub mod device;
pub mod domain;
pub mod empty;
pub mod event;
pub mod inspect;
pub mod job;
pub mod limit;
pub mod lockstep;
pub mod node;
pub mod nwfilter;
pub mod resource;
pub mod security;
pub mod stats;
pub mod storage;
pub mod stream;
pub mod typed_param;

use super::xdr::{List, Xdr};

/// The most elements in most lists of the protocol.
pub const LIST_MAX: usize = 16_384;

/// A procedure, as the struct of its arguments.
pub trait Procedure: Xdr {
    /// The number on the wire.
    const NUMBER: u32;
    /// What a successful call answers.
    type Ret: Xdr;
}

/// Names, as the old list procedures answer them.
pub type Names = List<String, LIST_MAX>;

/// What every `LIST_ALL` procedure answers: the items, if they were wanted, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T, const MAX: usize = LIST_MAX> {
    /// Empty when only the count was wanted.
    pub items: List<T, MAX>,
    /// The number of items, also when they are not sent.
    pub count: u32,
}

impl<T, const MAX: usize> Listing<T, MAX> {
    /// All `items`, or only their number when the caller did not want more (`need_results` 0).
    #[must_use]
    pub fn new(items: Vec<T>, wanted: i32) -> Self {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        Self {
            items: List(if wanted == 0 { Vec::new() } else { items }),
            count,
        }
    }
}

impl<T: Xdr, const MAX: usize> Xdr for Listing<T, MAX> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), super::xdr::XdrError> {
        self.items.encode(out)?;
        self.count.encode(out)
    }

    fn decode(input: &mut super::xdr::Input<'_>) -> Result<Self, super::xdr::XdrError> {
        Ok(Self {
            items: Xdr::decode(input)?,
            count: Xdr::decode(input)?,
        })
    }
}

/// Declares procedures: number, name, arguments, result. Also makes the room's `decode_any` for tests and fuzzing.
macro_rules! procedures {
    ($( $number:literal $name:ident { $( $field:ident: $type:ty ),* } -> $ret:ty; )*) => {
        $crate::rpc::xdr::xdr_struct! { $(
            #[doc = concat!("The arguments of procedure ", stringify!($number), ".")]
            $name { $( $field: $type ),* }
        )* }

        $( impl $crate::rpc::codec::Procedure for $name {
            const NUMBER: u32 = $number;
            type Ret = $ret;
        } )*

        /// Decodes `bytes` as the arguments and as the result of procedure `number`; whether it is one of this file's.
        pub(super) fn decode_any(number: u32, bytes: &[u8]) -> bool {
            match number {
                $( $number => {
                    $crate::rpc::codec::both_ways::<$name>(bytes);
                    $crate::rpc::codec::both_ways::<$ret>(bytes);
                    true
                } )*
                _ => false,
            }
        }

        /// The numbers of this file's procedures.
        pub(super) const NUMBERS: &[u32] = &[$( $number ),*];
    };
}
use procedures;

/// Every procedure that has a codec, by number, in no order.
pub fn numbers() -> impl Iterator<Item = u32> {
    [
        binding::NUMBERS,
        connect::NUMBERS,
        control::NUMBERS,
        device::NUMBERS,
        domain::NUMBERS,
        empty::NUMBERS,
        event::NUMBERS,
        inspect::NUMBERS,
        job::NUMBERS,
        limit::NUMBERS,
        lockstep::NUMBERS,
        node::NUMBERS,
        nwfilter::NUMBERS,
        resource::NUMBERS,
        security::NUMBERS,
        stats::NUMBERS,
        storage::NUMBERS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Decodes `bytes` as arguments and as result of procedure `number`; for tests and fuzzing.
pub(super) fn decode_any(number: u32, bytes: &[u8]) -> bool {
    binding::decode_any(number, bytes)
        || connect::decode_any(number, bytes)
        || control::decode_any(number, bytes)
        || device::decode_any(number, bytes)
        || domain::decode_any(number, bytes)
        || empty::decode_any(number, bytes)
        || event::decode_any(number, bytes)
        || inspect::decode_any(number, bytes)
        || job::decode_any(number, bytes)
        || limit::decode_any(number, bytes)
        || lockstep::decode_any(number, bytes)
        || node::decode_any(number, bytes)
        || nwfilter::decode_any(number, bytes)
        || resource::decode_any(number, bytes)
        || security::decode_any(number, bytes)
        || stats::decode_any(number, bytes)
        || storage::decode_any(number, bytes)
}

/// Decodes `bytes` as what belongs to no procedure: errors, events and holes.
pub(super) fn decode_others(bytes: &[u8]) {
    both_ways::<super::error::RemoteError>(bytes);
    event::decode_messages(bytes);
    both_ways::<stream::StreamHole>(bytes);
}

/// What decodes must encode again, and what that encodes to must decode to the same bytes.
fn both_ways<T: Xdr>(bytes: &[u8]) {
    if let Ok(value) = super::xdr::decode::<T>(bytes) {
        let wire = super::xdr::encode(&value);
        let again = wire.as_deref().ok().and_then(|wire| super::xdr::decode::<T>(wire).ok());
        let stable = again.is_some_and(|value| super::xdr::encode(&value) == wire);
        assert!(stable, "decoded value does not survive the wire: {bytes:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::procs::Proc;

    #[test]
    fn every_codec_belongs_to_one_callable_row() {
        let mut numbers: Vec<_> = numbers().collect();
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
        for number in numbers {
            let number = i32::try_from(number).unwrap();
            assert!(Proc::callable(number).or(Proc::own(number)).is_some(), "{number}");
        }
    }

    #[test]
    fn a_listing_counts_what_it_does_not_send() {
        let listing = Listing::<u32>::new(vec![1, 2], 0);
        assert_eq!((listing.items.0.len(), listing.count), (0, 2));
        assert_eq!(Listing::<u32>::new(vec![1, 2], 1).items.0, [1, 2]);
    }
}
