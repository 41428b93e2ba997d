//! `Logbook`: what a driver logs, as the host would get it, kept for checks to look at.

use driver_api::abi::log::{PARENT_CURRENT, PARENT_SPAN, Parent};
use driver_api::kit::offer::{LogSite, LogValue};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::HashMap;
use tracing::Level;

/// Lines beyond this are counted only.
const MOST_LINES: usize = 100_000;

/// One line of the driver's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// How important.
    pub level: Level,
    /// Usually the module.
    pub target: String,
    /// The fields, `message` among them.
    pub fields: Vec<(String, String)>,
    /// The driver's spans around it, outermost first.
    pub spans: Vec<String>,
    /// The method that the bench was calling on this thread, if any.
    pub method: Option<String>,
}

impl Line {
    /// The line's text: its fields as `name=value`, the message bare.
    #[must_use]
    pub fn text(&self) -> String {
        let field = |(name, value): &(String, String)| match name.as_str() {
            "message" => value.clone(),
            name => format!("{name}={value}"),
        };
        self.fields.iter().map(field).collect::<Vec<String>>().join(" ")
    }
}

#[derive(Debug)]
struct Site {
    name: String,
    target: String,
    level: Level,
    fields: Vec<String>,
}

#[derive(Debug)]
struct Span {
    name: String,
    parent: Option<u64>,
    handles: usize,
}

#[derive(Debug)]
struct State {
    level: Level,
    sites: Vec<Site>,
    spans: HashMap<u64, Span>,
    next_span: u64,
    lines: Vec<Line>,
    dropped: u64,
}

/// The log of one driver.
#[derive(Debug)]
pub(crate) struct Logbook(Mutex<State>);

thread_local! {
    /// Spans that this thread has entered, innermost last.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    /// Methods that the bench is calling on this thread, innermost last.
    static METHODS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Says that a method is being called on this thread until it is dropped.
#[derive(Debug)]
pub(crate) struct Within;

impl Within {
    pub(crate) fn enter(method: &str) -> Self {
        METHODS.with_borrow_mut(|methods| methods.push(method.to_owned()));
        Self
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        METHODS.with_borrow_mut(|methods| methods.pop());
    }
}

impl Default for Logbook {
    fn default() -> Self {
        Self(Mutex::new(State {
            level: Level::TRACE,
            sites: Vec::new(),
            spans: HashMap::new(),
            next_span: 1,
            lines: Vec::new(),
            dropped: 0,
        }))
    }
}

impl Logbook {
    pub(crate) fn set_level(&self, level: Level) {
        self.0.lock().level = level;
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.0.lock().lines.clone()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }

    /// How many spans were never closed.
    pub(crate) fn open_spans(&self) -> usize {
        self.0.lock().spans.len()
    }

    pub(crate) fn clear(&self) {
        let mut state = self.0.lock();
        state.lines.clear();
        state.dropped = 0;
    }

    pub(crate) fn register(&self, site: &LogSite<'_>) -> u64 {
        let mut state = self.0.lock();
        state.sites.push(Site {
            name: site.name.to_owned(),
            target: site.target.to_owned(),
            level: site.level,
            fields: site.fields.iter().map(ToString::to_string).collect(),
        });
        state.sites.len() as u64
    }

    pub(crate) fn enabled(&self, site: u64) -> bool {
        let state = self.0.lock();
        // `tracing` orders levels by how much they say: TRACE is the greatest.
        index(site)
            .and_then(|index| state.sites.get(index))
            .is_some_and(|site| site.level <= state.level)
    }

    pub(crate) fn new_span(&self, site: u64, parent: Parent) -> u64 {
        let mut state = self.0.lock();
        let Some(name) = index(site)
            .and_then(|index| state.sites.get(index))
            .map(|site| site.name.clone())
        else {
            return 0;
        };
        let number = state.next_span;
        state.next_span += 1;
        let span = Span {
            name,
            parent: above(parent),
            handles: 1,
        };
        state.spans.insert(number, span);
        number
    }

    pub(crate) fn clone_span(&self, span: u64) {
        if let Some(span) = self.0.lock().spans.get_mut(&span) {
            span.handles += 1;
        }
    }

    pub(crate) fn close_span(&self, number: u64) -> bool {
        let mut state = self.0.lock();
        let Some(span) = state.spans.get_mut(&number) else {
            return false;
        };
        span.handles -= 1;
        let last = span.handles == 0;
        if last {
            state.spans.remove(&number);
        }
        last
    }

    pub(crate) fn enter(span: u64) {
        ENTERED.with_borrow_mut(|entered| entered.push(span));
    }

    pub(crate) fn exit(span: u64) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(place) = entered.iter().rposition(|other| *other == span) {
                entered.remove(place);
            }
        });
    }

    pub(crate) fn event(&self, site: u64, parent: Parent, values: &[(usize, LogValue<'_>)]) {
        let method = METHODS.with_borrow(|methods| methods.last().cloned());
        let mut state = self.0.lock();
        if state.lines.len() >= MOST_LINES {
            state.dropped += 1;
            return;
        }
        let Some(site) = index(site).and_then(|index| state.sites.get(index)) else {
            return;
        };
        let field = |(place, value): &(usize, LogValue<'_>)| {
            let value = match value {
                LogValue::Text(text) | LogValue::Debug(text) => (*text).to_owned(),
                LogValue::I64(number) => number.to_string(),
                LogValue::U64(number) => number.to_string(),
                LogValue::F64(number) => number.to_string(),
                LogValue::Bool(on) => on.to_string(),
            };
            Some((site.fields.get(*place)?.clone(), value))
        };
        let line = Line {
            level: site.level,
            target: site.target.clone(),
            fields: values.iter().filter_map(field).collect(),
            spans: chain(&state.spans, above(parent)),
            method,
        };
        state.lines.push(line);
    }
}

fn index(site: u64) -> Option<usize> {
    usize::try_from(site.checked_sub(1)?).ok()
}

fn above(parent: Parent) -> Option<u64> {
    match parent.kind {
        PARENT_SPAN => Some(parent.span),
        PARENT_CURRENT => ENTERED.with_borrow(|entered| entered.last().copied()),
        _ => None,
    }
}

fn chain(spans: &HashMap<u64, Span>, innermost: Option<u64>) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = innermost;
    // A ring of parents can only come from a broken driver, and must not be followed for ever.
    while let Some(span) = next.and_then(|number| spans.get(&number))
        && names.len() < 64
    {
        names.push(span.name.clone());
        next = span.parent;
    }
    names.reverse();
    names
}
