//! Talking to guests' kernels.

use super::*;
use crate::mconsole::client::{Command, Failure, Monitor};
use crate::mconsole::packet::{Assembly, reply};
use std::os::unix::net::UnixDatagram;

/// An answer that says that it has no bytes was written to before its beginning, one that says too many was believed.
#[test]
fn old_bug_3_6_false_lengths_spoiled_memory() {
    let datagram = |words: [u32; 3], data: &[u8]| {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend_from_slice(data);
        bytes
    };
    let empty = Assembly::default().push(&datagram([0, 0, 0], b"")).unwrap().unwrap();
    assert_eq!(empty.text, "");
    assert!(reply(&datagram([0, 0, u32::MAX], b"x")).is_err());
    assert!(reply(b"short").is_err());
}

/// A kernel that did not answer was waited for without end.
#[test]
fn old_bug_3_7_answers_were_waited_for_without_end() {
    let lab = Lab::running("");
    lab.host.mute.store(true, Ordering::SeqCst);
    let error = lab.cx(|cx| lab.uml.suspend(cx, uuid(A))).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_TIMEOUT);
    assert!(lab.host.locks.is_idle());
    lab.destroy(A).unwrap();
}

/// Answers came to a name that anybody on the machine could take first, and from whomever they came they were believed.
#[test]
fn old_bug_3_9_names_were_taken_and_answers_forged() {
    let folder = tempfile::tempdir().unwrap();
    let kernel = UnixDatagram::bind(folder.path().join("mconsole")).unwrap();
    let monitor = Monitor {
        run_dir: folder.path().to_owned(),
        socket: "mconsole".into(),
        // Another process than the one that will answer.
        pid: 1,
    };
    let home = folder.path().to_owned();
    let answers = std::thread::spawn(move || {
        let (_, from) = kernel.recv_from(&mut [0; 600]).unwrap();
        let name = from.as_pathname().expect("no abstract name").to_owned();
        assert!(name.is_relative(), "{name:?}");
        kernel.send_to(&[0; 12], home.join(name)).unwrap();
    });
    let failure = monitor.ask(Command::Version, Duration::from_secs(20)).unwrap_err();
    assert!(matches!(failure, Failure::Stranger(_)), "{failure}");
    answers.join().unwrap();
}

/// A flood of news made the driver miss a guest's end.
#[test]
fn old_bug_3_16_news_were_lost() {
    let lab = Lab::running("");
    for n in 0..10_000 {
        lab.host.says(1, &format!("noise {n}"));
    }
    lab.host.end(1, ended("reboot: Power down"));
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_SHUTDOWN);
    assert!(lab.events().iter().any(|event| event.starts_with("stopped")));
}
