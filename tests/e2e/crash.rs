//! The host killed at any moment: nothing defined is lost, no guest is lost, nothing is left over.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::random::Random;
use conformance::wait;
use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "host_killed_a_hundred_times_loses_nothing",
        needs: &[Root, Uml, Virsh],
        run: hundred,
    },
    Case {
        name: "guest_ended_while_no_host_ran_is_told_with_its_reason",
        needs: &[Root, Uml, Virsh],
        run: meanwhile,
    },
    Case {
        name: "host_killed_while_a_guest_reboots_goes_on_with_the_reboot",
        needs: &[Root, Uml, Virsh],
        run: rebooting,
    },
    Case {
        name: "host_killed_during_a_boot_leaves_the_domain_off_and_no_process",
        needs: &[Root, Uml, Virsh],
        run: booting,
    },
];

/// What one background verb may have changed when the host died under it.
struct Pending {
    client: Child,
    name: String,
    before: bool,
    after: bool,
}

fn hundred() {
    let mut random = Random::from_environment();
    let mut host = Host::start();
    // One guest that always runs and counts on its console, one that is started and ended, three that are (un)defined.
    let count = "i=0; while :; do echo count-$i-end; i=$((i + 1)); usleep 20000; done";
    host.define(&Document::new("counter").running(count).xml());
    host.define(&Document::new("changing").xml());
    let _out = host.virsh(&["start", "counter"]).ok();
    let id = host.virsh(&["domid", "counter"]).ok();
    let mut defined: BTreeMap<String, bool> = (0..3).map(|i| (format!("extra{i}"), false)).collect();
    for round in 0..100 {
        let name = format!("extra{}", random.below(3));
        let before = defined[&name];
        let document = host.document(&Document::new(&name).xml());
        let mut verb = host.virsh_command();
        if before {
            verb.args(["undefine", &name]);
        } else {
            verb.args(["define"]).arg(&document);
        }
        let client = verb
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("virsh runs");
        let mut pending = Pending {
            client,
            name,
            before,
            after: !before,
        };
        let running = host.state("changing").starts_with("running");
        let mut change = host.virsh_command();
        change.args([if running { "destroy" } else { "start" }, "changing"]);
        let mut change = change
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("virsh runs");
        // The moment of death is what is being varied, from before the requests arrive to after the guest has booted.
        let moment = Instant::now() + Duration::from_micros(random.below(if running { 60_000 } else { 1_500_000 }));
        while let Some(left) = moment.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
        host.kill();
        // Before there is a host again: a client that was slow to connect must not reach the next one.
        let _status = change.wait().expect("virsh ends");
        let acknowledged = pending.client.wait().expect("virsh ends").success();
        host.serve();

        let listed = host.virsh(&["list", "--all", "--name"]).ok();
        let listed: Vec<&str> = listed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let now = listed.contains(&pending.name.as_str());
        let allowed = now == pending.after || (!acknowledged && now == pending.before);
        assert!(
            allowed,
            "round {round}: '{}' acknowledged={acknowledged} listed={now}",
            pending.name
        );
        defined.insert(pending.name, now);
        for (name, there) in &defined {
            assert_eq!(
                listed.contains(&name.as_str()),
                *there,
                "round {round}: '{name}' in {listed:?}"
            );
            if *there {
                assert!(
                    host.virsh(&["dumpxml", name])
                        .ok()
                        .contains(&format!("<name>{name}</name>"))
                );
            }
        }
        assert_eq!(host.state("counter"), "running (booted)", "round {round}");
        assert_eq!(host.virsh(&["domid", "counter"]).ok(), id, "round {round}");
        let state = host.state("changing");
        assert!(
            state.starts_with("running") || state.starts_with("shut off"),
            "round {round}: {state}"
        );
        // A guest that was being ended when the host died may need a moment more, and is shown as running until then.
        wait::until("there is one supervisor for each running guest", || {
            let running = host.state("changing").starts_with("running");
            (host.supervisors().len() == 1 + usize::from(running)).then_some(())
        });
    }
    let _out = host.virsh(&["destroy", "counter"]).ok();
    if host.state("changing").starts_with("running") {
        let _out = host.virsh(&["destroy", "changing"]).ok();
    }
    let log = host.console_log("counter");
    let numbers: Vec<u64> = log
        .lines()
        .filter_map(|line| line.strip_prefix("count-")?.strip_suffix("-end")?.parse().ok())
        .collect();
    assert!(numbers.len() > 100, "only {} lines", numbers.len());
    let first = numbers[0];
    let gap = numbers
        .iter()
        .enumerate()
        .find(|(i, n)| **n != first + u64::try_from(*i).unwrap());
    assert_eq!(gap, None, "the console log has a gap");
    assert!(host.supervisors().is_empty());
    host.stop();
}

