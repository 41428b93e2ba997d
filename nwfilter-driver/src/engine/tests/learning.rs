//! Ports whose addresses are not given.

use super::*;
use crate::engine::internal::{CLOSED, learning};
use std::net::IpAddr;

fn addresses(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

impl World {
    fn lesson(&self, port: &str) -> Option<Lesson> {
        self.school.lessons.lock().get(port).cloned()
    }

    fn learned(&self, port: &str, list: &[&str]) {
        let generation = self.bound(port).generation;
        self.engine.learned(port, generation, &addresses(list)).unwrap();
    }
}

#[test]
fn a_port_is_closed_until_its_address_is_known() {
    let world = World::new().with("f", OWN_IP);
    world.create("tap0", "f", &[("DHCPSERVER", "10.0.0.9")]).unwrap();
    let (bound, lesson) = (world.bound("tap0"), world.lesson("tap0").unwrap());
    assert_eq!(
        (bound.stage.clone(), lesson.mode, lesson.v4, lesson.v6),
        (Stage::Learning, Mode::Any, true, false)
    );
    assert_eq!(lesson.servers, addresses(&["10.0.0.9"]));
    let closed = world.kernel.now();
    let name = learning(&lesson);
    assert!(bound.compiled.filters.contains(&name), "{:?}", bound.compiled.filters);
    world.learned("tap0", &["10.0.0.7"]);
    let bound = world.bound("tap0");
    assert_eq!(
        (bound.stage.clone(), bound.values["IP"].as_slice()),
        (Stage::Filtered, &["10.0.0.7".to_owned()][..])
    );
    assert!(!bound.record.def.parameters.contains_key("IP"));
    // A second lease counts too; without any the port is closed again.
    world.learned("tap0", &["10.0.0.7", "10.0.0.8"]);
    assert_eq!(world.bound("tap0").values["IP"].len(), 2);
    world.kernel.asked();
    world.learned("tap0", &["10.0.0.7", "10.0.0.8"]);
    assert_eq!(world.kernel.asked(), [""; 0]);
    world.learned("tap0", &[]);
    assert_eq!(world.bound("tap0").stage, Stage::Learning);
    assert_eq!(world.kernel.now().ports["tap0"].slots, closed.ports["tap0"].slots);
    assert_eq!(world.lesson("tap0").unwrap().known, addresses(&[]));
    world.engine.delete("tap0", None).unwrap();
    assert_eq!(world.lesson("tap0"), None);
}

#[test]
fn what_is_learned_too_late_changes_nothing() {
    let world = World::new().with("f", OWN_IP).with("g", OWN_MAC);
    world.create("tap0", "f", &[]).unwrap();
    let first = world.bound("tap0").generation;
    world.engine.delete("tap0", None).unwrap();
    world.engine.learned("tap0", first, &addresses(&["10.0.0.7"])).unwrap();
    assert!(world.engine.ports().is_empty());
    world.create("tap0", "f", &[]).unwrap();
    world.engine.learned("tap0", first, &addresses(&["10.0.0.7"])).unwrap();
    assert_eq!(world.bound("tap0").stage, Stage::Learning);
    // Nor does what nobody asked for.
    world.create("tap1", "g", &[]).unwrap();
    world.learned("tap1", &["10.0.0.7"]);
    assert!(world.bound("tap1").record.learned.is_empty());
}

#[test]
fn the_binding_says_what_is_learned_from() {
    let world = World::new()
        .with("f", OWN_IP)
        .with(
            "six",
            "<rule action='drop' direction='out'><ipv6 match='no' srcipaddr='$IPV6'/></rule>",
        )
        .with(
            "more",
            "<filterref filter='f'/><rule action='drop' direction='in'><ip srcipaddr='$A'/></rule>",
        )
        .with("both", "<filterref filter='f'/><filterref filter='six'/>");
    world.create("tap0", "f", &[("CTRL_IP_LEARNING", "DHCP")]).unwrap();
    assert_eq!(world.lesson("tap0").unwrap().mode, Mode::Dhcp);
    for (filter, parameters, code, texts) in [
        ("f", &[("CTRL_IP_LEARNING", "none")][..], Code::INTERNAL, &["$IP"][..]),
        ("f", &[("CTRL_IP_LEARNING", "arp")], Code::PARSE_FAILED, &["'arp'"]),
        (
            "f",
            &[("DHCPSERVER", "fe80::1")],
            Code::INTERNAL,
            &["DHCPSERVER", "'fe80::1'"],
        ),
        ("more", &[], Code::INTERNAL, &["$A", "$IP"]),
    ] {
        let error = world.create("tap1", filter, parameters).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        for text in texts {
            assert!(error.to_string().contains(text), "{error}");
        }
    }
    assert_eq!(world.lesson("tap1"), None);
    world.create("tap1", "f", &[("IP", "10.0.0.1")]).unwrap();
    assert_eq!(
        (world.lesson("tap1"), world.bound("tap1").stage.clone()),
        (None, Stage::Filtered)
    );
    world.create("tap2", "six", &[]).unwrap();
    let lesson = world.lesson("tap2").unwrap();
    assert!(!lesson.v4 && lesson.v6);
    world.learned("tap2", &["10.0.0.1"]);
    assert_eq!(world.bound("tap2").stage, Stage::Learning);
    world.learned("tap2", &["fe80::7"]);
    assert_eq!(world.bound("tap2").stage, Stage::Filtered);
    world.create("tap3", "both", &[]).unwrap();
    world.learned("tap3", &["fe80::7"]);
    assert_eq!(world.bound("tap3").stage, Stage::Learning);
    world.learned("tap3", &["10.0.0.1", "fe80::7"]);
    assert_eq!(world.bound("tap3").stage, Stage::Filtered);
}

#[test]
fn a_redefinition_begins_and_ends_lessons() {
    let world = World::new().with("f", OWN_MAC);
    world.create("tap0", "f", &[]).unwrap();
    world.define(filter("f", OWN_IP)).unwrap();
    assert_eq!(world.bound("tap0").stage, Stage::Learning);
    world.learned("tap0", &["10.0.0.7"]);
    let lesson = world.lesson("tap0");
    // What was learned stays, and so does the lesson.
    world.define(filter("f", &format!("{OWN_IP}{OWN_MAC}"))).unwrap();
    assert_eq!(world.bound("tap0").stage, Stage::Filtered);
    assert_eq!(world.lesson("tap0"), lesson);
    world.define(filter("f", OWN_MAC)).unwrap();
    assert_eq!(world.lesson("tap0"), None);
}

#[test]
fn a_filter_in_use_while_its_port_learns_stays() {
    let world = World::new().with("f", OWN_IP);
    world.create("tap0", "f", &[]).unwrap();
    let uuid = world.engine.filters().by_name("f").unwrap().def.uuid;
    assert_eq!(world.engine.undefine(uuid).unwrap_err().code(), Code::OPERATION_INVALID);
    assert!(world.engine.internal().by_name(CLOSED).is_some() && world.engine.filters().by_name(CLOSED).is_none());
}
