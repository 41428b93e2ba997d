//! The host's log: one line an event on standard error, with fields, a filter that can be changed while it runs, and
//! a limit on lines that a guest or a client can cause at will.

pub mod limit;

use std::fmt;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Compact, Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that wins over `log.filter` of `lockstep.toml`.
pub const FILTER_VARIABLE: &str = "LOCKSTEP_LOG";

/// Why logging can not be set up or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The filter is no filter.
    #[error("cannot use '{filter}' as a log filter, write one like 'info' or 'info,lockstep::rpc=debug': {cause}")]
    Filter {
        /// The text given.
        filter: String,
        /// What is wrong with it.
        cause: tracing_subscriber::filter::ParseError,
    },
    /// Something in this process logs already.
    #[error("cannot begin to log twice in one process")]
    Twice,
    /// The subscriber that the handle belonged to is gone.
    #[error("cannot change the log filter: the log is closed")]
    Closed,
}

/// Changes the filter of the running log; cheap to clone.
#[derive(Clone, Debug)]
pub struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// Begins to log on standard error: for the journal with its priorities, else with times, and in colour where a
    /// person looks. `LOCKSTEP_LOG` in the environment wins over `filter`.
    ///
    /// # Errors
    /// No filter, or a process that logs already.
    pub fn start(filter: &str) -> Result<Self, Error> {
        let wanted = std::env::var(FILTER_VARIABLE).unwrap_or_else(|_| filter.to_owned());
        let (filter, handle) = reload::Layer::new(parse(&wanted)?);
        let format = if stderr_is_journal() {
            Line::journal()
        } else {
            Line::plain()
        };
        let colour =
            std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(colour)
            .event_format(format)
            .with_writer(std::io::stderr);
        let subscriber = tracing_subscriber::registry().with(filter).with(lines);
        subscriber.try_init().map_err(|_| Error::Twice)?;
        Ok(Self { filter: handle })
    }

    /// Replaces the filter from now on.
    ///
    /// # Errors
    /// No filter; the old one stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), Error> {
        let parsed = parse(filter)?;
        self.filter.reload(parsed).map_err(|_| Error::Closed)
    }
}

fn parse(filter: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder().parse(filter).map_err(|cause| Error::Filter {
        filter: filter.to_owned(),
        cause,
    })
}

/// systemd names the device and inode of the stream that goes to its journal; a shell's redirection behind it changes
/// the stream but not the variable.
fn stderr_is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    rustix::fs::fstat(std::io::stderr().as_fd()).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// One line of the log.
#[derive(Debug)]
enum Line {
    /// `<N>` in front, which the journal takes off again; the journal knows the time itself.
    Journal(Format<Compact, ()>),
    Plain(Format<Compact>),
}

impl Line {
    fn journal() -> Self {
        let format = tracing_subscriber::fmt::format().compact();
        Self::Journal(format.without_time().with_level(false).with_ansi(false))
    }

    fn plain() -> Self {
        Self::Plain(tracing_subscriber::fmt::format().compact())
    }
}

/// A level as syslog counts.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match self {
            Self::Journal(format) => {
                write!(line, "<{}>", priority(*event.metadata().level()))?;
                format.format_event(context, line, event)
            }
            Self::Plain(format) => format.format_event(context, line, event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(line: Line, filter: &str, then: impl FnOnce(&Logging)) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let (filter, handle) = reload::Layer::new(parse(filter).unwrap());
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .event_format(line)
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(filter).with(lines);
        tracing::subscriber::with_default(subscriber, || then(&Logging { filter: handle }));
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn journal_lines_begin_with_their_priority_and_keep_fields() {
        let text = logged(Line::journal(), "debug", |_| {
            tracing::error!(dom = "vm1", "one");
            tracing::warn!("two");
            tracing::info!("three");
            tracing::debug!("four");
        });
        let lines: Vec<&str> = text.lines().collect();
        for (line, begin) in lines.iter().zip(["<3>", "<4>", "<6>", "<7>"]) {
            assert!(line.starts_with(begin), "{line}");
        }
        assert!(
            lines[0].contains("one") && lines[0].contains("dom=\"vm1\""),
            "{}",
            lines[0]
        );
    }

    #[test]
    fn filter_can_be_replaced_and_a_bad_one_changes_nothing() {
        let text = logged(Line::plain(), "warn", |logging| {
            tracing::info!("before");
            logging.set_filter("info").unwrap();
            tracing::info!("between");
            assert!(
                logging
                    .set_filter("info,=,")
                    .unwrap_err()
                    .to_string()
                    .contains("'info,=,'")
            );
            tracing::info!("after");
        });
        assert!(
            !text.contains("before") && text.contains("between") && text.contains("after"),
            "{text}"
        );
    }

    #[test]
    fn control_characters_can_not_forge_a_line() {
        let text = logged(Line::plain(), "info", |_| tracing::info!(dom = "a\nb\x1b[31m", "x"));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
}
