//! `log/1` over the host's `tracing`: each of a plug-in's log callsites gets one of the host's.

use super::rate::Rate;
use crate::plugin::desk::Desk;
use driver_api::abi::log::{PARENT_CURRENT, PARENT_SPAN, Parent};
use driver_api::kit::offer::{LogService, LogSite, LogValue};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;
use tracing::callsite::{Callsite, Identifier};
use tracing::field::{FieldSet, Value, ValueSet};
use tracing::metadata::Kind;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, dispatcher};

/// Most callsites of one plug-in; they are never freed.
const MOST_SITES: usize = 16_384;

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

/// A plug-in's callsite on our side.
struct Site {
    metadata: OnceLock<Metadata<'static>>,
    interest: AtomicU8,
}

impl Callsite for Site {
    fn set_interest(&self, interest: Interest) {
        let interest = match (interest.is_never(), interest.is_always()) {
            (true, _) => NEVER,
            (_, true) => ALWAYS,
            _ => SOMETIMES,
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        // Set before anybody is told of the site.
        self.metadata.get().unwrap_or(&NOWHERE)
    }
}

static NO_SITE: Site = Site {
    metadata: OnceLock::new(),
    interest: AtomicU8::new(NEVER),
};
static NOWHERE: Metadata<'static> = Metadata::new(
    "nowhere",
    "lockstep",
    Level::TRACE,
    None,
    None,
    None,
    FieldSet::new(&[], Identifier(&NO_SITE)),
    Kind::EVENT,
);

impl Site {
    fn leak(site: &LogSite<'_>) -> &'static Self {
        let own = |text: &str| -> &'static str { String::leak(text.to_owned()) };
        let names: Vec<&'static str> = site.fields.iter().map(|name| own(name)).collect();
        let leaked: &'static Self = Box::leak(Box::new(Self {
            metadata: OnceLock::new(),
            interest: AtomicU8::new(NEVER),
        }));
        let target = own(site.target);
        leaked.metadata.get_or_init(|| {
            Metadata::new(
                own(site.name),
                target,
                site.level,
                (!site.file.is_empty()).then(|| own(site.file)),
                (site.line != 0).then_some(site.line),
                Some(target),
                FieldSet::new(Vec::leak(names), Identifier(leaked)),
                if site.span { Kind::SPAN } else { Kind::EVENT },
            )
        });
        // Tells every subscriber of the site, now and whenever their filters change.
        tracing::callsite::register(leaked);
        leaked
    }

    fn meta(&'static self) -> &'static Metadata<'static> {
        self.metadata.get().unwrap_or(&NOWHERE)
    }

    fn is_enabled(&'static self) -> bool {
        match self.interest.load(Ordering::Relaxed) {
            NEVER => false,
            ALWAYS => true,
            _ => dispatcher::get_default(|current| current.enabled(self.meta())),
        }
    }
}

/// The log of one plug-in. None of its locks is held while a subscriber runs.
pub(in crate::plugin) struct LogDesk {
    sites: RwLock<Vec<&'static Site>>,
    /// Handles of the plug-in's open spans: it reaches no others.
    spans: Mutex<HashMap<u64, usize>>,
    rate: Mutex<Rate>,
    started: Instant,
}

impl Default for LogDesk {
    fn default() -> Self {
        Self {
            sites: RwLock::default(),
            spans: Mutex::default(),
            rate: Mutex::default(),
            started: Instant::now(),
        }
    }
}

impl fmt::Debug for LogDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogDesk")
            .field("sites", &self.sites.read().len())
            .finish_non_exhaustive()
    }
}

impl LogDesk {
    fn site(&self, number: u64) -> Option<&'static Site> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.sites.read().get(index).copied()
    }

    /// A span, if it is one of this plug-in's.
    fn span(&self, number: u64) -> Option<Id> {
        self.spans.lock().contains_key(&number).then(|| Id::from_u64(number))
    }
}

