//! Ports are bound and let go, filters change below them.

use super::*;

#[test]
fn a_port_is_bound_and_let_go_without_a_trace() {
    let world = World::new().with("f", OWN_MAC);
    assert_eq!(world.kernel.asked(), [""; 0]);
    world.create("tap0", "f", &[]).unwrap();
    assert_eq!(world.kernel.asked(), ["install"]);
    let (now, bound) = (world.kernel.now(), world.bound("tap0"));
    assert_eq!(now.ports["tap0"].program, bound.program);
    assert_eq!(now.programs[&bound.program], bound.compiled.program);
    assert_eq!(bound.stage, Stage::Filtered);
    assert!(world.file("tap0").exists());
    world.engine.delete("tap0", None).unwrap();
    assert_eq!(world.kernel.now(), crate::ruleset::Desired::default());
    assert!(world.engine.ports().is_empty() && !world.file("tap0").exists());
}

#[test]
fn what_can_not_be_bound_is_refused_with_libvirts_code() {
    let world = World::new()
        .with("f", OWN_MAC)
        .with(
            "wants",
            "<rule action='drop' direction='in'><ip srcipaddr='$A' dstipaddr='$B[1]'/></rule>",
        )
        .with("dangling", "<filterref filter='nowhere'/>");
    world.create("tap0", "f", &[]).unwrap();
    let before = world.all();
    for (port, filter, parameters, code, texts) in [
        (
            "tap0",
            "f",
            &[][..],
            Code::OPERATION_FAILED,
            &["'tap0' is bound already", "'vm-tap0'"][..],
        ),
        ("tap1", "none", &[], Code::NO_NWFILTER, &["'tap1'", "'none'"]),
        ("tap1", "dangling", &[], Code::INTERNAL, &["'nowhere'"]),
        ("tap1", "wants", &[], Code::INTERNAL, &["$A", "$B[1]", "'wants'"]),
        (
            "tap1",
            "wants",
            &[("A", "1.2.3.4"), ("B", "1.2.3.5")],
            Code::INTERNAL,
            &["$B[1]"],
        ),
        (
            "tap1",
            "wants",
            &[("A", "x"), ("B", "1.1.1.1"), ("B", "1.1.1.2")],
            Code::INTERNAL,
            &["'x'"],
        ),
    ] {
        let error = world.create(port, filter, parameters).unwrap_err();
        assert_eq!((error.code(), error.origin()), (code, Origin::NWFILTER), "{error}");
        for text in texts {
            assert!(error.to_string().contains(text), "{error}");
        }
    }
    let error = world.engine.delete("tap1", None).unwrap_err();
    assert_eq!(error.code(), Code::NO_NWFILTER_BINDING);
    assert_eq!(world.all(), before);
}

#[test]
fn ports_that_use_a_filter_alike_share_its_rules() {
    let world = World::new().with("f", OWN_MAC).with("g", DROP_IN);
    for port in ["tap0", "tap1", "tap2"] {
        world.create(port, "f", &[]).unwrap();
    }
    world.create("tap3", "g", &[]).unwrap();
    let now = world.kernel.now();
    assert_eq!((now.programs.len(), now.ports.len()), (2, 4));
    assert_eq!(now.ports["tap0"].program, now.ports["tap2"].program);
    assert_ne!(now.ports["tap0"].slots, now.ports["tap2"].slots);
    for port in ["tap0", "tap1"] {
        world.engine.delete(port, None).unwrap();
    }
    assert_eq!(world.kernel.now().programs.len(), 2);
    world.engine.delete("tap2", None).unwrap();
    assert_eq!(world.kernel.now().programs.len(), 1);
}

#[test]
fn a_redefinition_keeps_names_and_leaves_other_ports_alone() {
    let world = World::new()
        .with("base", OWN_MAC)
        .with("f", "<filterref filter='base'/>")
        .with("g", DROP_IN);
    for (port, filter) in [("tap0", "f"), ("tap1", "f"), ("tap2", "g")] {
        world.create(port, filter, &[]).unwrap();
    }
    let (before, other) = (world.kernel.now(), world.bound("tap2"));
    world.kernel.asked();
    world.define(filter("base", &format!("{OWN_MAC}{DROP_IN}"))).unwrap();
    assert_eq!(world.kernel.asked(), ["apply"]);
    let now = world.kernel.now();
    assert_eq!(now.ports, before.ports);
    assert_ne!(now.programs, before.programs);
    assert!(Arc::ptr_eq(&world.bound("tap2"), &other));
}

