//! The verbs that look at network filters in force: what each asks the host, what it prints, and how it ends.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail a test as the tests do"
)]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod script;

use driver_api::types::inspect::{
    PacketFate, PacketWay, PortCounters, RuleCount, RulePlace, TestOutcome, TestStep, TraceBatch, TraceStep,
};
use lockstep::rpc::codec::inspect::{
    NwfilterGetCounters, NwfilterGetStatus, NwfilterNextTrace, NwfilterReload, NwfilterStartTrace, NwfilterStopTrace,
    NwfilterTest,
};
use lockstep::rpc::xdr::List;
use rustix::process::{Pid, Signal, kill_process};
use script::{Script, answer, refuse, stderr, stdout, until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

fn place() -> RulePlace {
    RulePlace {
        filter: "no-spoof".to_owned(),
        uuid: "c7a5fdbd-edaf-9455-926a-d65c16db1809".parse().unwrap(),
        entry: 0,
        line: 3,
        text: "<rule action='drop' direction='out' priority='500'>\n  <ip match='no' srcipaddr='$IP'/>\n</rule>"
            .to_owned(),
    }
}

/// A ping from 10.0.0.9.
fn frame() -> Vec<u8> {
    let mut frame = vec![
        0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0, 0,
    ];
    frame.extend([10, 0, 0, 9, 10, 0, 0, 2, 8, 0, 0, 0, 0, 1, 0, 1]);
    frame
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("a JSON document")
}

#[test]
fn status_shows_facts_in_the_hosts_order() {
    let facts = || {
        vec![
            ("state plan".to_owned(), "mark".to_owned()),
            ("ports".to_owned(), "3".to_owned()),
        ]
    };
    let output = Script::run(vec![answer::<NwfilterGetStatus>(&List(facts()))], &["nwfilter-status"]);
    assert_eq!(stdout(&output), "state plan: mark\nports:      3\n\n");
    let steps = vec![answer::<NwfilterGetStatus>(&List(facts()))];
    let output = Script::run(steps, &["--output", "json", "nwfilter-status"]);
    assert_eq!(json_of(stdout(&output)), json!({ "state plan": "mark", "ports": "3" }));
}

#[test]
fn counters_name_the_rule_its_line_and_who_shares_it() {
    let count = |packets, place| RuleCount {
        chain: "frame-out ipv4".to_owned(),
        verdict: "drop".to_owned(),
        packets,
        bytes: packets * 84,
        place,
    };
    let counters = || PortCounters {
        ports: vec!["tap0".to_owned(), "tap1".to_owned()],
        rules: vec![count(5, Some(place())), count(0, None)],
    };
    let steps = vec![answer::<NwfilterGetCounters>(&counters())];
    let output = Script::run(steps, &["nwfilter-counters", "--matched", "tap0"]);
    let table = stdout(&output);
    let row = " 5         420     frame-out ipv4   drop      no-spoof   3      <rule action='drop' direction='out' \
               priority='500'><ip match='no' srcipaddr='$IP'/></rule>\n";
    assert!(table.contains(row), "{table}");
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.ends_with("counted together with tap1\n"), "{table}");
    let steps = vec![answer::<NwfilterGetCounters>(&counters())];
    let output = Script::run(steps, &["--output", "json", "nwfilter-counters", "tap0"]);
    let document = json_of(stdout(&output));
    assert_eq!(document["rules"][0]["place"]["line"], 3, "{document}");
    assert_eq!(document["rules"][1]["place"], Value::Null, "{document}");
}

