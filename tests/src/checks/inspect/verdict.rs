//! Verdicts on packets that nobody sends: what is answered, and what is refused.

use super::is_true;
use crate::check::{Ctx, Expect, Failure, Outcome};
use crate::checks::filter::paper::{self, NO_VALUE, RULE};
use crate::checks::filter::view::look;
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::inspect::{PacketSource, PacketWay, TestRequest};

/// A test of the check's `n`th filter with the fixtures' packet.
pub(super) fn request(ctx: &Ctx, n: usize, values: &[(&str, &str)]) -> TestRequest {
    TestRequest {
        filter: ctx.name(n),
        parameters: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        way: Some(PacketWay::In),
        packets: vec![PacketSource::Words(ctx.fixtures().filter.packet.clone())],
    }
}

pub(super) fn tests_are_answered(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let all = |action: &str| format!("<rule action='{action}' direction='inout' priority='500'><all/></rule>");
    for (n, action) in [(1, "drop"), (2, "accept"), (3, "reject")] {
        bench
            .define_filter(&paper::nth(ctx, n, &all(action)))
            .succeeds("define_filter")?;
        let mut asked = request(ctx, n, &[]);
        let words = asked.packets.clone();
        asked.packets = [words.clone(), words.clone(), words].concat();
        let outcomes = look(&bench, "test", |inspect| inspect.test(asked.clone())).succeeds("test")?;
        ensure_eq!(outcomes.len(), 3, "outcomes of a test with three packets");
        for outcome in &outcomes {
            ensure_eq!(
                outcome.fate.name(),
                action,
                "what becomes of a packet when the only rule is '{action}'"
            );
            ensure_eq!(
                outcome.way,
                PacketWay::In,
                "the way of a packet that was asked for as coming in"
            );
            ensure!(
                !outcome.frame.is_empty(),
                "the frame of a packet of a test: expected its bytes, found none"
            );
            if action == "accept" {
                continue;
            }
            let Some(place) = outcome.decided.as_ref().and_then(|step| step.place.as_ref()) else {
                return Err(Failure::new(format!(
                    "test: expected the rule that decided, found {outcome:?}"
                )));
            };
            is_true(&bench, place, "the rule that decided in a test")?;
        }
        asked.filter = ctx.uuid(n).to_string();
        asked.packets.clear();
        let outcomes = look(&bench, "test", |inspect| inspect.test(asked)).succeeds("test of a filter by its UUID")?;
        ensure_eq!(outcomes.len(), 0, "outcomes of a test without packets");
    }
    Ok(())
}

pub(super) fn bad_tests_are_refused(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench
        .define_filter(&paper::nth(ctx, 1, RULE))
        .succeeds("define_filter")?;
    bench
        .define_filter(&paper::nth(ctx, 2, paper::ASKING))
        .succeeds("define_filter")?;
    let test = |request: TestRequest| look(&bench, "test", |inspect| inspect.test(request));
    let none = [Code::NO_NWFILTER];
    test(request(ctx, 9, &[])).fails_with(&none, "test of a filter that there is not")?;
    for words in ["", "no packet at all", "tcp > >", "tcp 10.0.0.1:99999999 > 10.0.0.2:1"] {
        let mut bad = request(ctx, 1, &[]);
        bad.packets = vec![PacketSource::Words(words.to_owned())];
        test(bad).fails_with(&[Code::INVALID_ARG], format_args!("test of the packet {words:?}"))?;
    }
    let mut bad = request(ctx, 1, &[]);
    bad.packets = vec![PacketSource::Capture(b"no capture".to_vec())];
    test(bad).fails_with(&[Code::INVALID_ARG], "test of a capture that is none")?;
    // A driver in memory may not miss a value that no rule on the way of the packet asks for.
    let asked = test(TestRequest {
        way: Some(PacketWay::Out),
        ..request(ctx, 2, &[])
    });
    if let Err(error) = asked {
        ensure!(
            NO_VALUE.contains(&error.code()),
            "test without a value for a variable: expected error 1, found error {}: {error}",
            error.code().0
        );
    }
    let panics = bench.recording().panics;
    ensure!(
        panics.is_empty(),
        "tests that can not be: expected errors, found a panic: {}",
        panics[0]
    );
    Ok(())
}