#[test]
fn a_definition_of_equal_meaning_touches_no_rule() {
    let world = World::new().with("f", DROP_IN);
    world.create("tap0", "f", &[]).unwrap();
    world.kernel.asked();
    world
        .define(filter("f", &DROP_IN.replace("'22'", "'22' comment='ssh'")))
        .unwrap();
    assert_eq!(world.kernel.asked(), [""; 0]);
    assert!(world.engine.filters().by_name("f").unwrap().xml.contains("ssh"));
    world.define(filter("unused", OWN_MAC)).unwrap();
    assert_eq!(world.kernel.asked(), [""; 0]);
}

#[test]
fn a_redefinition_that_a_port_can_not_take_changes_nothing() {
    let world = World::new().with("f", DROP_IN);
    world.create("tap0", "f", &[("A", "1.1.1.1")]).unwrap();
    world.create("tap1", "f", &[]).unwrap();
    let before = world.all();
    for (rules, text) in [
        ("<rule action='drop' direction='in'><ip srcipaddr='$A'/></rule>", "$A"),
        ("<filterref filter='nowhere'/>", "'nowhere'"),
    ] {
        let error = world.define(filter("f", rules)).unwrap_err();
        assert_eq!(error.code(), Code::INTERNAL);
        assert!(
            error.to_string().contains("'tap") && error.to_string().contains(text),
            "{error}"
        );
        assert_eq!(world.all(), before);
    }
}

#[test]
fn a_filter_is_not_taken_from_a_port_that_uses_it() {
    let world = World::new()
        .with("base", OWN_MAC)
        .with("f", "<filterref filter='base'/>");
    let uuid = |name: &str| world.engine.filters().by_name(name).unwrap().def.uuid;
    let (base, f) = (uuid("base"), uuid("f"));
    world.create("tap0", "f", &[]).unwrap();
    for uuid in [base, f] {
        let error = world.engine.undefine(uuid).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_INVALID);
        assert!(error.to_string().contains("'tap0'"), "{error}");
    }
    world.engine.delete("tap0", None).unwrap();
    // Filters may go on referring to one that is gone.
    assert_eq!(world.engine.undefine(base).unwrap(), "base");
    assert_eq!(world.engine.undefine(base).unwrap_err().code(), Code::NO_NWFILTER);
    assert_eq!(world.create("tap0", "f", &[]).unwrap_err().code(), Code::INTERNAL);
    world.engine.undefine(f).unwrap();
}

#[test]
fn a_guests_port_is_bound_again_as_it_was_or_anew() {
    let world = World::new().with("f", OWN_MAC).with("g", DROP_IN);
    let guest = |filter: &str| world.engine.create(request("tap0", filter, &[]), Maker::Guest);
    guest("f").unwrap();
    let first = world.bound("tap0");
    guest("f").unwrap();
    assert!(Arc::ptr_eq(&world.bound("tap0"), &first));
    // What another client wants is refused, what the next guest on the device wants is not.
    assert_eq!(
        world.create("tap0", "g", &[]).unwrap_err().code(),
        Code::OPERATION_FAILED
    );
    guest("g").unwrap();
    assert_eq!(world.bound("tap0").record.def.filter, "g");
    assert_eq!(
        world.engine.delete("tap0", Some(first.generation)).unwrap_err().code(),
        Code::NO_NWFILTER_BINDING
    );
    world.create("tap1", "f", &[]).unwrap();
    let error = world
        .engine
        .create(request("tap1", "f", &[]), Maker::Guest)
        .unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_FAILED);
}

#[test]
fn a_reload_takes_all_filters_or_none() {
    let world = World::new().with("f", DROP_IN);
    world.create("tap0", "f", &[]).unwrap();
    let before = world.all();
    world.kernel.asked();
    assert!(world.engine.reload(Filters::default()).is_err());
    assert_eq!((world.kernel.asked(), world.all() == before), (vec![], true));
    let table = Filters::default().with(filter("f", OWN_MAC)).unwrap().unwrap();
    world.engine.reload(table).unwrap();
    assert_eq!(world.kernel.asked(), ["install"]);
    assert_eq!(world.bound("tap0").program, before.0.ports["tap0"].program);
    assert_ne!(world.kernel.now(), before.0);
    // Nothing is in doubt any more.
    world.create("tap1", "f", &[]).unwrap();
    assert_eq!(world.kernel.asked(), ["apply"]);
}
