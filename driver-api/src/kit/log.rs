//! `Forward`: the `tracing` subscriber of a driver's own copy, which hands everything to the host's.

use crate::abi::host::Services;
use crate::abi::lock::HostObj;
use crate::abi::log::{
    Callsite, Field as FieldRecord, KIND_BOOL, KIND_DEBUG, KIND_F64, KIND_I64, KIND_TEXT, KIND_U64, LogV1, MAX_FIELDS,
    MAX_TEXT, PARENT_CURRENT, PARENT_ROOT, PARENT_SPAN, Parent,
};
use abi_stable::std_types::{RSlice, RStr};
use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// The span that the host does not want; `tracing` knows no 0.
const DISABLED: u64 = u64::MAX;

/// Makes this copy of `tracing` write to the host; the first host of the process wins.
pub(crate) fn install(services: &'static Services) {
    if let Some((table, obj)) = services.log() {
        let forward = Forward {
            table,
            obj,
            sites: RwLock::default(),
        };
        // It fails only when this copy writes to the host already.
        let _ = tracing::subscriber::set_global_default(forward);
    }
}

struct Forward {
    table: &'static LogV1,
    obj: HostObj,
    sites: RwLock<HashMap<Identifier, u64>>,
}

impl Forward {
    fn known(&self, site: &Identifier) -> Option<u64> {
        self.sites
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(site)
            .copied()
    }

    fn site(&self, metadata: &'static Metadata<'static>) -> u64 {
        if let Some(id) = self.known(&metadata.callsite()) {
            return id;
        }
        // The map is not locked meanwhile: the host may log, and two numbers for one place do no harm.
        let id = self.register(metadata);
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        *sites.entry(metadata.callsite()).or_insert(id)
    }

    fn register(&self, metadata: &'static Metadata<'static>) -> u64 {
        let fields: Vec<RStr<'_>> = metadata
            .fields()
            .iter()
            .take(MAX_FIELDS)
            .map(|f| f.name().into())
            .collect();
        let callsite = Callsite {
            name: metadata.name().into(),
            target: metadata.target().into(),
            file: metadata.file().unwrap_or("").into(),
            line: metadata.line().unwrap_or(0),
            level: level(*metadata.level()),
            span: u32::from(metadata.is_span()),
            fields: RSlice::from_slice(&fields),
        };
        (self.table.register)(self.obj, callsite)
    }

    fn wants(&self, site: u64) -> bool {
        site != 0 && (self.table.enabled)(self.obj, site) != 0
    }
}

impl Subscriber for Forward {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(self.site(metadata)) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.known(&metadata.callsite()).is_some_and(|site| self.wants(site))
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut values = Values::default();
        attributes.record(&mut values);
        let site = self.site(attributes.metadata());
        let parent = parent(attributes.parent(), attributes.is_contextual());
        let span = values.with(|fields| (self.table.new_span)(self.obj, site, parent, fields));
        Id::from_u64(if span == 0 { DISABLED } else { span })
    }

    fn record(&self, span: &Id, record: &Record<'_>) {
        let mut values = Values::default();
        record.record(&mut values);
        let site = values.site.as_ref().and_then(|site| self.known(site));
        if let (Some(span), Some(site)) = (number(span), site) {
            values.with(|fields| (self.table.record)(self.obj, site, span, fields));
        }
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        if let (Some(span), Some(follows)) = (number(span), number(follows)) {
            (self.table.follows_from)(self.obj, span, follows);
        }
    }

    fn event(&self, event: &Event<'_>) {
        let mut values = Values::default();
        event.record(&mut values);
        let site = self.site(event.metadata());
        let parent = parent(event.parent(), event.is_contextual());
        values.with(|fields| (self.table.event)(self.obj, site, parent, fields));
    }

    fn enter(&self, span: &Id) {
        if let Some(span) = number(span) {
            (self.table.enter)(self.obj, span);
        }
    }

    fn exit(&self, span: &Id) {
        if let Some(span) = number(span) {
            (self.table.exit)(self.obj, span);
        }
    }

    fn clone_span(&self, span: &Id) -> Id {
        if let Some(span) = number(span) {
            (self.table.clone_span)(self.obj, span);
        }
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        number(&span).is_some_and(|span| (self.table.close_span)(self.obj, span) != 0)
    }
}

fn number(span: &Id) -> Option<u64> {
    let number = span.into_u64();
    (number != DISABLED).then_some(number)
}

fn parent(explicit: Option<&Id>, contextual: bool) -> Parent {
    match explicit.and_then(number) {
        Some(span) => Parent {
            kind: PARENT_SPAN,
            span,
        },
        None if contextual => Parent {
            kind: PARENT_CURRENT,
            span: 0,
        },
        None => Parent {
            kind: PARENT_ROOT,
            span: 0,
        },
    }
}

const fn level(level: Level) -> u32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// The values of one span or event on their way out.
#[derive(Default)]
struct Values {
    site: Option<Identifier>,
    values: Vec<Value>,
}

struct Value {
    index: u32,
    kind: u32,
    bits: u64,
    text: String,
}

impl Value {
    fn record(&self) -> FieldRecord<'_> {
        FieldRecord {
            index: self.index,
            kind: self.kind,
            bits: self.bits,
            text: self.text.as_str().into(),
        }
    }
}

impl Values {
    fn with<T>(&self, send: impl FnOnce(RSlice<'_, FieldRecord<'_>>) -> T) -> T {
        let fields: Vec<FieldRecord<'_>> = self.values.iter().map(Value::record).collect();
        send(RSlice::from_slice(&fields))
    }

    fn push(&mut self, field: &Field, kind: u32, bits: u64, text: String) {
        self.site.get_or_insert_with(|| field.callsite());
        if let Ok(index) = u32::try_from(field.index())
            && field.index() < MAX_FIELDS
        {
            self.values.push(Value {
                index,
                kind,
                bits,
                text,
            });
        }
    }
}

impl Visit for Values {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, KIND_F64, value.to_bits(), String::new());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, KIND_I64, value.cast_unsigned(), String::new());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, KIND_U64, value, String::new());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, KIND_BOOL, u64::from(value), String::new());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(
            field,
            KIND_TEXT,
            0,
            value[..value.floor_char_boundary(MAX_TEXT)].to_owned(),
        );
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Capped(String::new());
        // It fails when the cap is reached: what was written so far is what is sent.
        let _ = fmt::write(&mut text, format_args!("{value:?}"));
        self.push(field, KIND_DEBUG, 0, text.0);
    }
}

/// A text that stops growing, so that one huge value is never built in full.
struct Capped(String);

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_TEXT - self.0.len();
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}
