//! Sixteen threads define, bind, start, end and reload at once: no deadlock, no rule of locks broken, the kernel as expected.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{PythonLibvirt, Root, Uml, Virsh};
use conformance::net::Net;
use conformance::random::Random;

pub(crate) const CASES: &[Case] = &[Case {
    name: "filter_stress_of_sixteen_threads_ends_as_expected",
    needs: &[Root, Uml, Virsh, PythonLibvirt],
    run: stress,
}];

fn stress() {
    let net = Net::unshare();
    net.bridge("br0");
    let host = Host::start();
    let seconds = std::env::var("LOCKSTEP_STRESS_SECONDS").unwrap_or_else(|_| "60".to_owned());
    let mut python = host.command("/usr/bin/python3");
    python.arg("-c").arg(include_str!("filter_stress.py"));
    python.env("URI", host.uri()).env("SECONDS", seconds);
    python.env("SEED", Random::from_environment().below(1 << 30).to_string());
    python.env("GUEST", Document::new("@NAME@").xml());
    python.env(
        "LOCKSTEP",
        format!("{}\n--root\n{}", host.program().display(), host.root().display()),
    );
    let output = python.output().expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    eprintln!("{said}");

    let locks = host.lockstep(&["locks"]).ok();
    assert!(!locks.contains("strike"), "{locks}");
    let log = host.log();
    // The plug-ins that misbehave on purpose are loaded too and tell so.
    let mut lines = log.lines().filter(|line| !line.contains("plugin::registry"));
    let broken = lines.find(|line| {
        ["against the order", "panicked", "ERROR"]
            .iter()
            .any(|sign| line.contains(sign))
    });
    assert_eq!(broken, None);

    // What the kernel has is what a host makes of the same filters and bindings anew.
    let kernel = strip(&net.ruleset());
    let status = host.lockstep(&["nwfilter-status"]).ok();
    eprintln!("{status}");
    net.nft("flush ruleset");
    conformance::wait::until("the rules are back", || (strip(&net.ruleset()) == kernel).then_some(()));
    for port in host
        .virsh(&["nwfilter-binding-list"])
        .ok()
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let _out = host.virsh(&["nwfilter-binding-delete", port]).ok();
    }
    assert!(!net.ruleset().contains("p-"), "programs are left:\n{}", net.ruleset());
}

/// The rules without what counts.
fn strip(ruleset: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut all = ruleset.split_whitespace();
    while let Some(word) = all.next() {
        if matches!(word, "packets" | "bytes") {
            let _number = all.next();
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}
