//! Guests that were to end with a client's connection, found by a host that has no such client.

use super::*;

#[test]
fn guest_that_was_to_end_with_its_client_ends_with_the_host_that_had_it() {
    let mut lab = lab_with_a_guest();
    let xml = lab.xml("gone", B, "");
    lab.cx(|cx| lab.uml.create(cx, &xml, flags::START_AUTODESTROY)).unwrap();
    let kept = lab.uml.by_uuid(uuid(A)).unwrap();
    lab.events();
    up(&mut lab);
    assert_eq!(lab.uml.list(), [kept]);
    assert_eq!(lab.host.alive(), [1]);
    assert_eq!(lab.events(), ["stopped/1 id=-1"]);
    // A later run of the same domain is none of those, unless it is asked for again.
    lab.cx(|cx| lab.uml.destroy(cx, uuid(A), 0)).unwrap();
    lab.cx(|cx| lab.uml.start(cx, uuid(A), flags::START_AUTODESTROY))
        .unwrap();
    lab.cx(|cx| lab.uml.destroy(cx, uuid(A), 0)).unwrap();
    lab.cx(|cx| lab.uml.start(cx, uuid(A), 0)).unwrap();
    up(&mut lab);
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().state, State::Running);
}

#[test]
fn restart_of_a_guest_that_was_to_end_with_its_client_does_not_go_on() {
    let mut lab = Lab::new();
    let xml = lab.xml("vm", A, "");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0).map(drop)).unwrap();
    lab.cx(|cx| lab.uml.start(cx, uuid(A), flags::START_AUTODESTROY))
        .unwrap();
    let store = lab.root.path().join("run/status").join(format!("{A}.status"));
    let text = std::fs::read_to_string(&store).unwrap();
    let text = text.replace("phase running", "phase restarting");
    std::fs::write(&store, text).unwrap();
    lab.events();
    up(&mut lab);
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().reason, Reason::SHUTOFF_DESTROYED);
    assert_eq!(lab.events(), ["stopped/1 id=-1"]);
    assert!(lab.host.alive().is_empty());
}
