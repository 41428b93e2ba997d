//! Interfaces: filtered before they are attached, gone with their guest, kept over its restart and the host's.

use super::*;
use driver_api::driver::Driver;

const REBOOTED: &str = "reboot: Restarting system\n";

/// `<interface>` elements: `bridge[=device][/filter]`.
fn interfaces(of: &[&str]) -> String {
    let one = |(index, text): (usize, &&str)| {
        let (text, filter) = text.split_once('/').unwrap_or((text, ""));
        let (bridge, device) = text.split_once('=').unwrap_or((text, ""));
        let filter = match filter {
            "" => String::new(),
            name => format!("<filterref filter='{name}'><parameter name='IP' value='192.0.2.1'/></filterref>"),
        };
        let target = match device {
            "" => String::new(),
            name => format!("<target dev='{name}'/>"),
        };
        format!(
            "<interface type='bridge'><mac address='52:54:00:00:00:0{index}'/><source bridge='{bridge}'/>{target}{filter}</interface>"
        )
    };
    of.iter().enumerate().map(one).collect()
}

impl Lab {
    /// Defines a domain with these interfaces that is restarted when it reboots.
    pub(super) fn define_with(&self, name: &str, uuid: &str, of: &[&str]) {
        let xml = self.xml(name, uuid, "<on_reboot>restart</on_reboot>");
        let xml = xml.replace("</devices>", &format!("{}</devices>", interfaces(of)));
        self.cx(|cx| self.uml.define(cx, &xml, 0)).unwrap();
    }

    /// What has happened since the last look.
    pub(super) fn happened(&self) -> Vec<String> {
        self.host.log.lock().drain(..).collect()
    }

    pub(super) fn filtered(&self) -> Vec<String> {
        self.host.filtered.lock().iter().cloned().collect()
    }

    pub(super) fn requests(&self, filter: &str) -> Vec<PortRequest> {
        let filters = [filter.to_owned()];
        self.cx(|cx| {
            self.uml
                .filtered_ports(&mut cx.update_read().unwrap(), &filters)
                .unwrap()
        })
    }

    /// Nothing of any guest's network is left.
    pub(super) fn is_clear(&self) {
        assert_eq!(self.network.taps(), [""; 0]);
        assert_eq!(self.filtered(), [""; 0]);
        assert!(self.host.locks.is_idle());
    }

    fn reboots(&self, guest: u64) {
        let exit = Exit {
            code: Some(0),
            console_tail: REBOOTED.to_owned(),
            ..Exit::default()
        };
        self.host.end(guest, exit);
        self.until(|r| r.run.as_ref().is_some_and(|run| run.guest != GuestId(guest)));
        self.settled();
    }
}

#[test]
fn ports_are_filtered_before_they_are_attached_and_both_before_the_guest_is_there() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0/clean", "br1=lab0"]);
    lab.start(A).unwrap();
    let wanted = [
        "make vnet0",
        "make lab0",
        "filter vnet0 clean",
        "connect vnet0 br0",
        "connect lab0 br1",
        "spawn 1 with 2",
    ];
    assert_eq!(lab.happened(), wanted);
    let request = PortRequest {
        port: "vnet0".to_owned(),
        mac: "52:54:00:00:00:00".to_owned(),
        filter: "clean".to_owned(),
        parameters: vec![("IP".to_owned(), "192.0.2.1".to_owned())],
        owner: uuid(A),
        owner_name: "vm".to_owned(),
    };
    assert_eq!(lab.requests("clean"), [request]);
    assert_eq!(lab.requests("other"), []);
    let live = lab.uml.dump_xml(uuid(A), 0).unwrap();
    for part in ["<target dev='vnet0'/>", "<target dev='lab0'/>", "<alias name='net1'/>"] {
        assert!(live.contains(part), "{live}");
    }
    let next = lab.uml.dump_xml(uuid(A), flags::XML_INACTIVE).unwrap();
    assert!(!next.contains("vnet") && next.contains("lab0"), "{next}");
    lab.destroy(A).unwrap();
    assert_eq!(lab.happened(), ["kill 1", "unfilter vnet0"]);
    assert_eq!(lab.requests("clean"), []);
    lab.is_clear();
    // The name that was made up is not used again soon, the one that was chosen is.
    lab.start(A).unwrap();
    assert_eq!(lab.network.taps(), ["lab0", "vnet1"]);
    lab.destroy(A).unwrap();
}

