//! A host that comes back finds its ports as they were.

use super::*;
use std::fs;

#[test]
fn nothing_is_written_if_the_kernel_has_what_it_should() {
    let mut world = World::new().with("f", OWN_MAC).with("ip", OWN_IP);
    world.create("tap0", "f", &[]).unwrap();
    world.create("tap1", "f", &[]).unwrap();
    world.create("tap2", "ip", &[]).unwrap();
    world.create("tap3", "ip", &[("CTRL_IP_LEARNING", "dhcp")]).unwrap();
    let generation = world.bound("tap2").generation;
    world
        .engine
        .learned("tap2", generation, &["10.0.0.7".parse().unwrap()])
        .unwrap();
    let before = world.kernel.now();
    world.kernel.asked();
    world.restarted();
    assert_eq!(world.kernel.asked(), ["verify"]);
    assert_eq!(world.kernel.now(), before);
    assert_eq!(world.bound("tap2").values["IP"], ["10.0.0.7"]);
    let lessons = world.school.lessons.lock();
    assert_eq!(lessons["tap2"].known.len(), 1);
    assert_eq!((lessons.len(), lessons["tap3"].mode), (2, Mode::Dhcp));
    drop(lessons);
    world.define(filter("f", DROP_IN)).unwrap();
    assert_eq!(world.kernel.asked(), ["apply"]);
    assert_eq!(world.kernel.now().ports["tap0"].program, before.ports["tap0"].program);
}

#[test]
fn what_the_kernel_lost_is_made_anew_at_once() {
    let mut world = World::new().with("f", OWN_MAC);
    world.create("tap0", "f", &[]).unwrap();
    world.create("tap1", "f", &[]).unwrap();
    world.kernel.inner.lock().now = crate::ruleset::Desired::default();
    world.kernel.asked();
    world.restarted();
    assert_eq!(world.kernel.asked(), ["verify", "install"]);
    assert_eq!(world.kernel.now().ports.len(), 2);
}

#[test]
fn a_binding_that_can_not_be_used_is_closed_and_stops_nobody() {
    let mut world = World::new().with("f", OWN_MAC).with("g", DROP_IN);
    world.create("tap0", "f", &[]).unwrap();
    world.create("tap1", "g", &[]).unwrap();
    world.create("tap2", "f", &[]).unwrap();
    fs::write(world.file("tap2"), "<filterbindingstatus").unwrap();
    let table = Filters::default().with(filter("f", OWN_MAC)).unwrap().unwrap();
    world.engine = engine(&world.folder, &world.kernel, &world.school);
    world.engine.start(table).unwrap();
    let ports = world.engine.ports();
    let closed: Vec<bool> = ports.values().map(|bound| bound.closed().is_some()).collect();
    assert_eq!(closed, [false, true, true]);
    let now = world.kernel.now();
    assert_eq!(now.ports["tap1"].program, now.ports["tap2"].program);
    // It stays closed over another restart, and opens when its filter is back or it is bound anew.
    world.restarted();
    assert!(world.bound("tap1").closed().is_some() && world.bound("tap2").closed().is_some());
    world.define(filter("h", DROP_IN)).unwrap();
    world.define(filter("g", DROP_IN)).unwrap();
    assert!(world.bound("tap1").closed().is_none() && world.bound("tap2").closed().is_some());
    world.create("tap2", "f", &[]).unwrap();
    assert!(world.bound("tap2").closed().is_none());
    world.restarted();
    assert!(world.engine.ports().values().all(|bound| bound.closed().is_none()));
}

#[test]
fn rules_that_can_not_be_made_stop_nobody() {
    let mut world = World::new().with("f", OWN_MAC);
    world.create("tap0", "f", &[]).unwrap();
    world.kernel.inner.lock().now = crate::ruleset::Desired::default();
    world.kernel.inner.lock().refuse_install = 1;
    world.restarted();
    assert_eq!((world.engine.ports().len(), world.kernel.now().ports.len()), (1, 0));
    world.create("tap1", "f", &[]).unwrap();
    assert_eq!(world.kernel.now().ports.len(), 2);
}

#[test]
fn rules_without_a_binding_go_if_they_are_of_a_change_that_was_cut_off() {
    let mut world = World::new().with("f", OWN_MAC);
    world.create("tap0", "f", &[]).unwrap();
    fs::remove_file(world.file("tap0")).unwrap();
    // They may be another host's.
    world.restarted();
    assert_eq!((world.engine.ports().len(), world.kernel.now().ports.len()), (0, 1));
    fs::write(world.file("tap0").with_added_extension("new"), "<filter").unwrap();
    world.restarted();
    assert!(world.kernel.now().ports.is_empty());
}
