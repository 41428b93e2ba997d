//! The host's end of `log/1`.

use super::{HostServices, services, words};
use crate::abi::lock::HostObj;
use crate::abi::log::{
    Callsite, Field, KIND_BOOL, KIND_DEBUG, KIND_F64, KIND_I64, KIND_TEXT, KIND_U64, LogV1, MAX_FIELDS, MAX_TEXT,
    Parent,
};
use crate::kit::panic::muffle;
use abi_stable::std_types::{RSlice, RStr};
use tracing::Level;

/// A place in a driver's code that logs.
#[derive(Clone, Debug)]
pub struct LogSite<'a> {
    /// The span's or event's name.
    pub name: &'a str,
    /// Usually the module.
    pub target: &'a str,
    /// The source file, or nothing.
    pub file: &'a str,
    /// Line in it, 0 when unknown.
    pub line: u32,
    /// How important.
    pub level: Level,
    /// A span, not an event.
    pub span: bool,
    /// The names of its fields, at most [`MAX_FIELDS`].
    pub fields: Vec<&'a str>,
}

/// One field's value; the number with it is the field's place in [`LogSite::fields`].
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogValue<'a> {
    Text(&'a str),
    /// Formatted by the driver, not to be quoted again.
    Debug(&'a str),
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
}

/// What the host does for `log/1`; each method is the function of [`LogV1`] with the same name.
#[allow(missing_docs, reason = "documented at `LogV1`")]
pub trait LogService: Send + Sync + 'static {
    fn register(&self, site: &LogSite<'_>) -> u64;
    fn enabled(&self, site: u64) -> bool;
    fn new_span(&self, site: u64, parent: Parent, values: &[(usize, LogValue<'_>)]) -> u64;
    fn record(&self, site: u64, span: u64, values: &[(usize, LogValue<'_>)]);
    fn follows_from(&self, span: u64, follows: u64);
    fn event(&self, site: u64, parent: Parent, values: &[(usize, LogValue<'_>)]);
    fn enter(&self, span: u64);
    fn exit(&self, span: u64);
    fn clone_span(&self, span: u64);
    fn close_span(&self, span: u64) -> bool;
    fn panicked(&self, message: &str, place: &str, trace: &str);
}

pub(super) fn table<S: HostServices>() -> &'static LogV1 {
    const {
        &LogV1 {
            register: register::<S>,
            enabled: enabled::<S>,
            new_span: new_span::<S>,
            record: record::<S>,
            follows_from: follows_from::<S>,
            event: event::<S>,
            enter: enter::<S>,
            exit: exit::<S>,
            clone_span: clone_span::<S>,
            close_span: close_span::<S>,
            panicked: panicked::<S>,
        }
    }
}

/// A driver's text cut to what is logged of it; what is not text is not logged.
fn capped<'a>(raw: &'a RStr<'_>) -> &'a str {
    let text = words(raw).unwrap_or("(not UTF-8)");
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

const fn level(number: u32) -> Level {
    match number {
        0 | 1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        _ => Level::TRACE,
    }
}

fn values<'a>(fields: &'a RSlice<'_, Field<'_>>) -> Vec<(usize, LogValue<'a>)> {
    let value = |field: &'a Field<'_>| {
        let value = match field.kind {
            KIND_TEXT => LogValue::Text(capped(&field.text)),
            KIND_DEBUG => LogValue::Debug(capped(&field.text)),
            KIND_I64 => LogValue::I64(field.bits.cast_signed()),
            KIND_U64 => LogValue::U64(field.bits),
            KIND_F64 => LogValue::F64(f64::from_bits(field.bits)),
            KIND_BOOL => LogValue::Bool(field.bits != 0),
            _ => return None,
        };
        Some((usize::try_from(field.index).ok()?, value))
    };
    fields.as_slice().iter().take(MAX_FIELDS).filter_map(value).collect()
}

extern "C" fn register<S: HostServices>(obj: HostObj, site: Callsite<'_>) -> u64 {
    muffle(|| {
        services::<S>(obj).register(&LogSite {
            name: capped(&site.name),
            target: capped(&site.target),
            file: capped(&site.file),
            line: site.line,
            level: level(site.level),
            span: site.span != 0,
            fields: site.fields.as_slice().iter().take(MAX_FIELDS).map(capped).collect(),
        })
    })
}

extern "C" fn enabled<S: HostServices>(obj: HostObj, site: u64) -> u32 {
    muffle(|| u32::from(services::<S>(obj).enabled(site)))
}

extern "C" fn new_span<S: HostServices>(obj: HostObj, site: u64, parent: Parent, fields: RSlice<'_, Field<'_>>) -> u64 {
    muffle(|| services::<S>(obj).new_span(site, parent, &values(&fields)))
}

extern "C" fn record<S: HostServices>(obj: HostObj, site: u64, span: u64, fields: RSlice<'_, Field<'_>>) {
    muffle(|| services::<S>(obj).record(site, span, &values(&fields)));
}

extern "C" fn follows_from<S: HostServices>(obj: HostObj, span: u64, follows: u64) {
    muffle(|| services::<S>(obj).follows_from(span, follows));
}

extern "C" fn event<S: HostServices>(obj: HostObj, site: u64, parent: Parent, fields: RSlice<'_, Field<'_>>) {
    muffle(|| services::<S>(obj).event(site, parent, &values(&fields)));
}

extern "C" fn enter<S: HostServices>(obj: HostObj, span: u64) {
    muffle(|| services::<S>(obj).enter(span));
}

extern "C" fn exit<S: HostServices>(obj: HostObj, span: u64) {
    muffle(|| services::<S>(obj).exit(span));
}

extern "C" fn clone_span<S: HostServices>(obj: HostObj, span: u64) {
    muffle(|| services::<S>(obj).clone_span(span));
}

extern "C" fn close_span<S: HostServices>(obj: HostObj, span: u64) -> u32 {
    muffle(|| u32::from(services::<S>(obj).close_span(span)))
}

extern "C" fn panicked<S: HostServices>(obj: HostObj, message: RStr<'_>, place: RStr<'_>, trace: RStr<'_>) {
    muffle(|| services::<S>(obj).panicked(capped(&message), capped(&place), capped(&trace)));
}
