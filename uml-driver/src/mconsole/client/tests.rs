//! The client against a scripted kernel: a thread with a socket of its own.

use super::*;
use crate::mconsole::packet;
use std::os::unix::net::UnixDatagram;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);

/// A run folder whose kernel answers each request with the given datagrams.
struct Kernel {
    folder: TempDir,
    thread: Option<std::thread::JoinHandle<Vec<Vec<u8>>>>,
}

fn part(error: u32, more: u32, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len() + 1).unwrap();
    let mut bytes: Vec<u8> = [error, more, length]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    bytes
}

fn kernel(folder: TempDir, requests: usize, replies: Vec<Vec<u8>>) -> (Kernel, Monitor) {
    let home = folder.path().join("uml/vm");
    std::fs::create_dir_all(&home).unwrap();
    let long = home.join("mconsole");
    // The scripted kernel lives in the test's own process, whose directory is not the run folder, so it reaches the
    // reply socket by its full name; a short link keeps that name within an address.
    let short = tempfile::tempdir().unwrap();
    let link = short.path().join("f");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let socket = UnixDatagram::bind(link.join("uml/vm/mconsole")).unwrap();
    assert!(long.exists());
    let thread = std::thread::spawn(move || {
        let _keep = short;
        let mut seen = Vec::new();
        for _ in 0..requests {
            let mut request = [0_u8; 600];
            let (length, from) = socket.recv_from(&mut request).unwrap();
            seen.push(request[..length].to_vec());
            let name = link.join(from.as_pathname().unwrap());
            for reply in &replies {
                // Whoever found fault with an earlier part is gone already.
                drop(socket.send_to(reply, &name));
            }
        }
        seen
    });
    let monitor = Monitor {
        run_dir: folder.path().to_owned(),
        socket: "uml/vm/mconsole".into(),
        pid: std::process::id(),
    };
    let thread = Some(thread);
    (Kernel { folder, thread }, monitor)
}

impl Kernel {
    fn seen(mut self) -> Vec<Vec<u8>> {
        let left: Vec<_> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, ["uml"], "the reply socket was left behind");
        self.thread.take().unwrap().join().unwrap()
    }
}

#[test]
fn ask_returns_the_joined_answer_and_leaves_no_socket() {
    let replies = vec![part(0, 1, "Linux "), part(0, 0, "6.1")];
    let (kernel, monitor) = kernel(tempfile::tempdir().unwrap(), 1, replies);
    assert_eq!(monitor.ask(Command::Version, SOON).unwrap(), "Linux 6.1");
    assert_eq!(kernel.seen(), [packet::request("version")]);
}

#[test]
fn ask_works_in_a_folder_whose_path_no_socket_address_can_hold() {
    let folder = tempfile::Builder::new().prefix(&"deep".repeat(40)).tempdir().unwrap();
    let (kernel, monitor) = kernel(folder, 1, vec![part(0, 0, "stopped")]);
    assert_eq!(monitor.ask(Command::Stop, SOON).unwrap(), "stopped");
    kernel.seen();
}

#[test]
fn ask_keeps_the_kernels_words_when_it_refuses() {
    let (kernel, monitor) = kernel(tempfile::tempdir().unwrap(), 1, vec![part(1, 0, "Not stopped")]);
    let failure = monitor.ask(Command::Go, SOON).unwrap_err();
    assert!(
        matches!(&failure, Failure::Refused(1, text) if text == "Not stopped"),
        "{failure}"
    );
    assert_eq!(failure.into_error("x").code(), Code::OPERATION_FAILED);
    kernel.seen();
}

#[test]
fn ask_refuses_bare_text_and_overlong_datagrams() {
    for reply in [b"only supports version 2".to_vec(), vec![0; 4096]] {
        let (kernel, monitor) = kernel(tempfile::tempdir().unwrap(), 1, vec![reply]);
        let failure = monitor.ask(Command::Version, SOON).unwrap_err();
        assert!(matches!(failure, Failure::Nonsense(_)), "{failure}");
        kernel.seen();
    }
}

#[test]
fn ask_refuses_an_answer_from_another_process() {
    let (kernel, mut monitor) = kernel(tempfile::tempdir().unwrap(), 1, vec![part(0, 0, "x")]);
    monitor.pid = 1;
    let failure = monitor.ask(Command::Version, SOON).unwrap_err();
    assert!(matches!(failure, Failure::Stranger(_)), "{failure}");
    kernel.seen();
}

#[test]
fn ask_gives_up_at_its_deadline_when_nothing_or_only_half_an_answer_comes() {
    for replies in [Vec::new(), vec![part(0, 1, "half")]] {
        let (kernel, monitor) = kernel(tempfile::tempdir().unwrap(), 1, replies);
        let failure = monitor.ask(Command::Version, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(failure, Failure::Silent(_)), "{failure}");
        assert_eq!(failure.into_error("x").code(), Code::OPERATION_TIMEOUT);
        kernel.seen();
    }
}

#[test]
fn ask_of_a_frozen_kernel_whose_queue_is_full_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(folder.path().join("m")).unwrap();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(b"x", folder.path().join("m")).is_ok() {}
    let monitor = Monitor {
        run_dir: folder.path().to_owned(),
        socket: "m".into(),
        pid: 0,
    };
    let failure = monitor.ask(Command::Version, Duration::from_secs(3600)).unwrap_err();
    assert!(matches!(failure, Failure::Full), "{failure}");
    drop(socket);
}

#[test]
fn ask_follows_no_link_that_the_guest_could_have_planted() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = UnixDatagram::bind(elsewhere.path().join("mconsole")).unwrap();
    other.set_nonblocking(true).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("uml")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("mconsole"), folder.path().join("direct")).unwrap();
    for socket in ["uml/mconsole", "direct", "../x", "missing"] {
        let monitor = Monitor {
            run_dir: folder.path().to_owned(),
            socket: socket.into(),
            pid: 0,
        };
        let failure = monitor.ask(Command::Halt, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(failure, Failure::Gone(_)), "{socket}: {failure}");
    }
    assert!(other.recv(&mut [0; 10]).is_err(), "a command reached another guest");
}

#[test]
fn reply_sockets_of_a_dead_host_are_removed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["reply-7-1", "reply-7-2", "notify"] {
        drop(UnixDatagram::bind(folder.path().join(name)).unwrap());
    }
    let kept = tempfile::tempdir().unwrap();
    std::fs::write(kept.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink(kept.path(), folder.path().join("reply-link")).unwrap();
    let monitor = Monitor {
        run_dir: folder.path().to_owned(),
        socket: "m".into(),
        pid: 0,
    };
    monitor.remove_replies();
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["notify"]);
    assert!(kept.path().join("file").exists());
}

#[test]
fn commands_are_distinct_and_none_is_a_prefix_of_another() {
    for a in Command::ALL {
        let others = Command::ALL.into_iter().filter(|b| *b != a);
        assert!(others.into_iter().all(|b| !b.text().starts_with(a.text())), "{a:?}");
    }
}
