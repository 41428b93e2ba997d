//! Devices that are changed while the guest has them: what can be, and what is refused by name.

use super::devices::BOTH;
use super::*;

fn nic(bridge: &str, more: &str) -> String {
    format!("<interface type='bridge'><mac address='52:54:00:00:00:07'/><source bridge='{bridge}'/>{more}</interface>")
}

fn filter(name: &str) -> String {
    format!("<filterref filter='{name}'/>")
}

#[test]
fn filter_is_exchanged_in_one_step_before_the_port_moves() {
    let lab = Lab::with_devices(|_| nic("br0", &filter("clean")));
    lab.update(&nic("br1", &filter("strict")), BOTH).unwrap();
    assert_eq!(lab.log(), ["filter vnet0 strict", "connect vnet0 br1"]);
    for text in [lab.live(), lab.next()] {
        assert!(
            text.contains("strict") && text.contains("br1") && !text.contains("clean"),
            "{text}"
        );
    }
    let asked = |filter: &str| {
        lab.cx(|cx| {
            lab.uml
                .filtered_ports(&mut cx.update_read().unwrap(), &[filter.to_owned()])
                .unwrap()
                .len()
        })
    };
    assert_eq!((asked("strict"), asked("clean")), (1, 0));
    // Without a filter from now on, and with one again.
    lab.update(&nic("br1", ""), 0).unwrap();
    assert_eq!(lab.log(), ["unfilter vnet0"]);
    assert_eq!((asked("strict"), lab.host.filtered.lock().len()), (0, 0));
    lab.update(&nic("br1", &filter("clean")), 0).unwrap();
    assert_eq!(lab.log(), ["filter vnet0 clean"]);
    assert_eq!(asked("clean"), 1);
    lab.update(&nic("br1", &filter("clean")), 0).unwrap();
    assert_eq!(lab.log(), [""; 0], "nothing differs");
    assert!(lab.host.locks.is_idle() && lab.notices().is_empty());
}

#[test]
fn cable_is_pulled_and_plugged_in_again() {
    let lab = Lab::with_devices(|_| nic("br0", &filter("clean")));
    let down = format!("{}<link state='down'/>", filter("clean"));
    lab.update(&nic("br0", &down), 0).unwrap();
    assert_eq!(lab.log(), ["connect vnet0 br0 down"]);
    assert!(lab.live().contains("<link state='down'/>") && !lab.next().contains("link"));
    lab.update(&nic("br0", &filter("clean")), 0).unwrap();
    assert_eq!(lab.log(), ["connect vnet0 br0"]);
}

#[test]
fn update_that_fails_leaves_the_port_as_it_was() {
    let lab = Lab::with_devices(|_| nic("br0", &filter("clean")));
    let live = lab.live();
    assert_eq!(code(lab.update(&nic("br0", &filter("missing")), BOTH)), 62);
    assert_eq!(lab.log(), ["filter vnet0 missing", "filter vnet0 clean"]);
    assert_eq!(code(lab.update(&nic("full", &filter("strict")), BOTH)), 38);
    let wanted = [
        "filter vnet0 strict",
        "connect vnet0 full",
        "connect vnet0 br0",
        "filter vnet0 clean",
    ];
    assert_eq!(lab.log(), wanted);
    assert_eq!(lab.live(), live);
    let record = lab.core().table.entry(uuid(A)).unwrap().record().unwrap();
    assert!(record.remnants.is_empty());
    assert_eq!(record.ports[0].request.as_ref().unwrap().filter, "clean");
}

#[test]
fn medium_of_a_drive_is_exchanged() {
    let drive =
        |file: &str| format!("<disk device='cdrom'><source file='{file}'/><target dev='ubdb'/><readonly/></disk>");
    let lab = Lab::with_devices(|lab| drive(&lab.file("one.iso").display().to_string()));
    let two = lab.file("two.iso").display().to_string();
    lab.update(&drive(&two), BOTH).unwrap();
    assert_eq!(lab.log(), ["unplug 1 file /one.iso", "plug 1 file /two.iso"]);
    assert_eq!(lab.guest_has(), [format!("ubdb={two}")]);
    assert!(lab.live().contains("two.iso") && lab.next().contains("two.iso"));
    // One that is not there leaves the one before in the drive.
    assert_eq!(code(lab.update(&drive("/no/such.iso"), BOTH)), 38);
    assert_eq!(lab.guest_has(), [format!("ubdb={two}")]);
    lab.host.kernel(1).lock().busy.insert("ubdb".to_owned());
    let one = lab.root.path().join("one.iso").display().to_string();
    let error = lab.update(&drive(&one), BOTH).unwrap_err();
    assert!(error.to_string().contains("unmount it there first"), "{error}");
    assert!(lab.live().contains("two.iso") && lab.next().contains("two.iso"));
}

#[test]
fn what_can_not_be_changed_is_named_and_changes_with_the_definition() {
    let lab = Lab::with_devices(|lab| {
        format!(
            "{}{}<serial type='pty'/>",
            lab.disk("ubdb", "b.img", "<serial>S</serial>"),
            nic("br0", "<mtu size='1400'/>")
        )
    });
    let before = (lab.live(), lab.next());
    let other = lab.disk("ubdb", "c.img", "<readonly/>");
    let cases = [
        (
            other.clone(),
            "the source, <readonly>, the <serial> of disk 'ubdb' can not be changed",
        ),
        (
            nic("br0", "<mtu size='1300'/><model type='e1000'/><target dev='lab0'/>"),
            "the device, the model, the MTU of interface '52:54:00:00:00:07'",
        ),
        (
            "<interface type='ethernet'><mac address='52:54:00:00:00:07'/><mtu size='1400'/></interface>".to_owned(),
            "the type of interface",
        ),
        (
            "<serial type='null'><target port='0'/></serial>".to_owned(),
            "the type of line 0",
        ),
    ];
    for (xml, words) in cases {
        let error = lab.update(&xml, BOTH).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_UNSUPPORTED, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!((lab.live(), lab.next()), before);
    }
    lab.update(&other, flags::AFFECT_CONFIG).unwrap();
    assert!(lab.next().contains("c.img") && lab.live().contains("b.img"));
    assert_eq!(code(lab.update(&nic("br0", "").replace(":07", ":08"), 0)), 99);
    lab.update("<serial type='pty'><target port='0'/></serial>", 0).unwrap();
}
