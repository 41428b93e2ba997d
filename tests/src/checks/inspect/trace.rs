//! Traces: the kernel tells what happens to a port's packets, to somebody who goes on asking.

use super::must;
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::binding::furnished;
use crate::checks::filter::paper;
use crate::checks::filter::port;
use crate::checks::filter::view::{self, look};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub(crate) const CHECKS: &[Check] = &[
    must(
        "INSP-020",
        "a trace is begun, asked and ended, and its number can not be guessed",
        "Whoever guesses the number of another client's trace reads its packets.",
        "Draw the number from the kernel's random source.",
        is_traced,
    ),
    must(
        "INSP-021",
        "the number of traces is bounded: error 55",
        "Each costs a socket and a rule that every packet passes; a client could begin a million.",
        "Count the traces that run and refuse the one too many.",
        traces_are_bounded,
    ),
    must(
        "INSP-022",
        "a trace ends with the binding of its port",
        "The port's next guest is somebody else's.",
        "End the traces of a port when its binding goes.",
        ends_with_its_port,
    ),
    must(
        "INSP-023",
        "a trace that nobody asks for ends by itself",
        "A client that dies says nothing any more.",
        "Note when each trace was asked the last time; after 5 s it is over.",
        ends_unasked,
    ),
    must(
        "INSP-024",
        "nothing is left in the kernel of traces",
        "Rules that mark packets for nobody cost time for ever.",
        "Take the rules of a trace out when it ends.",
        leaves_nothing,
    ),
];

fn start(bench: &Bench, port: &str) -> driver_api::error::Result<u64> {
    look(bench, "start_trace", |inspect| inspect.start_trace(port))
}

fn stop(bench: &Bench, trace: u64) -> Outcome {
    look(bench, "stop_trace", |inspect| inspect.stop_trace(trace)).succeeds("stop_trace")
}

fn next(bench: &Bench, trace: u64) -> driver_api::error::Result<()> {
    look(bench, "next_trace", |inspect| inspect.next_trace(trace)).map(drop)
}

fn bound(ctx: &Ctx) -> Outcome<Bench> {
    let bench = furnished(ctx, &["p0"])?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[])).succeeds("create_binding")?;
    Ok(bench)
}

fn is_traced(ctx: &Ctx) -> Outcome {
    let bench = bound(ctx)?;
    let over = [Code::OPERATION_INVALID];
    let mut numbers = BTreeSet::new();
    for _ in 0..8 {
        let trace = start(&bench, "p0").succeeds("start_trace")?;
        let began = Instant::now();
        next(&bench, trace).succeeds("next_trace")?;
        let took = began.elapsed();
        ensure!(
            took < Duration::from_secs(2),
            "next_trace: expected that it waits for nothing, found that it took {took:?}"
        );
        for other in [trace.wrapping_add(1), trace.wrapping_sub(1), 0, 1, u64::MAX] {
            next(&bench, other).fails_with(&over, "next_trace of a number that was guessed")?;
        }
        stop(&bench, trace)?;
        stop(&bench, trace)?;
        next(&bench, trace).fails_with(&over, "next_trace after stop_trace")?;
        numbers.insert(trace);
    }
    ensure_eq!(numbers.len(), 8, "different numbers of eight traces");
    let near = numbers
        .iter()
        .zip(numbers.iter().skip(1))
        .find(|(a, b)| **b - **a < 1 << 20);
    ensure!(
        near.is_none(),
        "the numbers of traces: expected that they can not be guessed, found {near:?}"
    );
    stop(&bench, 12345)
}

fn traces_are_bounded(ctx: &Ctx) -> Outcome {
    let bench = bound(ctx)?;
    let mut running = Vec::new();
    let refused = loop {
        match start(&bench, "p0") {
            Ok(trace) => running.push(trace),
            refused => break refused.fails_with(&[Code::OPERATION_INVALID], "start_trace of one too many")?,
        }
        ensure!(
            running.len() < 1000,
            "start_trace: expected that it is refused at some number, found {} traces",
            running.len()
        );
    };
    ensure!(
        !refused.message().is_empty(),
        "start_trace of one too many: expected an error in words"
    );
    ensure!(
        !running.is_empty(),
        "start_trace: expected that one is begun, found none"
    );
    for trace in running {
        stop(&bench, trace)?;
    }
    let trace = start(&bench, "p0").succeeds("start_trace when the others have ended")?;
    stop(&bench, trace)
}

fn ends_with_its_port(ctx: &Ctx) -> Outcome {
    let bench = bound(ctx)?;
    let trace = start(&bench, "p0").succeeds("start_trace")?;
    view::delete(&bench, "p0").succeeds("delete_binding of a port that is traced")?;
    let over = [Code::OPERATION_INVALID];
    next(&bench, trace).fails_with(&over, "next_trace after delete_binding")?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[])).succeeds("create_binding")?;
    next(&bench, trace).fails_with(&over, "next_trace after the port was bound again")?;
    stop(&bench, trace)
}

fn ends_unasked(ctx: &Ctx) -> Outcome {
    let bench = bound(ctx)?;
    let asked = start(&bench, "p0").succeeds("start_trace")?;
    let unasked = start(&bench, "p0").succeeds("start_trace")?;
    // Time itself is what is tried: 5 s are promised, and a host under load may be late.
    let until = Instant::now() + Duration::from_secs(8);
    while Instant::now() < until {
        next(&bench, asked).succeeds("next_trace of a trace that is asked all the time")?;
        std::thread::sleep(Duration::from_millis(200));
    }
    next(&bench, unasked).fails_with(
        &[Code::OPERATION_INVALID],
        "next_trace of a trace that nobody asked for 8 s",
    )?;
    stop(&bench, asked)
}

fn leaves_nothing(ctx: &Ctx) -> Outcome {
    let bench = bound(ctx)?;
    let trace = start(&bench, "p0").succeeds("start_trace")?;
    stop(&bench, trace)?;
    let kernel = port::everything()?;
    for _ in 0..20 {
        let trace = start(&bench, "p0").succeeds("start_trace")?;
        next(&bench, trace).succeeds("next_trace")?;
        stop(&bench, trace)?;
    }
    port::is_still(&kernel, format_args!("20 traces"))?;
    Ok(())
}
