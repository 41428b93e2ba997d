//! Devices that come and go, and who hears of it.

use crate::bench::{Host, define, next_event, refused};
use lockstep::client::event::EventKind;
use lockstep::rpc::codec::device::{
    DomainAttachDevice, DomainAttachDeviceFlags, DomainDetachDevice, DomainDetachDeviceAlias, DomainDetachDeviceFlags,
    DomainUpdateDeviceFlags,
};
use lockstep::rpc::codec::domain::{DomainDestroy, DomainGetXmlDesc};
use lockstep::rpc::codec::event::subject;

const LIVE: u32 = 1;
const CONFIG: u32 = 2;

fn disk(name: &str) -> String {
    format!("<disk type='file'><target dev='{name}'/></disk>")
}

#[test]
fn devices_come_and_go_and_clients_hear_of_it_in_order() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let mut witness = host.connect("hello");
    for subject in [subject::LIFECYCLE, subject::DEVICE_ADDED, subject::DEVICE_REMOVED] {
        witness.watch(subject, Some(&dom)).unwrap();
    }
    let attach = |xml: String| DomainAttachDevice { dom: dom.clone(), xml };
    connection.call(&attach(disk("a"))).unwrap();
    let xml = "<interface type='user'><alias name='ua-net'/><target dev='n0'/></interface>".to_owned();
    let (of, flags) = (dom.clone(), LIVE);
    connection
        .call(&DomainAttachDeviceFlags { dom: of, xml, flags })
        .unwrap();
    let taken = refused(&mut connection, &attach(disk("a")));
    assert_eq!(taken.0, 9, "{taken:?}");
    let (of, xml, flags) = (
        dom.clone(),
        "<disk type='file'><source file='/x'/><target dev='a'/></disk>",
        0,
    );
    let update = DomainUpdateDeviceFlags {
        dom: of,
        xml: xml.to_owned(),
        flags,
    };
    connection.call(&update).unwrap();
    let shown = connection
        .call(&DomainGetXmlDesc {
            dom: dom.clone(),
            flags: 0,
        })
        .unwrap();
    assert!(shown.contains("<source file='/x'/>"), "{shown}");
    let (of, alias, flags) = (dom.clone(), "ua-net".to_owned(), 0);
    connection
        .call(&DomainDetachDeviceAlias { dom: of, alias, flags })
        .unwrap();
    connection
        .call(&DomainDetachDevice {
            dom: dom.clone(),
            xml: disk("a"),
        })
        .unwrap();
    connection.call(&DomainDestroy { dom }).unwrap();
    for expected in [
        EventKind::DeviceAdded("disk0".to_owned()),
        EventKind::DeviceAdded("ua-net".to_owned()),
        EventKind::DeviceRemoved("ua-net".to_owned()),
        EventKind::DeviceRemoved("disk0".to_owned()),
        EventKind::Lifecycle(5, 1),
    ] {
        assert_eq!(next_event(&mut witness), expected);
    }
}

#[test]
fn changes_of_devices_that_can_not_be_have_codes_of_their_own() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let off = define(&mut connection, "off");
    let attach = |dom: &_, xml: &str, flags| DomainAttachDeviceFlags {
        dom: Clone::clone(dom),
        xml: xml.to_owned(),
        flags,
    };
    let detach = DomainDetachDeviceFlags {
        dom: dom.clone(),
        xml: disk("a"),
        flags: LIVE,
    };
    assert_eq!(refused(&mut connection, &detach).0, 99);
    let alias = DomainDetachDeviceAlias {
        dom: dom.clone(),
        alias: "no".to_owned(),
        flags: 0,
    };
    let missing = refused(&mut connection, &alias);
    assert!(missing.0 == 99 && missing.1.contains("'no'"), "{missing:?}");
    let update = DomainUpdateDeviceFlags {
        dom: dom.clone(),
        xml: disk("a"),
        flags: 0,
    };
    assert_eq!(refused(&mut connection, &update).0, 99);
    assert_eq!(refused(&mut connection, &attach(&dom, "<disk", 0)).0, 27);
    assert_eq!(refused(&mut connection, &attach(&dom, &disk("a"), 1 << 7)).0, 8);
    assert_eq!(refused(&mut connection, &attach(&dom, &disk("a"), LIVE | CONFIG)).0, 84);
    // What has no flags means what runs.
    let plain = DomainAttachDevice {
        dom: off,
        xml: disk("a"),
    };
    assert_eq!(refused(&mut connection, &plain).0, 55);
    let mut gone = dom;
    gone.uuid = driver_api::types::uuid::Uuid::default();
    assert_eq!(refused(&mut connection, &attach(&gone, &disk("a"), 0)).0, 42);
}
