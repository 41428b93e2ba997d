//! Random verbs over eight guests beside a model of what a domain is, with kills of guests, supervisors and the host.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{PythonLibvirt, Root, Uml, Virsh};
use conformance::random::Random;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

pub(crate) const CASES: &[Case] = &[Case {
    name: "random_walk_of_eight_guests_is_as_the_model_says",
    needs: &[Root, Uml, Virsh, PythonLibvirt],
    run: walk,
}];

fn walk() {
    let mut host = Host::start();
    let verbs = std::env::var("LOCKSTEP_WALK_VERBS").unwrap_or_else(|_| "3000".to_owned());
    let kills = std::env::var("LOCKSTEP_WALK_KILLS").unwrap_or_else(|_| "10".to_owned());
    let mut python = host.command("/usr/bin/python3");
    python.arg("-c").arg(include_str!("random_walk.py"));
    python
        .env("URI", host.uri())
        .env("VERBS", verbs)
        .env("HOST_KILLS", kills);
    python.env("SEED", Random::from_environment().below(1 << 30).to_string());
    python.env("GUEST", Document::new("@NAME@").xml());
    let mut walker = python
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut answers = walker.stdin.take().expect("a pipe");
    for line in BufReader::new(walker.stdout.take().expect("a pipe")).lines() {
        if line.expect("a line") == "kill" {
            host.kill();
            host.serve();
            writeln!(answers, "serves").expect("the walker listens");
        }
    }
    let status = walker.wait().expect("python3 ends");
    assert!(status.success(), "the walk ended with {status}");
    assert!(host.supervisors().is_empty(), "{:?}", host.supervisors());
    assert_eq!(host.virsh(&["list", "--all", "--name"]).ok().trim(), "");
    let log = host.log();
    let broken = ["against the order", "panicked at", "a plug-in panicked"];
    let line = log.lines().find(|line| broken.iter().any(|sign| line.contains(sign)));
    assert_eq!(line, None);
    let locks = host.lockstep(&["locks"]).ok();
    assert!(!locks.contains("strike"), "{locks}");
    host.stop();
}
