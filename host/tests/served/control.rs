//! Whether a domain can be spoken to, starting it anew, another name, bytes of its disks, and what it is told of.

use crate::bench::{Host, define, next_event, refused};
use lockstep::client::event::EventKind;
use lockstep::rpc::codec::control::{DomainBlockPeek, DomainRename, DomainReset, DomainSetAutostartOnce};
use lockstep::rpc::codec::device::DomainAttachDevice;
use lockstep::rpc::codec::domain::{DomainGetControlInfo, DomainGetMessages, DomainLookupByName};
use lockstep::rpc::codec::event::subject;
use lockstep::rpc::codec::security::{DomainGetSecurityLabel, DomainGetSecurityLabelList, NodeGetSecurityModel};

#[test]
fn a_domain_that_runs_is_started_anew_and_one_that_does_not_is_renamed() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let off = define(&mut connection, "off");
    connection.watch(subject::REBOOT, None).unwrap();
    connection
        .call(&DomainReset {
            dom: dom.clone(),
            flags: 0,
        })
        .unwrap();
    assert_eq!(next_event(&mut connection), EventKind::Reboot);
    assert_eq!(
        refused(
            &mut connection,
            &DomainReset {
                dom: off.clone(),
                flags: 0
            }
        )
        .0,
        55
    );
    assert_eq!(
        refused(
            &mut connection,
            &DomainReset {
                dom: dom.clone(),
                flags: 1
            }
        )
        .0,
        8
    );
    let rename = |dom: &_, name: Option<&str>, flags| DomainRename {
        dom: Clone::clone(dom),
        name: name.map(str::to_owned),
        flags,
    };
    assert_eq!(connection.call(&rename(&off, Some("other"), 0)).unwrap(), 0);
    let found = connection
        .call(&DomainLookupByName {
            name: "other".to_owned(),
        })
        .unwrap();
    assert_eq!(found.uuid, off.uuid);
    assert_eq!(refused(&mut connection, &rename(&dom, Some("new"), 0)).0, 55);
    assert_eq!(refused(&mut connection, &rename(&off, Some("vm"), 0)).0, 9);
    assert_eq!(refused(&mut connection, &rename(&off, None, 0)).0, 8);
    assert_eq!(refused(&mut connection, &rename(&off, Some("new"), 1)).0, 8);
}

#[test]
fn control_state_messages_and_disks_can_be_looked_at() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let off = define(&mut connection, "off");
    let control = |dom: &_, flags| DomainGetControlInfo {
        dom: Clone::clone(dom),
        flags,
    };
    let info = connection.call(&control(&dom, 0)).unwrap();
    assert_eq!((info.state, info.details, info.state_time), (0, 0, 0));
    assert_eq!(refused(&mut connection, &control(&off, 0)).0, 55);
    let mut messages = |flags| {
        let call = DomainGetMessages {
            dom: dom.clone(),
            flags,
        };
        connection.call(&call).map(|messages| messages.0.len())
    };
    assert_eq!(
        (messages(0).unwrap(), messages(1).unwrap(), messages(2).unwrap()),
        (1, 0, 1)
    );
    messages(4).unwrap_err();
    connection
        .call(&DomainSetAutostartOnce {
            dom: dom.clone(),
            autostart: 1,
        })
        .unwrap();
    let call = DomainGetMessages {
        dom: dom.clone(),
        flags: 0,
    };
    assert_eq!(connection.call(&call).unwrap().0.len(), 2);
    let xml = "<disk><target dev='a'/></disk>".to_owned();
    connection.call(&DomainAttachDevice { dom: dom.clone(), xml }).unwrap();
    let peek = |path: &str, size, flags| DomainBlockPeek {
        dom: dom.clone(),
        path: path.to_owned(),
        offset: 0,
        size,
        flags,
    };
    assert_eq!(connection.call(&peek("a", 512, 0)).unwrap().0, [0; 512]);
    for (path, size, flags) in [("b", 1, 0), ("a", 4_194_305, 0), ("a", 1, 1)] {
        assert_eq!(refused(&mut connection, &peek(path, size, flags)).0, 8);
    }
}

#[test]
fn nobody_has_a_security_label() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let model = connection.call(&NodeGetSecurityModel {}).unwrap();
    assert_eq!((model.model.0, model.doi.0), (vec![0], vec![0]));
    let label = connection.call(&DomainGetSecurityLabel { dom: dom.clone() }).unwrap();
    assert_eq!((label.label.0, label.enforcing), (vec![0], 0));
    assert_eq!(connection.call(&DomainGetSecurityLabelList { dom }).unwrap().count, 0);
}
