//! Interfaces, their taps and their filters.

use super::*;

/// Guests that were started with the host were filtered without the lock that keeps definitions still.
///
/// Here nobody can: the call takes a token that only the held lock gives.
#[test]
fn old_bug_0_10_autostart_filtered_without_the_lock() {
    let lab = Lab::new();
    lab.define_with("one", A, &["br0/clean"]);
    lab.define_with("two", B, &["br0/missing"]);
    lab.cx(|cx| {
        lab.uml.set_autostart(cx, uuid(A), true).unwrap();
        lab.uml.set_autostart(cx, uuid(B), true).unwrap();
        lab.uml.autostart(cx).unwrap();
    });
    let happened = lab.happened();
    let place = |what: &str| happened.iter().position(|line| line == what).unwrap();
    assert!(place("filter vnet0 clean") < place("connect vnet0 br0"), "{happened:?}");
    // One whose filter can not be had is not started without.
    assert_eq!(lab.uml.by_uuid(uuid(B)).unwrap().state, State::Shutoff);
    assert!(
        !happened.iter().any(|line| line.starts_with("connect vnet1")),
        "{happened:?}"
    );
    assert!(lab.host.locks.is_idle());
}

/// The guest opened its tap by name, as any other user could have before it.
#[test]
fn old_bug_2_20_taps_were_opened_by_name() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0"]);
    lab.start(A).unwrap();
    // It lives as long as a descriptor of it does, which the guest has from its birth.
    assert_eq!(lab.network.taps(), ["vnet0"]);
    assert!(lab.happened().iter().any(|line| line.starts_with("spawn 1 with 1")));
    lab.destroy(A).unwrap();
    lab.is_clear();
}

/// A tap was left when its filter could not be had, and filters on other types than two were ignored.
#[test]
fn old_bug_2_21_filters_were_ignored_and_taps_left() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0", "br0/missing"]);
    assert_eq!(code(lab.start(A)), 62);
    lab.is_clear();
    let interface =
        |kind: &str, source: &str| format!("<interface type='{kind}'>{source}<filterref filter='clean'/></interface>");
    define(&lab, &with_devices(&lab, &interface("ethernet", ""))).unwrap();
    lab.start(A).unwrap();
    assert_eq!(lab.filtered(), ["vnet2"]);
    lab.destroy(A).unwrap();
    for (kind, source) in [("user", ""), ("mcast", "<source address='239.0.0.1' port='5558'/>")] {
        define(&lab, &with_devices(&lab, &interface(kind, source))).unwrap();
        let error = lab.start(A).unwrap_err();
        assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
        assert!(error.to_string().contains("'clean'"), "{error}");
    }
}

/// Kernels that no longer have the old network drivers were started without a network.
#[test]
fn old_bug_2_24_new_kernels_had_no_network() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0"]);
    lab.start(A).unwrap();
    let words = argv(&lab);
    assert!(words.iter().any(|word| word.starts_with("vec0:")), "{words:?}");
    assert!(!words.iter().any(|word| word.starts_with("eth0=")), "{words:?}");
}

/// After the driver's end the filter driver went on calling it.
#[test]
fn old_bug_4_8_filters_called_into_a_driver_that_was_gone() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0/clean"]);
    lab.start(A).unwrap();
    assert_eq!(lab.requests("clean").len(), 1);
    // A closed driver, whose guests run on, still answers for them.
    lab.uml.close(Duration::from_secs(20)).unwrap();
    assert_eq!(lab.requests("clean").len(), 1);
    lab.destroy(A).unwrap();
    assert!(lab.requests("clean").is_empty());
}
