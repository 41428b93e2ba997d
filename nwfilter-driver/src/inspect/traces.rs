//! `Traces`: traces that clients follow, each ended when its client does not ask any more.

use super::place::Places;
use crate::filters::Filters;
use crate::kernel::trace::{Happening, Step, Trace};
use crate::nft::{Family, Verdict};
use crate::ruleset::Hook;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::inspect::{TraceBatch, TraceStep};
use driver_api::types::uuid::Uuid;
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A trace that is not asked for so long is over.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// So many traces go on at once.
pub const MOST: usize = 16;
/// So many steps are told at once; the rest waits for the next time, or is lost.
const BATCH: usize = 1024;

/// Where steps come from: the kernel, or a list in tests.
pub trait Source: Send {
    /// The next step, if there is one already.
    ///
    /// # Errors
    /// The kernel does not tell any more.
    fn next(&mut self) -> std::io::Result<Option<Step>>;

    /// How often there was more than could be kept.
    fn lost(&self) -> u64;
}

impl Source for Trace {
    fn next(&mut self) -> std::io::Result<Option<Step>> {
        self.next_step()
    }

    fn lost(&self) -> u64 {
        Self::lost(self)
    }
}

struct Running {
    port: String,
    /// Which binding of the port it is.
    generation: u64,
    source: Box<dyn Source>,
    /// How many losses were told.
    told: u64,
    asked: Instant,
}

#[derive(Default)]
struct Table {
    running: HashMap<u64, Running>,
    reaper: Option<JoinHandle<()>>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    table: Mutex<Table>,
    changed: Condvar,
}

/// All traces that go on.
#[derive(Default)]
pub struct Traces(Arc<Shared>);

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.0.table.lock().running.len();
        f.debug_struct("Traces")
            .field("running", &running)
            .finish_non_exhaustive()
    }
}

fn over() -> Error {
    let message = format!(
        "the trace is over: nobody asked for it within {} s, or the port's filter was taken off",
        PATIENCE.as_secs()
    );
    Error::new(Code::OPERATION_INVALID, Origin::NWFILTER, message)
}

impl Traces {
    /// Keeps a new trace of a binding of a port, which `open` makes.
    ///
    /// # Errors
    /// 55 when too many go on, 38 when the machine has no thread or no random number to give, and those of `open`.
    pub fn start<S: Source + 'static>(
        &self,
        port: &str,
        generation: u64,
        open: impl FnOnce() -> Result<S>,
    ) -> Result<u64> {
        let refuse = |code, message: String| Error::new(code, Origin::NWFILTER, message);
        let mut table = self.0.table.lock();
        if table.closed {
            return Err(refuse(
                Code::OPERATION_INVALID,
                format!("port '{port}' is not traced any more: the host stops"),
            ));
        }
        if table.running.len() >= MOST {
            let message = format!("port '{port}' can not be traced: {MOST} traces go on already");
            return Err(refuse(Code::OPERATION_INVALID, message));
        }
        let random = Uuid::random().map_err(|error| {
            let message = format!("port '{port}' can not be traced: no number is random enough to know the trace by");
            refuse(Code::SYSTEM_ERROR, message).because(error)
        })?;
        let [a, b, c, d, e, f, g, h, ..] = *random.as_bytes();
        let id = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        if table.reaper.is_none() {
            let shared = Arc::clone(&self.0);
            let reaper = thread::Builder::new()
                .name("nwfilter-traces".to_owned())
                .spawn(move || reap(&shared));
            table.reaper = Some(reaper.map_err(|error| {
                refuse(
                    Code::SYSTEM_ERROR,
                    format!("port '{port}' can not be traced: there is no thread to end it"),
                )
                .because(error)
            })?);
        }
        let running = Running {
            port: port.to_owned(),
            generation,
            source: Box::new(open()?),
            told: 0,
            asked: Instant::now(),
        };
        table.running.insert(id, running);
        self.0.changed.notify_all();
        Ok(id)
    }

    /// What happened since the last time. `is_bound` says whether a port still has this binding.
    ///
    /// # Errors
    /// 55 when there is no such trace any more, 38 when the kernel does not tell.
    pub fn next(&self, id: u64, filters: [&Filters; 2], is_bound: impl Fn(&str, u64) -> bool) -> Result<TraceBatch> {
        let mut table = self.0.table.lock();
        let running = table.running.get_mut(&id).ok_or_else(over)?;
        if !is_bound(&running.port, running.generation) {
            table.running.remove(&id);
            return Err(over());
        }
        running.asked = Instant::now();
        let mut places = Places::new(filters.to_vec());
        let mut steps = Vec::new();
        while steps.len() < BATCH {
            match running.source.next() {
                Ok(Some(step)) => steps.push(told(step, &mut places)),
                Ok(None) => break,
                Err(error) => {
                    let message = format!("the kernel does not tell of port '{}' any more", running.port);
                    return Err(Error::new(Code::SYSTEM_ERROR, Origin::NWFILTER, message).because(error));
                }
            }
        }
        let lost = running.source.lost();
        let batch = TraceBatch {
            steps,
            lost: lost - running.told,
        };
        running.told = lost;
        Ok(batch)
    }

    /// Ends a trace.
    pub fn stop(&self, id: u64) {
        drop(self.0.table.lock().running.remove(&id));
    }

    /// Ends all traces and the thread that watches them.
    pub fn close(&self) {
        let reaper = {
            let mut table = self.0.table.lock();
            table.closed = true;
            table.running.clear();
            table.reaper.take()
        };
        self.0.changed.notify_all();
        if reaper.is_some_and(|reaper| reaper.join().is_err()) {
            tracing::error!("the thread that ends traces panicked");
        }
    }
}

