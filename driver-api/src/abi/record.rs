//! `record!`: a frozen record declared once, with the ways to the plain value and back.

use super::value::{Pair, each, from_pairs};
use crate::error::{Error, Result};
use abi_stable::std_types::{ROption, RString, RVec};

/// Declares a record, and the ways to the plain value and back, each field by the two functions behind it.
macro_rules! record {
    ($($record:ident of $plain:ident { $($field:ident: $ty:ty = $out:expr, $back:expr;)+ })+) => { $(
        #[doc = concat!("`", stringify!($plain), "` as it crosses.")]
        #[repr(C)]
        #[derive(Clone, Debug, StableAbi)]
        #[allow(missing_docs, reason = "the fields are those of the plain value")]
        pub struct $record { $(pub $field: $ty,)+ }

        impl From<$plain> for $record {
            fn from(plain: $plain) -> Self {
                Self { $($field: ($out)(plain.$field),)+ }
            }
        }

        impl TryFrom<$record> for $plain {
            type Error = Error;

            fn try_from(record: $record) -> Result<Self> {
                Ok(Self { $($field: ($back)(record.$field)?,)+ })
            }
        }
    )+ };
}
pub(super) use record;

pub(crate) fn all<A, B: From<A>>(items: Vec<A>) -> RVec<B> {
    items.into_iter().map(B::from).collect()
}

pub(crate) fn each_of<A, B: TryFrom<A, Error = Error>>(items: RVec<A>) -> Result<Vec<B>> {
    each(items, B::try_from)
}

pub(crate) fn maybe<A, B: From<A>>(item: Option<A>) -> ROption<B> {
    item.map(B::from).into()
}

pub(crate) fn maybe_of<A, B: TryFrom<A, Error = Error>>(item: ROption<A>) -> Result<Option<B>> {
    item.into_option().map(B::try_from).transpose()
}

pub(crate) fn word(text: String) -> RString {
    text.into()
}

pub(crate) fn words(texts: Vec<String>) -> RVec<RString> {
    all(texts)
}

pub(crate) fn named(values: Vec<(String, String)>) -> RVec<Pair> {
    from_pairs(&values)
}

pub(crate) fn yes(flag: u32) -> Result<bool> {
    Ok(flag != 0)
}

pub(crate) fn octets(bytes: RVec<u8>) -> Result<Vec<u8>> {
    Ok(bytes.into_vec())
}