#[test]
fn a_start_that_fails_leaves_no_port() {
    let cases: &[(&[&str], Boots, u32)] = &[
        (&["br0/clean", "br0=lab0/missing"], Boots::Well, 62),
        (&["br0/clean", "full=lab0/clean"], Boots::Well, 38),
        (&["br0/clean", "nobridge=lab0"], Boots::Well, 38),
        (&["br0/clean", "br0=lab0"], Boots::Refused, 38),
        (&["br0/clean", "br0=lab0"], Boots::Dies, 1),
    ];
    for (interfaces, boots, expected) in cases {
        let lab = Lab::new();
        lab.define_with("vm", A, interfaces);
        *lab.host.boots.lock() = *boots;
        assert_eq!(code(lab.start(A)), *expected, "{interfaces:?}");
        lab.is_clear();
        assert!(lab.core().names.take("lab0", Duration::ZERO), "{interfaces:?}");
        lab.core().names.free("lab0");
        assert_eq!(lab.requests("clean"), []);
        assert_eq!(lab.brief().state, State::Shutoff);
    }
}

#[test]
fn unknown_filter_and_its_interface_are_named() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0/missing"]);
    let error = lab.start(A).unwrap_err();
    assert_eq!(error.code(), Code::NO_NWFILTER);
    let text = error.to_string();
    assert!(
        text.contains("cannot start domain 'vm': cannot filter interface '52:54:00:00:00:00'"),
        "{text}"
    );
}

#[test]
fn restarted_guest_keeps_its_devices_and_filters() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0/clean", "br0"]);
    lab.start(A).unwrap();
    lab.happened();
    lab.reboots(1);
    let wanted = [
        "make vnet0",
        "make vnet1",
        "filter vnet0 clean",
        "connect vnet0 br0",
        "connect vnet1 br0",
        "spawn 2 with 2",
    ];
    assert_eq!(lab.happened(), wanted);
    assert_eq!(
        (lab.network.taps(), lab.filtered()),
        (vec!["vnet0".into(), "vnet1".into()], vec!["vnet0".into()])
    );
    lab.destroy(A).unwrap();
    lab.is_clear();
}

#[test]
fn restarted_guest_whose_made_up_name_somebody_took_gets_another() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0/clean"]);
    lab.start(A).unwrap();
    lab.network.stranger("vnet0");
    lab.reboots(1);
    assert_eq!(
        (lab.network.taps(), lab.filtered()),
        (vec!["vnet1".into()], vec!["vnet1".into()])
    );
    assert!(lab.uml.dump_xml(uuid(A), 0).unwrap().contains("<target dev='vnet1'/>"));
    lab.destroy(A).unwrap();
    lab.is_clear();
    assert!(lab.core().names.take("vnet0", Duration::ZERO), "it was given back");
}

#[test]
fn restart_that_fails_leaves_no_port() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0=lab0/clean"]);
    lab.start(A).unwrap();
    lab.network.stranger("lab0");
    let exit = Exit {
        code: Some(0),
        console_tail: REBOOTED.to_owned(),
        ..Exit::default()
    };
    lab.host.end(1, exit);
    lab.until(|r| r.phase == Phase::Off);
    lab.settled();
    lab.is_clear();
    assert!(lab.core().names.take("lab0", Duration::ZERO));
}