/// Ends traces that nobody asks for.
fn reap(shared: &Shared) {
    let mut table = shared.table.lock();
    while !table.closed {
        let now = Instant::now();
        table.running.retain(|_, running| {
            let stays = now.duration_since(running.asked) < PATIENCE;
            if !stays {
                tracing::info!(port = running.port, "nobody follows the trace any more, it is ended");
            }
            stays
        });
        match table.running.values().map(|running| running.asked + PATIENCE).min() {
            Some(next) => drop(shared.changed.wait_until(&mut table, next)),
            None => shared.changed.wait(&mut table),
        }
    }
}

fn told(step: Step, places: &mut Places<'_>) -> TraceStep {
    let (verdict, origin) = match step.happening {
        Happening::Rule { verdict, origin } => (verdict_text(&verdict), origin),
        Happening::Return => ("return".to_owned(), None),
        Happening::Passed => ("passed".to_owned(), None),
    };
    TraceStep {
        packet: step.packet,
        chain: chain_text(step.family, &step.chain),
        verdict,
        place: places.maybe(origin),
        // Those of the IP tables begin with the IP header, and the bridge has told the whole before.
        headers: if step.family == Family::Bridge {
            step.headers
        } else {
            Vec::new()
        },
    }
}

fn verdict_text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Jump(chain) | Verdict::Goto(chain) => format!("to {}", chain_text(Family::Bridge, chain)),
    }
}

/// A chain of a program by its hook and its name in filters, others by their family.
fn chain_text(family: Family, chain: &str) -> String {
    let of_program = chain.strip_prefix("p-").and_then(|rest| rest.split_once('-'));
    if let Some((_, name)) = of_program {
        for hook in Hook::ALL {
            match name.strip_prefix(hook.name()) {
                Some("") => return hook.name().to_owned(),
                Some(rest) if rest.starts_with('-') => return format!("{} {}", hook.name(), &rest[1..]),
                _ => {}
            }
        }
    }
    format!("{} {chain}", family.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct List {
        steps: Vec<Step>,
        ended: Arc<(Mutex<bool>, Condvar)>,
    }

    impl Source for List {
        fn next(&mut self) -> std::io::Result<Option<Step>> {
            Ok(self.steps.pop())
        }

        fn lost(&self) -> u64 {
            3
        }
    }

    impl Drop for List {
        fn drop(&mut self) {
            *self.ended.0.lock() = true;
            self.ended.1.notify_all();
        }
    }

    fn step(chain: &str, happening: Happening) -> Step {
        Step {
            packet: 7,
            family: Family::Bridge,
            chain: chain.to_owned(),
            happening,
            headers: vec![1],
        }
    }

    fn list(steps: Vec<Step>) -> (List, Arc<(Mutex<bool>, Condvar)>) {
        let ended = Arc::new((Mutex::new(false), Condvar::new()));
        let list = List {
            steps,
            ended: Arc::clone(&ended),
        };
        (list, ended)
    }

    fn next(traces: &Traces, id: u64) -> Result<TraceBatch> {
        let none = Filters::default();
        traces.next(id, [&none, &none], |_, generation| generation == 1)
    }

    #[test]
    fn steps_are_told_once_in_the_words_of_users() {
        let traces = Traces::default();
        let verdict = Verdict::Jump("p-0000abcd-packet-in".to_owned());
        let jump = Happening::Rule { verdict, origin: None };
        let steps = vec![
            step("p-0000abcd-frame-out-ipv4", Happening::Return),
            step("prerouting", jump),
        ];
        let id = traces.start("tap0", 1, || Ok(list(steps).0)).unwrap();
        let batch = next(&traces, id).unwrap();
        let texts: Vec<_> = batch
            .steps
            .iter()
            .map(|s| (s.chain.as_str(), s.verdict.as_str()))
            .collect();
        assert_eq!(
            texts,
            [("bridge prerouting", "to packet-in"), ("frame-out ipv4", "return")]
        );
        assert_eq!(batch.lost, 3);
        let nothing = TraceBatch { steps: vec![], lost: 0 };
        assert_eq!(next(&traces, id).unwrap(), nothing);
        traces.stop(id);
        traces.stop(id);
        assert_eq!(next(&traces, id).unwrap_err().code(), Code::OPERATION_INVALID);
        traces.close();
        assert!(traces.start("tap0", 1, || Ok(list(vec![]).0)).is_err());
    }

    #[test]
    fn a_trace_ends_with_its_binding_and_there_are_not_too_many() {
        let traces = Traces::default();
        let (source, ended) = list(vec![]);
        let id = traces.start("tap0", 2, || Ok(source)).unwrap();
        assert!(next(&traces, id).is_err());
        assert!(*ended.0.lock());
        for _ in 0..MOST {
            let _id = traces.start("tap0", 1, || Ok(list(vec![]).0)).unwrap();
        }
        let error = traces.start("tap0", 1, || Ok(list(vec![]).0)).unwrap_err();
        assert!(error.to_string().contains("16 traces"), "{error}");
        traces.close();
    }

    #[test]
    fn a_trace_that_nobody_asks_for_is_ended() {
        let traces = Traces::default();
        let (source, ended) = list(vec![]);
        let id = traces.start("tap0", 1, || Ok(source)).unwrap();
        if let Some(running) = traces.0.table.lock().running.get_mut(&id) {
            running.asked -= PATIENCE;
        }
        traces.0.changed.notify_all();
        let mut over = ended.0.lock();
        while !*over {
            ended.1.wait(&mut over);
        }
        traces.close();
    }
}
