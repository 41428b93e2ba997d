//! `log/1`: how a driver's `tracing` reaches the host's.

use super::interface::Table;
use super::lock::HostObj;
use abi_stable::StableAbi;
use abi_stable::std_types::{RSlice, RStr};

/// Most fields of one span or event that cross; the rest is dropped.
pub const MAX_FIELDS: usize = 32;
/// Most bytes of one field's text that cross; the rest is cut off.
pub const MAX_TEXT: usize = 8192;

/// A place in the driver's code that logs.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct Callsite<'a> {
    /// The span's or event's name.
    pub name: RStr<'a>,
    /// Usually the module.
    pub target: RStr<'a>,
    /// The source file.
    pub file: RStr<'a>,
    /// Line in it, 0 when unknown.
    pub line: u32,
    /// 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub level: u32,
    /// 1 for a span, 0 for an event.
    pub span: u32,
    /// The names of its fields, at most [`MAX_FIELDS`].
    pub fields: RSlice<'a, RStr<'a>>,
}

/// One field's value.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct Field<'a> {
    /// Its place in [`Callsite::fields`].
    pub index: u32,
    /// [`KIND_TEXT`] and its kin.
    pub kind: u32,
    /// The bits of a number or truth value.
    pub bits: u64,
    /// The text of what is none of these.
    pub text: RStr<'a>,
}

/// [`Field::kind`]: a text.
pub const KIND_TEXT: u32 = 0;
/// [`Field::kind`]: formatted by the driver, not to be quoted again.
pub const KIND_DEBUG: u32 = 1;
/// [`Field::kind`]: `i64`.
pub const KIND_I64: u32 = 2;
/// [`Field::kind`]: `u64`.
pub const KIND_U64: u32 = 3;
/// [`Field::kind`]: `f64`.
pub const KIND_F64: u32 = 4;
/// [`Field::kind`]: `bool`.
pub const KIND_BOOL: u32 = 5;

/// What a span or event hangs under.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, StableAbi)]
pub struct Parent {
    /// [`PARENT_CURRENT`], [`PARENT_ROOT`] or [`PARENT_SPAN`].
    pub kind: u32,
    /// The span, for [`PARENT_SPAN`].
    pub span: u64,
}

/// [`Parent::kind`]: the span that this thread is in, be it the driver's or the host's.
pub const PARENT_CURRENT: u32 = 0;
/// [`Parent::kind`]: none.
pub const PARENT_ROOT: u32 = 1;
/// [`Parent::kind`]: the one given.
pub const PARENT_SPAN: u32 = 2;

/// The table behind `log/1`. Nothing here fails: a log line that can not be written is lost. Span 0 is "disabled".
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct LogV1 {
    /// Makes a callsite known; answers its number, or 0 when the host has no room for more.
    pub register: extern "C" fn(HostObj, Callsite<'_>) -> u64,
    /// Whether a callsite is wanted now: 0 or 1.
    pub enabled: extern "C" fn(HostObj, u64) -> u32,
    /// Opens a span.
    pub new_span: extern "C" fn(HostObj, u64, Parent, RSlice<'_, Field<'_>>) -> u64,
    /// Adds values to a span of a callsite: (callsite, span, values).
    pub record: extern "C" fn(HostObj, u64, u64, RSlice<'_, Field<'_>>),
    /// The first span follows from the second.
    pub follows_from: extern "C" fn(HostObj, u64, u64),
    /// Writes an event.
    pub event: extern "C" fn(HostObj, u64, Parent, RSlice<'_, Field<'_>>),
    /// This thread enters a span.
    pub enter: extern "C" fn(HostObj, u64),
    /// This thread leaves a span.
    pub exit: extern "C" fn(HostObj, u64),
    /// One more handle of a span.
    pub clone_span: extern "C" fn(HostObj, u64),
    /// One handle less; 1 when it was the last.
    pub close_span: extern "C" fn(HostObj, u64) -> u32,
    /// The driver panicked: message, place, backtrace.
    pub panicked: extern "C" fn(HostObj, RStr<'_>, RStr<'_>, RStr<'_>),
}

impl Table for LogV1 {
    const ID: &'static str = "log/1";
}