#[test]
fn device_of_another_domain_or_of_somebody_else_is_refused_by_name() {
    let lab = Lab::new();
    lab.define_with("one", A, &["br0=lab0"]);
    lab.network.stranger("lab0");
    let error = lab.start(A).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_FAILED);
    assert!(
        error
            .to_string()
            .contains("device 'lab0': there is a device of that name"),
        "{error}"
    );
    lab.is_clear();
    // Names that are made up go round what is there.
    for taken in ["vnet0", "vnet1"] {
        lab.network.stranger(taken);
    }
    lab.define_with("two", B, &["br0"]);
    lab.start(B).unwrap();
    assert_eq!(lab.network.taps(), ["vnet2"]);
    lab.destroy(B).unwrap();
}

#[test]
fn kernel_that_takes_no_descriptor_is_refused_before_anything_is_made() {
    let lab = Lab::new();
    let kernel = lab.root.path().join("kernel");
    let old = std::fs::read_to_string(&kernel)
        .unwrap()
        .replace("UML_NET_VECTOR", "UML_NET");
    std::fs::write(&kernel, old).unwrap();
    lab.define_with("vm", A, &["br0"]);
    let error = lab.start(A).unwrap_err();
    assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
    assert!(error.to_string().contains("UML_NET_VECTOR"), "{error}");
    assert!(lab.happened().is_empty());
}

#[test]
fn ports_outlive_the_host_and_go_with_their_guest() {
    let mut lab = Lab::new();
    lab.define_with("vm", A, &["br0/clean"]);
    lab.define_with("other", B, &["br0"]);
    lab.start(A).unwrap();
    lab.reopen();
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
    lab.settled();
    assert_eq!(
        (lab.network.taps(), lab.filtered()),
        (vec!["vnet0".into()], vec!["vnet0".into()])
    );
    assert_eq!(lab.requests("clean").len(), 1);
    assert!(lab.uml.dump_xml(uuid(A), 0).unwrap().contains("<target dev='vnet0'/>"));
    lab.start(B).unwrap();
    assert_eq!(lab.network.taps(), ["vnet0", "vnet1"], "its name is known to be taken");
    lab.destroy(B).unwrap();
    lab.reboots(1);
    assert_eq!(lab.filtered(), ["vnet0"]);
    lab.destroy(A).unwrap();
    lab.is_clear();
}

#[test]
fn ports_of_a_guest_that_went_with_the_last_host_lose_their_filters() {
    let mut lab = Lab::new();
    lab.define_with("vm", A, &["br0/clean", "br0"]);
    lab.start(A).unwrap();
    lab.host.deafen();
    lab.host.end(1, Exit::default());
    lab.cx(|cx| crate::link::HostLink::forget(&lab.host, cx, GuestId(1)))
        .unwrap();
    lab.reopen();
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
    lab.is_clear();
    assert!(lab.core().names.take("vnet1", Duration::ZERO));
}

#[test]
fn ports_of_a_start_that_the_last_host_did_not_finish_lose_their_filters() {
    let mut lab = Lab::new();
    lab.define_with("vm", A, &["br0/clean", "br0=lab0"]);
    *lab.host.boots.lock() = Boots::Never;
    let dead = lab.uml.clone();
    let (doomed, host) = (dead.clone(), std::sync::Arc::clone(&lab.host));
    let start = std::thread::spawn(move || host.locks.session(|cx| doomed.start(cx, uuid(A), 0).map(drop)));
    let deadline = Instant::now() + Duration::from_secs(20);
    while lab.host.alive() != [1] {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    lab.reopen();
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
    assert_eq!(lab.filtered(), [""; 0]);
    assert!(lab.core().names.take("lab0", Duration::ZERO));
    assert!(lab.core().store.statuses().unwrap().is_empty());
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_DAEMON);
    dead.0.cancel_boot(uuid(A));
    start.join().unwrap().unwrap_err();
    assert_eq!(lab.network.taps(), [""; 0]);
}
