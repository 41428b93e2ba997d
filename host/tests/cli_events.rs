//! The verb `event`: what it registers for, and how it shows what comes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail a test as the tests do"
)]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod script;

use driver_api::types::param::Param;
use lockstep::rpc::codec::event::{
    AgentEvent, BalloonEvent, ConnectDomainEventCallbackRegisterAny, DeviceEvent, MetadataEvent, RebootEvent,
    TunableEvent, subject,
};
use lockstep::rpc::xdr::List;
use rustix::process::{Pid, Signal, kill_process};
use script::{Script, Step, answer, guest, happening, lifecycle, stderr, stdout};
use std::io::{BufRead, BufReader, Read};

fn registered() -> Step {
    answer::<ConnectDomainEventCallbackRegisterAny>(&0)
}

#[test]
fn event_loop_ends_with_the_signal_and_counts() {
    let script = Script::start(vec![registered(), lifecycle(&guest("vm", 7), 2, 0)]);
    let mut child = script.spawn(&["event", "--loop", "--event", "lifecycle"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(line, "event 'lifecycle' for domain 'vm': Started Booted\n");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    line.clear();
    lines.read_to_string(&mut line).unwrap();
    assert_eq!(line, "events received: 1\n\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    script.finish();
}

#[test]
fn events_of_every_kind_are_shown_as_virsh_shows_them() {
    let dom = || guest("vm", 7);
    let device = |subject| {
        let alias = "net\u{1b}0".to_owned();
        happening(subject, DeviceEvent { dom: dom(), alias })
    };
    let params = vec![Param::new("cputune.cpu_shares", 9_u64), Param::new("x", "y\nz")];
    let (uri, other) = (Some("urn:x".to_owned()), None);
    let told = vec![
        (
            happening(subject::BALLOON_CHANGE, BalloonEvent { dom: dom(), actual: 64 }),
            "'balloon-change' for domain 'vm': 64KiB",
        ),
        (
            device(subject::DEVICE_ADDED),
            "'device-added' for domain 'vm': net\\u{1b}0",
        ),
        (
            device(subject::DEVICE_REMOVED),
            "'device-removed' for domain 'vm': net\\u{1b}0",
        ),
        (
            device(subject::DEVICE_REMOVAL_FAILED),
            "'device-removal-failed' for domain 'vm': net\\u{1b}0",
        ),
        (
            happening(
                subject::METADATA_CHANGE,
                MetadataEvent {
                    dom: dom(),
                    kind: 2,
                    uri,
                },
            ),
            "'metadata-change' for domain 'vm': type element, uri urn:x",
        ),
        (
            happening(
                subject::METADATA_CHANGE,
                MetadataEvent {
                    dom: dom(),
                    kind: 1,
                    uri: other,
                },
            ),
            "'metadata-change' for domain 'vm': type title, uri N/A",
        ),
        (
            happening(
                subject::AGENT_LIFECYCLE,
                AgentEvent {
                    dom: dom(),
                    state: 1,
                    reason: 2,
                },
            ),
            "'agent-lifecycle' for domain 'vm': state: 'connected' reason: 'channel event'",
        ),
        (
            happening(
                subject::TUNABLE,
                TunableEvent {
                    dom: dom(),
                    params: List(params),
                },
            ),
            "'tunable' for domain 'vm':\n\tcputune.cpu_shares: 9\n\tx: y\\nz",
        ),
        (
            happening(subject::REBOOT, RebootEvent { dom: dom() }),
            "'reboot' for domain 'vm'",
        ),
    ];
    let (events, words): (Vec<Step>, Vec<&str>) = told.into_iter().unzip();
    let steps = subject::ALL
        .iter()
        .map(|_| registered())
        .chain(events)
        .chain([Step::Close]);
    let script = Script::start(steps.collect());
    let output = script.command(&["event", "--loop", "--all"]).output().unwrap();
    let expected: String = words.iter().map(|words| format!("event {words}\n")).collect();
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    script.finish();
}

#[test]
fn events_for_programs_have_their_facts_under_names() {
    let params = List(vec![Param::new("cputune.cpu_shares", 9_u64)]);
    let steps = vec![
        registered(),
        happening(
            subject::TUNABLE,
            TunableEvent {
                dom: guest("vm", 7),
                params,
            },
        ),
    ];
    let output = Script::run(steps, &["--output", "json", "event", "--event", "tunable"]);
    let document: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(
        (&document["event"], &document["name"]),
        (&"tunable".into(), &"vm".into())
    );
    assert_eq!(document["values"]["cputune.cpu_shares"], 9);
}