#[test]
fn test_shows_each_packet_with_the_rule_that_decided() {
    let step = TestStep {
        chain: "frame-out".to_owned(),
        verdict: "drop".to_owned(),
        place: Some(place()),
    };
    let outcome = || TestOutcome {
        frame: frame(),
        way: PacketWay::Out,
        fate: PacketFate::Drop,
        decided: Some(step.clone()),
        path: vec![step.clone()],
        notes: vec!["supposed".to_owned()],
    };
    let arguments = [
        "nwfilter-test",
        "no-spoof",
        "icmp 10.0.0.9 > 10.0.0.2",
        "--param",
        "IP=10.0.0.1",
    ];
    let output = Script::run(vec![answer::<NwfilterTest>(&List(vec![outcome()]))], &arguments);
    let table = stdout(&output);
    let row = " 1     out   52:54:00:00:00:01 > 52:54:00:00:00:02 icmp 10.0.0.9 > 10.0.0.2 type 8 code 0   drop   no-spoof   3 ";
    assert!(table.contains(row), "{table}");
    assert!(table.contains("  supposed\n"), "{table}");
    let arguments = [&["--output", "json"], &arguments[..]].concat();
    let output = Script::run(vec![answer::<NwfilterTest>(&List(vec![outcome()]))], &arguments);
    let document = json_of(stdout(&output));
    assert_eq!(document[0]["fate"], "drop");
    assert_eq!(document[0]["decided"]["place"]["filter"], "no-spoof");
}

#[test]
fn test_names_a_capture_that_is_not_there() {
    let root = tempfile::tempdir().unwrap();
    let output = script::command(root.path(), &["nwfilter-test", "f", "nowhere/frames.pcap"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("cannot read 'nowhere/frames.pcap'"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn test_without_a_value_for_a_parameter_is_a_mistake_on_the_command_line() {
    let root = tempfile::tempdir().unwrap();
    let output = script::command(root.path(), &["nwfilter-test", "f", "stp", "--param", "IP"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("NAME=VALUE"), "{}", stderr(&output));
}

fn traced() -> TraceBatch {
    let step = |verdict: &str, place, headers| TraceStep {
        packet: 0xabcd,
        chain: "frame-out".to_owned(),
        verdict: verdict.to_owned(),
        place,
        headers,
    };
    TraceBatch {
        steps: vec![step("jump", None, frame()), step("drop", Some(place()), Vec::new())],
        lost: 7,
    }
}

#[test]
fn trace_follows_packets_and_ends_in_order_when_interrupted() {
    let steps = vec![
        answer::<NwfilterStartTrace>(&9),
        answer::<NwfilterNextTrace>(&traced()),
        answer::<NwfilterStopTrace>(&()),
    ];
    let script = Script::start(steps);
    let mut child = script.spawn(&["nwfilter-trace", "tap0", "--count", "0"]);
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .collect();
    assert_eq!(lines, Vec::<String>::new());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    script.finish();

    let nothing = || TraceBatch {
        steps: Vec::new(),
        lost: 0,
    };
    let steps = vec![
        answer::<NwfilterStartTrace>(&9),
        answer::<NwfilterNextTrace>(&traced()),
        answer::<NwfilterNextTrace>(&nothing()),
        answer::<NwfilterStopTrace>(&()),
    ];
    let script = Script::start(steps);
    let child = script.spawn(&["nwfilter-trace", "tap0", "--count", "1"]);
    let output = child.wait_with_output().unwrap();
    script.finish();
    let text = stdout(&output);
    assert!(text.starts_with("packet 0000abcd  52:54:00:00:00:01 > "), "{text}");
    assert!(
        text.contains("  frame-out                drop     no-spoof:3  <rule action='drop'"),
        "{text}"
    );
    assert!(stderr(&output).contains("7 more steps"), "{}", stderr(&output));
}

#[test]
fn trace_is_stopped_at_the_host_when_a_person_interrupts_it() {
    let steps = vec![
        answer::<NwfilterStartTrace>(&9),
        until::<NwfilterNextTrace, NwfilterStopTrace>(&traced(), &()),
    ];
    let script = Script::start(steps);
    let mut child = script.spawn(&["nwfilter-trace", "tap0"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    script.finish();
}

#[test]
fn reload_says_why_it_failed() {
    let output = Script::run(vec![answer::<NwfilterReload>(&())], &["nwfilter-reload"]);
    assert_eq!(stdout(&output), "Network filters reloaded\n\n");
    let output = Script::run(vec![refuse::<NwfilterReload>(63, "no")], &["nwfilter-reload"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "error: cannot reload the network filters: no\n");
}
