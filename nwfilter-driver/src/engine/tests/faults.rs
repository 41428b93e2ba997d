//! Every step of a change fails once: nothing is changed then, and the next change succeeds.

use super::*;
use std::fs;

/// Something in the way of a file.
fn block(path: PathBuf) -> impl FnOnce() {
    fs::create_dir_all(path.join("x")).unwrap();
    move || fs::remove_dir_all(path).unwrap()
}

#[test]
fn a_port_is_bound_wholly_or_not_at_all() {
    let world = World::new().with("f", OWN_MAC).with("ip", OWN_IP);
    world.create("tap0", "f", &[]).unwrap();
    let before = world.all();
    let fails = |code: Code| {
        let error = world.create("tap1", "ip", &[]).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains("'tap1'"), "{error}");
        assert_eq!(world.all(), before);
    };
    let unblock = block(world.file("tap1").with_added_extension("new"));
    world.kernel.asked();
    assert_eq!(world.create("tap1", "ip", &[]).unwrap_err().code(), Code::SYSTEM_ERROR);
    assert_eq!((world.kernel.asked(), world.all() == before), (vec![], true));
    unblock();
    world.kernel.inner.lock().refuse_apply = 1;
    fails(Code::BUILD_FIREWALL);
    *world.school.refuse.lock() = true;
    fails(Code::BUILD_FIREWALL);
    *world.school.refuse.lock() = false;
    let unblock = block(world.file("tap1"));
    fails(Code::SYSTEM_ERROR);
    unblock();
    world.create("tap1", "ip", &[]).unwrap();
}

#[test]
fn a_port_is_let_go_wholly_or_not_at_all() {
    let world = World::new().with("f", OWN_IP);
    world.create("tap0", "f", &[]).unwrap();
    let before = world.all();
    world.kernel.inner.lock().refuse_apply = 1;
    assert_eq!(
        world.engine.delete("tap0", None).unwrap_err().code(),
        Code::BUILD_FIREWALL
    );
    assert_eq!(world.all(), before);
    let text = fs::read(world.file("tap0")).unwrap();
    fs::remove_file(world.file("tap0")).unwrap();
    let unblock = block(world.file("tap0"));
    assert_eq!(
        world.engine.delete("tap0", None).unwrap_err().code(),
        Code::SYSTEM_ERROR
    );
    unblock();
    fs::write(world.file("tap0"), text).unwrap();
    assert_eq!(world.all(), before);
    world.engine.delete("tap0", None).unwrap();
}