fn meanwhile() {
    let mut host = Host::start();
    for (name, script) in [
        ("off", "read x; poweroff -f"),
        ("panicked", "read x; echo c > /proc/sysrq-trigger"),
        ("stays", "read x; poweroff -f"),
    ] {
        host.define(
            &Document::new(name)
                .running(script)
                .with("<on_crash>destroy</on_crash>")
                .xml(),
        );
        let _out = host.virsh(&["start", name]).ok();
        wait::until("the guest waits", || {
            host.console_log(name).contains("guest ready").then_some(())
        });
    }
    let ttys: Vec<String> = ["off", "panicked"]
        .iter()
        .map(|name| host.virsh(&["ttyconsole", name]).ok().trim().to_owned())
        .collect();
    host.kill();
    for tty in ttys {
        std::fs::write(tty, "go\n").expect("the pty takes input");
    }
    wait::until("two supervisors have ended", || {
        (host.supervisors().len() == 1).then_some(())
    });
    host.serve();
    assert_eq!(host.state("off"), "shut off (shutdown)");
    assert_eq!(host.state("panicked"), "shut off (crashed)");
    assert_eq!(host.state("stays"), "running (booted)");
    let _out = host.virsh(&["destroy", "stays"]).ok();
}

fn pids(host: &Host) -> Vec<i32> {
    host.supervisors().iter().map(|supervisor| supervisor.pid).collect()
}

fn rebooting() {
    let mut host = Host::start();
    // Killed while the old guest still goes down, and while the new one boots.
    for (name, wait_for_the_new_one) in [("early", false), ("late", true)] {
        host.define(&Document::new(name).xml());
        let _out = host.virsh(&["start", name]).ok();
        wait::until("the guest is ready", || {
            host.console_log(name).contains("guest ready").then_some(())
        });
        let id = host.virsh(&["domid", name]).ok();
        let old = pids(&host);
        let _out = host.virsh(&["reboot", name]).ok();
        if wait_for_the_new_one {
            wait::until("a new supervisor runs", || {
                pids(&host).iter().any(|pid| !old.contains(pid)).then_some(())
            });
        }
        host.kill();
        host.serve();
        wait::until("the guest is ready again", || {
            (host.console_log(name).matches("guest ready").count() >= 2).then_some(())
        });
        wait::until("only the new guest is left", || {
            let now = pids(&host);
            (now.len() == 1 && now != old).then_some(())
        });
        assert_eq!(host.state(name), "running (booted)");
        assert_eq!(host.virsh(&["domid", name]).ok(), id);
        let _out = host.virsh(&["destroy", name]).ok();
        assert!(host.supervisors().is_empty());
    }
    host.stop();
}

fn booting() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    let mut start = host
        .virsh_command()
        .args(["start", "vm1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("virsh runs");
    wait::until("a supervisor runs", || (!host.supervisors().is_empty()).then_some(()));
    host.kill();
    let _status = start.wait().expect("virsh ends");
    host.serve();
    // Had the guest answered already, it was published as running and is kept.
    if host.state("vm1") == "running (booted)" {
        let _out = host.virsh(&["destroy", "vm1"]).ok();
    } else {
        assert_eq!(host.state("vm1"), "shut off (daemon)");
    }
    assert!(host.supervisors().is_empty());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    host.stop();
}
