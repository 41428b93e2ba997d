//! Tests of the frozen records: what goes in on one side comes out on the other, and nonsense is an error.

use super::domain::{DomainRecord, EventRecord};
use super::guest::{GuestEventRecord, SpecRecord, StartedRecord};
use super::value::Fault;
use crate::error::{Code, Error, Origin};
use crate::types::domain::{DomainBrief, DomainEvent, DomainEventKind, Lifecycle, Reason, State};
use crate::types::guest::{ConsoleSpec, Exit, GuestEvent, GuestSpec, Started, VisibleFile};
use crate::types::uuid::Uuid;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A path that is no text.
fn odd_path() -> PathBuf {
    OsStr::from_bytes(b"/a\xff/b").into()
}

fn uuid() -> Uuid {
    "c7a5fdbd-edaf-9455-926a-d65c16db1809".parse().unwrap_or_default()
}

#[test]
fn an_order_for_a_guest_crosses_whole() {
    let spec = GuestSpec {
        domain: uuid(),
        name: "vm ä".to_owned(),
        argv: vec!["/usr/bin/linux.uml".to_owned(), String::new()],
        env: vec![("HOME".to_owned(), "/".to_owned())],
        consoles: vec![
            ConsoleSpec {
                alias: "console0".to_owned(),
                pty: true,
                log: Some(odd_path()),
            },
            ConsoleSpec::default(),
        ],
        files: vec![VisibleFile {
            path: odd_path(),
            writable: true,
        }],
        memory_bytes: 1 << 33,
        log: None,
    };
    assert_eq!(GuestSpec::try_from(SpecRecord::from(&spec)).unwrap(), spec);
}

#[test]
fn what_the_host_tells_of_a_guest_crosses_whole() {
    let started = Started {
        guest: 7,
        domain: uuid(),
        pid: 4711,
        run_dir: odd_path(),
        ptys: vec!["/dev/pts/3".to_owned(), String::new()],
        not_isolated: vec!["no cgroup".to_owned()],
    };
    let record = StartedRecord::from(started.clone());
    assert_eq!(Started::try_from(record).unwrap(), started);
    let exit = Exit {
        code: Some(-1),
        signal: None,
        out_of_memory: true,
        supervisor_lost: false,
        requested: true,
        notifications: vec![b"\xff".to_vec(), Vec::new()],
        console_tail: "Kernel panic\n".to_owned(),
    };
    for event in [
        GuestEvent::Notified(b"\0\xca\xfe".to_vec()),
        GuestEvent::Exited(exit),
        GuestEvent::Exited(Exit {
            signal: Some(9),
            supervisor_lost: true,
            ..Exit::default()
        }),
    ] {
        let record = GuestEventRecord::from(event.clone());
        assert_eq!(GuestEvent::try_from(record).unwrap(), event);
    }
    let mut record = GuestEventRecord::from(GuestEvent::Notified(Vec::new()));
    record.kind = 9;
    assert!(
        GuestEvent::try_from(record)
            .unwrap_err()
            .to_string()
            .contains("guest event kind 9")
    );
}

#[test]
fn a_domain_and_its_events_cross_whole() {
    for (id, state, flag) in [(None, State::Shutoff, false), (Some(3), State::Running, true)] {
        let brief = DomainBrief {
            uuid: uuid(),
            name: "vm".to_owned(),
            id,
            state,
            reason: Reason::RUNNING_BOOTED,
            persistent: flag,
            autostart: !flag,
            updated: flag,
            max_memory_kib: u64::MAX,
            memory_kib: 65536,
            vcpus: 1,
            os_type: "uml".to_owned(),
        };
        assert_eq!(DomainBrief::try_from(DomainRecord::from(brief.clone())).unwrap(), brief);
    }
    let event = |kind| DomainEvent {
        uuid: uuid(),
        name: "vm".to_owned(),
        id: Some(3),
        kind,
    };
    for event in [
        event(DomainEventKind::Reboot),
        event(DomainEventKind::Lifecycle(Lifecycle::Crashed, 5)),
    ] {
        assert_eq!(DomainEvent::try_from(EventRecord::from(&event)).unwrap(), event);
    }
    let mut record = EventRecord::from(&event(DomainEventKind::Lifecycle(Lifecycle::Defined, 0)));
    record.event = 77;
    assert!(
        DomainEvent::try_from(record)
            .unwrap_err()
            .to_string()
            .contains("lifecycle event 77")
    );
}

#[test]
fn an_error_crosses_with_its_code_and_its_whole_chain() {
    let cause = Error::new(Code::INTERNAL, Origin::NONE, "inside");
    let error = Error::new(Code::NO_DOMAIN, Origin::UML, "outside").because(cause);
    let words = error.to_string();
    let back = Error::from(Fault::from(error));
    assert_eq!(
        (back.code(), back.origin(), back.to_string()),
        (Code::NO_DOMAIN, Origin::UML, words)
    );
}