#[test]
fn a_filter_is_changed_wholly_or_not_at_all() {
    let world = World::new().with("f", DROP_IN);
    world.create("tap0", "f", &[]).unwrap();
    world.create("tap1", "f", &[]).unwrap();
    let before = world.all();
    let fails = |code: Code| {
        let error = world.define(filter("f", OWN_IP)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(world.all(), before);
    };
    world.kernel.inner.lock().refuse_apply = 1;
    fails(Code::BUILD_FIREWALL);
    *world.school.refuse.lock() = true;
    fails(Code::BUILD_FIREWALL);
    *world.school.refuse.lock() = false;
    let file = world.folder.path().join("conf/f.xml");
    let text = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let unblock = block(file.clone());
    assert_eq!(
        world.define(filter("f", OWN_IP)).unwrap_err().code(),
        Code::SYSTEM_ERROR
    );
    unblock();
    fs::write(&file, text).unwrap();
    assert_eq!(world.all(), before);
    world.define(filter("f", OWN_IP)).unwrap();
    assert_eq!(world.school.lessons.lock().len(), 2);
}

#[test]
fn tables_that_somebody_else_changed_are_made_anew() {
    let world = World::new().with("f", DROP_IN);
    world.create("tap0", "f", &[]).unwrap();
    world.kernel.inner.lock().now = crate::ruleset::Desired::default();
    world.kernel.asked();
    world.create("tap1", "f", &[]).unwrap();
    assert_eq!(world.kernel.asked(), ["apply", "install"]);
    assert_eq!(world.kernel.now().ports.len(), 2);
    // If that fails too, the next change begins with it.
    world.kernel.inner.lock().now = crate::ruleset::Desired::default();
    world.kernel.inner.lock().refuse_install = 1;
    assert!(world.create("tap2", "f", &[]).is_err());
    assert_eq!(world.engine.ports().len(), 2);
    world.kernel.asked();
    world.define(filter("unused", OWN_MAC)).unwrap();
    assert_eq!(world.kernel.asked(), ["install"]);
    assert_eq!(world.kernel.now().ports.len(), 2);
}

#[test]
fn what_could_not_be_undone_is_made_anew_by_the_next_change() {
    let world = World::new().with("f", DROP_IN).with("ip", OWN_IP);
    world.create("tap0", "f", &[]).unwrap();
    // The file fails, and so does every way back.
    let unblock = block(world.file("tap1"));
    world.kernel.inner.lock().refuse_install = 1;
    world.kernel.inner.lock().refuse_later = true;
    assert_eq!(world.create("tap1", "f", &[]).unwrap_err().code(), Code::SYSTEM_ERROR);
    assert_eq!(world.engine.ports().len(), 1);
    assert_eq!(world.kernel.now().ports.len(), 2);
    unblock();
    world.kernel.asked();
    world.engine.delete("tap0", None).unwrap();
    assert_eq!(world.kernel.asked(), ["install"]);
    assert!(world.kernel.now().ports.is_empty());
}

#[test]
fn a_repair_writes_only_what_somebody_else_changed() {
    let world = World::new().with("f", DROP_IN);
    // Without ports the tables are nobody's.
    world.kernel.asked();
    assert!(world.engine.repair().unwrap().is_empty());
    assert_eq!(world.kernel.asked(), [""; 0]);
    world.create("tap0", "f", &[]).unwrap();
    let good = world.kernel.now();
    world.kernel.asked();
    assert!(world.engine.repair().unwrap().is_empty());
    assert_eq!(world.kernel.asked(), ["verify"]);
    world.kernel.inner.lock().now = crate::ruleset::Desired::default();
    world.kernel.inner.lock().refuse_install = 1;
    assert!(world.engine.repair().is_err());
    assert_eq!(world.engine.repair().unwrap().len(), 1);
    assert_eq!(world.kernel.now(), good);
}

#[test]
fn a_rule_that_the_kernel_takes_no_more_closes_its_own_ports_only() {
    let mut world = World::new().with("f", DROP_IN).with("g", OWN_MAC);
    world.create("tap0", "f", &[]).unwrap();
    world.create("tap1", "g", &[]).unwrap();
    let filter = world.engine.filters().by_name("g").unwrap().def.uuid;
    world.kernel.inner.lock().refuse_rule = Some(crate::ruleset::Origin { filter, entry: 0 });
    world.kernel.inner.lock().now = crate::ruleset::Desired::default();
    world.engine.repair().unwrap();
    let why = world.bound("tap1").closed().map(str::to_owned);
    assert!(why.unwrap().contains("line 3 of filter 'g'"));
    assert_eq!(
        (world.bound("tap0").closed(), world.kernel.now().ports.len()),
        (None, 2)
    );
    world.kernel.inner.lock().now = crate::ruleset::Desired::default();
    world.restarted();
    assert!(world.bound("tap0").closed().is_none() && world.bound("tap1").closed().is_some());
    // Whoever asks for it now is told the line.
    world.engine.delete("tap0", None).unwrap();
    world.engine.delete("tap1", None).unwrap();
    let error = world.create("tap2", "g", &[]).unwrap_err();
    assert!(error.to_string().contains("line 3 of filter 'g'"), "{error}");
    assert_eq!(error.code(), Code::BUILD_FIREWALL);
}
