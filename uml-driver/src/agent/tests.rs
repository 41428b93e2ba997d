//! Agents that come, tell, fall silent and go with their guests.

use crate::testing::Lab;
use driver_api::driver::{Stats, VirtDriver};
use driver_api::error::Code;
use driver_api::types::device::{AddressSource, stats};
use driver_api::types::notice::Notice;
use driver_api::types::param::{Value, find};
use driver_api::types::uuid::Uuid;
use std::time::{Duration, Instant};

const A: &str = "11111111-1111-1111-1111-111111111111";

fn uuid() -> Uuid {
    A.parse().unwrap()
}

fn lab_with_a_guest() -> Lab {
    let lab = Lab::new();
    let xml = lab.xml("vm", A, "");
    lab.cx(|cx| {
        lab.uml.define(cx, &xml, 0).unwrap();
        lab.uml.start(cx, uuid(), 0).unwrap();
    });
    lab
}

fn notices(lab: &Lab) -> Vec<(bool, u32)> {
    let told = lab.host.notices.lock().drain(..).collect::<Vec<_>>();
    told.into_iter()
        .map(|notice| match notice.notice {
            Notice::Agent { connected, reason } => (connected, reason),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn addresses(lab: &Lab) -> Vec<String> {
    let interfaces = lab.uml.addresses(uuid(), AddressSource::Agent).unwrap();
    let all = interfaces.iter().flat_map(|interface| {
        let one = |a: &driver_api::types::device::Address| format!("{} {}/{}", interface.name, a.address, a.prefix);
        interface.addresses.iter().map(one)
    });
    all.collect()
}

#[test]
fn agent_is_told_of_once_and_its_addresses_count_when_they_are_whole() {
    let lab = lab_with_a_guest();
    let missing = lab.uml.addresses(uuid(), AddressSource::Agent).unwrap_err();
    assert_eq!(missing.code(), Code::AGENT_UNRESPONSIVE);
    lab.host.says(1, "lockstep-agent 1 HOSTNAME early");
    lab.host.says(
        1,
        "lockstep-agent 1 HELLO 5\nlockstep-agent 1 HOSTNAME box\nlockstep-agent 1 LOAD 0.5 1 2",
    );
    lab.host.says(1, "lockstep-agent 1 HELLO 5");
    assert_eq!(notices(&lab), [(true, 2)]);
    lab.host.says(1, "lockstep-agent 1 ADDR vec0 - 10.0.0.9/8");
    assert_eq!(addresses(&lab), [""; 0]);
    lab.host.says(
        1,
        "lockstep-agent 1 BEGIN\nlockstep-agent 1 ADDR vec0 52:54:00:00:00:01 10.0.0.2/24\n\
         lockstep-agent 1 ADDR vec0 52:54:00:00:00:01 fe80::1/64",
    );
    assert_eq!(addresses(&lab), [""; 0]);
    lab.host.says(1, "lockstep-agent 1 END");
    assert_eq!(addresses(&lab), ["vec0 10.0.0.2/24", "vec0 fe80::1/64"]);
    lab.host.says(1, "lockstep-agent 1 BEGIN");
    assert_eq!(addresses(&lab).len(), 2, "the last whole table counts");
    let figures = lab.uml.stats(uuid(), stats::VM).unwrap();
    assert_eq!(
        find(&figures, "vm.agent.hostname"),
        Some(&Value::Text("box".to_owned()))
    );
    assert_eq!(find(&figures, "vm.agent.load.5m"), Some(&Value::Double(1.0)));
    lab.cx(|cx| lab.uml.destroy(cx, uuid(), 0)).unwrap();
    assert_eq!(notices(&lab), [(false, 0)]);
    assert_eq!(
        lab.uml.addresses(uuid(), AddressSource::Agent).unwrap_err().code().0,
        55
    );
}

#[test]
fn agent_that_falls_silent_is_gone_and_one_of_a_paused_guest_is_not() {
    let lab = lab_with_a_guest();
    lab.host.says(1, "lockstep-agent 1 HELLO 5");
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    assert!(lab.core().miss_agents(after(10)).is_some());
    lab.cx(|cx| lab.uml.suspend(cx, uuid())).unwrap();
    assert!(lab.core().miss_agents(after(100)).is_some());
    lab.cx(|cx| lab.uml.resume(cx, uuid())).unwrap();
    assert!(lab.core().miss_agents(after(114)).is_some());
    assert_eq!(notices(&lab), [(true, 2)]);
    assert!(lab.core().miss_agents(after(116)).is_none());
    assert_eq!(notices(&lab), [(false, 2)]);
    assert_eq!(
        lab.uml.addresses(uuid(), AddressSource::Agent).unwrap_err().code(),
        Code::AGENT_UNRESPONSIVE
    );
}

#[test]
fn guest_that_tells_without_end_fills_no_memory() {
    let lab = lab_with_a_guest();
    lab.host.says(1, "lockstep-agent 1 HELLO 5\nlockstep-agent 1 BEGIN");
    for n in 0..1000 {
        lab.host
            .says(1, &format!("lockstep-agent 1 ADDR if{n} - fd00::{n:x}/64"));
    }
    lab.host.says(1, "lockstep-agent 1 END");
    assert_eq!(addresses(&lab).len(), super::ADDRESSES);
    for _ in 0..1000 {
        lab.host.says(1, "lockstep-agent 1 HELLO 5");
    }
    assert_eq!(notices(&lab).len(), 1);
}
