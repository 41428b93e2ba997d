//! The verb `nwfilter-trace`: a port's packets on their way through its rules, as they go.

use super::Session;
use super::args::duration;
use super::exit::{Context, Failure};
use super::filter::Port;
use super::inspect::place_json;
use super::output::{Output, harmless, remark};
use super::signals::Signals;
use super::summary;
use crate::client::Connection;
use crate::client::connection::Woken;
use clap::{Args, Subcommand};
use driver_api::types::inspect::TraceStep;
use rustix::event::PollFlags;
use serde_json::json;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often the host is asked; it ends a trace that is not asked for 5 s.
const EVERY: Duration = Duration::from_millis(200);
/// How many packets are known by their number.
const RECENT: usize = 256;

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show each packet of a port with the rules that it matches, as it goes, until SIGINT
    NwfilterTrace(Options),
}

/// What `nwfilter-trace` takes.
#[derive(Args, Debug)]
pub struct Options {
    /// Which port.
    #[command(flatten)]
    port: Port,
    /// End after so many packets
    #[arg(long, value_name = "NUMBER")]
    count: Option<usize>,
    /// End after so long; exit status 4 if no packet came by then
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    timeout: Option<Duration>,
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let Self::NwfilterTrace(options) = self;
        let port = options.port.word();
        let signals = Signals::watch().context(|| "cannot watch signals".to_owned())?;
        let mut connection = session.connect()?;
        let trace = (connection.start_filter_trace(port)).context(|| format!("cannot trace '{port}'"))?;
        if !session.out.is_json() && !session.common.quiet {
            remark(format_args!("tracing '{}'; SIGINT ends it", harmless(port)));
        }
        let watched = options.watch(session, &mut connection, trace, &signals);
        // A host that can not be told any more ends the trace by itself.
        let _ = connection.stop_filter_trace(trace);
        watched
    }
}

impl Options {
    fn watch(
        &self,
        session: &Session,
        connection: &mut Connection,
        trace: u64,
        signals: &Signals,
    ) -> Result<(), Failure> {
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut shown = Shown::default();
        loop {
            let batch = connection.next_filter_trace(trace)?;
            if !shown.batch(session.out, &batch.steps, self.count)? {
                return Ok(());
            }
            if batch.lost > 0 {
                remark(format_args!("{} more steps came too fast to be kept", batch.lost));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return match shown.packets {
                    0 => Err(Failure::Timeout("no packet came in time".to_owned())),
                    _ => Ok(()),
                };
            }
            let next = Instant::now() + EVERY;
            let until = deadline.map_or(next, |deadline| deadline.min(next));
            while let Woken::Socket | Woken::Other(_) =
                connection.wait(Some(until), &[(signals.fd(), PollFlags::IN)])?
            {
                if signals.take().is_some() {
                    return Ok(());
                }
            }
        }
    }
}

/// What was shown of a trace.
#[derive(Default)]
struct Shown {
    packets: usize,
    /// The last packets: steps of a few come mixed, when several processors handle packets at once.
    recent: VecDeque<u32>,
    last: Option<u32>,
}

impl Shown {
    /// Whether more is wanted.
    fn batch(&mut self, out: Output, steps: &[TraceStep], most: Option<usize>) -> Result<bool, Failure> {
        for step in steps {
            if !self.recent.contains(&step.packet) {
                if most.is_some_and(|most| self.packets >= most) {
                    return Ok(false);
                }
                self.packets += 1;
                self.recent.push_back(step.packet);
                if self.recent.len() > RECENT {
                    self.recent.pop_front();
                }
            }
            self.step(out, step)?;
        }
        // The last packet's steps are complete when another packet's or none come.
        Ok(most.is_none_or(|most| self.packets < most || !steps.is_empty()))
    }

    fn step(&mut self, out: Output, step: &TraceStep) -> Result<(), Failure> {
        let packet = format!("{:08x}", step.packet);
        let headers = (!step.headers.is_empty()).then(|| summary::of(&step.headers));
        if out.is_json() {
            return out.json_line(&json!({
                "packet": packet, "headers": headers, "chain": step.chain, "verdict": step.verdict,
                "place": place_json(step.place.as_ref()),
            }));
        }
        if self.last != Some(step.packet) {
            self.last = Some(step.packet);
            let headers = headers.unwrap_or_default();
            out.line(harmless(format!("packet {packet}  {headers}").trim_end()))?;
        }
        let mut line = format!("  {:24} {:8}", step.chain, step.verdict);
        if let Some(place) = &step.place {
            let text: String = place.text.lines().map(str::trim).collect();
            line.push_str(&format!(" {}:{}  {text}", place.filter, place.line));
        }
        out.line(harmless(line.trim_end()))
    }
}
