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
    let mut host = Host::start();
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
    let broken = lines.find(|line| ["against the order", "panicked"].iter().any(|sign| line.contains(sign)));
    assert_eq!(broken, None);

    // What the kernel has is what should be in force, and what a new host makes of the files of filters and bindings.
    let as_it_should = |host: &Host| host.lockstep(&["nwfilter-status"]).ok().contains("as they should be");
    assert!(as_it_should(&host), "{}", host.lockstep(&["nwfilter-status"]).ok());
    host.stop();
    let told = host.log().len();
    host.serve();
    let log = host.log();
    assert!(
        log[told..].contains("the rules in force are those that should be"),
        "{}",
        &log[told..]
    );
    net.nft("flush ruleset");
    conformance::wait::until("the rules are back", || as_it_should(&host).then_some(()));
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