/// Calls `work` with the values as `tracing` wants them.
fn with_values<T>(
    site: &'static Site,
    values: &[(usize, LogValue<'_>)],
    work: impl FnOnce(&'static Metadata<'static>, &ValueSet<'_>) -> T,
) -> T {
    let fields = site.meta().fields();
    let mut owned: Vec<Option<Box<dyn Value + '_>>> = Vec::new();
    owned.resize_with(fields.len(), || None);
    for (index, value) in values {
        if let Some(slot) = owned.get_mut(*index) {
            *slot = Some(match *value {
                LogValue::Text(text) => Box::new(text),
                LogValue::Debug(text) => Box::new(tracing::field::display(text)),
                LogValue::I64(number) => Box::new(number),
                LogValue::U64(number) => Box::new(number),
                LogValue::F64(number) => Box::new(number),
                LogValue::Bool(on) => Box::new(on),
            });
        }
    }
    let borrowed: Vec<Option<&dyn Value>> = owned.iter().map(Option::as_deref).collect();
    work(site.meta(), &fields.value_set_all(&borrowed))
}

impl LogService for Desk {
    fn register(&self, site: &LogSite<'_>) -> u64 {
        if self.log.sites.read().len() >= MOST_SITES {
            return 0;
        }
        let leaked = Site::leak(site);
        let mut sites = self.log.sites.write();
        sites.push(leaked);
        u64::try_from(sites.len()).unwrap_or(0)
    }

    fn enabled(&self, site: u64) -> bool {
        self.log.site(site).is_some_and(|site| site.is_enabled())
    }

    fn new_span(&self, site: u64, parent: Parent, values: &[(usize, LogValue<'_>)]) -> u64 {
        let Some(site) = self.log.site(site) else {
            return 0;
        };
        let above = (parent.kind == PARENT_SPAN)
            .then(|| self.log.span(parent.span))
            .flatten();
        let id = with_values(site, values, |meta, values| {
            let attributes = match above {
                Some(above) => Attributes::child_of(above, meta, values),
                None if parent.kind == PARENT_CURRENT => Attributes::new(meta, values),
                None => Attributes::new_root(meta, values),
            };
            dispatcher::get_default(|current| current.new_span(&attributes))
        });
        *self.log.spans.lock().entry(id.into_u64()).or_default() += 1;
        id.into_u64()
    }

    fn record(&self, site: u64, span: u64, values: &[(usize, LogValue<'_>)]) {
        if let (Some(site), Some(span)) = (self.log.site(site), self.log.span(span)) {
            with_values(site, values, |_, values| {
                dispatcher::get_default(|current| current.record(&span, &Record::new(values)));
            });
        }
    }

    fn follows_from(&self, span: u64, follows: u64) {
        if let (Some(span), Some(follows)) = (self.log.span(span), self.log.span(follows)) {
            dispatcher::get_default(|current| current.record_follows_from(&span, &follows));
        }
    }

    fn event(&self, site: u64, parent: Parent, values: &[(usize, LogValue<'_>)]) {
        let Some(site) = self.log.site(site) else {
            return;
        };
        let Some(dropped) = self.log.rate.lock().take(self.log.started.elapsed()) else {
            return;
        };
        if dropped > 0 {
            tracing::warn!(plugin = %self.name, dropped, "a plug-in logs too fast: lines of it were dropped");
        }
        let above = (parent.kind == PARENT_SPAN)
            .then(|| self.log.span(parent.span))
            .flatten();
        with_values(site, values, |meta, values| match above {
            Some(above) => Event::child_of(above, meta, values),
            None if parent.kind == PARENT_CURRENT => Event::dispatch(meta, values),
            None => Event::child_of(None, meta, values),
        });
    }

    fn enter(&self, span: u64) {
        if let Some(span) = self.log.span(span) {
            dispatcher::get_default(|current| current.enter(&span));
        }
    }

    fn exit(&self, span: u64) {
        if let Some(span) = self.log.span(span) {
            dispatcher::get_default(|current| current.exit(&span));
        }
    }

    fn clone_span(&self, span: u64) {
        if let Some(id) = self.log.span(span) {
            dispatcher::get_default(|current| current.clone_span(&id));
            *self.log.spans.lock().entry(span).or_default() += 1;
        }
    }

    fn close_span(&self, span: u64) -> bool {
        let Some(id) = self.log.span(span) else {
            return false;
        };
        {
            let mut spans = self.log.spans.lock();
            if let Some(handles) = spans.get_mut(&span) {
                *handles -= 1;
                if *handles == 0 {
                    spans.remove(&span);
                }
            }
        }
        dispatcher::get_default(|current| current.try_close(id.clone()))
    }

    fn panicked(&self, message: &str, place: &str, trace: &str) {
        tracing::error!(plugin = %self.name, place, "a plug-in panicked: {message}");
        tracing::debug!(plugin = %self.name, trace, "where it panicked");
    }
}
