//! What consoles lead to beside their viewers: sockets, devices and pipes of the host.

#![allow(clippy::unwrap_used, reason = "test code: a panic is a verdict")]

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::ConsoleSpec;
use driver_api::types::launch::{Backend, Launch};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use supervisor_kit::{Host, Shell, is_root, need, read_until, shell};

/// Loopback of a network of the test's own, which an ordinary user's tests share.
fn enter_network() {
    if is_root() {
        supervisor_kit::enter_network();
    }
}

/// A guest with a second console, descriptor 11, that leads somewhere.
fn leading_to(host: &Host, backend: Backend) -> Shell {
    Shell::start(host, &[], |launch| {
        launch.spec.consoles.push(ConsoleSpec::default());
        launch.backends = vec![Backend::None, backend];
    })
}

fn refusal(host: &Host, backend: Backend) -> driver_api::error::Error {
    let launch = Launch {
        spec: shell("true"),
        backends: vec![backend],
        ..Launch::default()
    };
    host.guests().launch("d", &launch, &[]).unwrap_err()
}

/// What is typed goes in, and what the guest says comes out. In this order: what is said before a peer is known is lost.
fn exchange(shell: &mut Shell, peer: &mut (impl Read + Write)) {
    peer.write_all(b"to the guest\n").unwrap();
    assert_eq!(shell.run("read -r line <&11; echo \"$line\""), "to the guest\n");
    assert_eq!(shell.run("echo from the guest >&11"), "");
    assert_eq!(read_until(peer, "from the guest\n"), "from the guest\n");
}

fn unix(path: &Path, listen: bool) -> Backend {
    Backend::Unix {
        path: path.to_owned(),
        listen,
    }
}

#[test]
fn others_connect_to_a_unix_socket_one_after_the_other() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    // Longer than what fits into an address; left by somebody who was killed.
    let folder = host.root.path().join("f".repeat(120));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("a socket");
    let connect = || {
        let link = host.root.path().join("link");
        if !link.exists() {
            std::os::unix::fs::symlink(&folder, &link).unwrap();
        }
        UnixStream::connect(link.join("a socket"))
    };
    std::os::unix::fs::symlink(&folder, host.root.path().join("link")).unwrap();
    drop(UnixListener::bind(host.root.path().join("link/a socket")).unwrap());
    let mut shell = leading_to(&host, unix(&path, true));
    assert_eq!(shell.run("echo unheard >&11"), "");
    let mut first = connect().unwrap();
    exchange(&mut shell, &mut first);
    // The next one is served when the first has left.
    let mut second = connect().unwrap();
    second.write_all(b"patience\n").unwrap();
    exchange(&mut shell, &mut first);
    let error = refusal(&host, unix(&path, true));
    assert_eq!(error.code(), Code::SYSTEM_ERROR);
    let text = error.to_string();
    assert!(
        text.contains("a socket' for console 0: Address already in use"),
        "{text}"
    );
    drop(first);
    assert_eq!(shell.run("read -r line <&11; echo $line"), "patience\n");
    exchange(&mut shell, &mut second);
    host.guests().kill(shell.guest).unwrap();
    assert!(!path.exists(), "the socket goes with the guest");
    assert_eq!(second.read(&mut [0]).unwrap(), 0);
    // What is no socket stays.
    std::fs::write(&path, "text").unwrap();
    assert!(refusal(&host, unix(&path, true)).to_string().contains("in use"));
    assert_eq!(std::fs::read(&path).unwrap(), b"text");
}

#[test]
fn a_unix_socket_is_called_until_somebody_is_there_and_again_when_that_one_leaves() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let path = host.root.path().join("socket");
    let mut shell = leading_to(&host, unix(&path, false));
    assert_eq!(shell.run("echo unheard >&11"), "");
    for _ in 0..3 {
        let listener = UnixListener::bind(&path).unwrap();
        let mut peer = listener.accept().unwrap().0;
        exchange(&mut shell, &mut peer);
        drop((listener, peer));
        std::fs::remove_file(&path).unwrap();
    }
}

fn tcp(host: &str, service: &str, listen: bool, telnet: bool) -> Backend {
    Backend::Tcp {
        host: host.to_owned(),
        service: service.to_owned(),
        listen,
        telnet,
    }
}

#[test]
fn tcp_is_listened_for_at_exactly_one_address() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    enter_network();
    let host = Host::new();
    let mut shell = leading_to(&host, tcp("127.0.0.2", "4555", true, false));
    let other = TcpStream::connect("127.0.0.1:4555").unwrap_err();
    assert_eq!(other.kind(), ErrorKind::ConnectionRefused);
    let mut peer = TcpStream::connect("127.0.0.2:4555").unwrap();
    exchange(&mut shell, &mut peer);
    let text = refusal(&host, tcp("127.0.0.2", "4555", true, false)).to_string();
    assert!(
        text.contains("listen at '127.0.0.2:4555' for console 0: Address already in use"),
        "{text}"
    );
    let text = refusal(&host, tcp("192.0.2.1", "4555", true, false)).to_string();
    assert!(
        text.contains("listen at '192.0.2.1:4555' for console 0: Cannot assign requested address"),
        "{text}"
    );
    let error = refusal(&host, tcp("127.0.0.1", "no-such-service", true, false));
    assert_eq!(error.code(), Code::INVALID_ARG);
    assert!(
        error
            .to_string()
            .starts_with("cannot launch its guest: 'no-such-service'"),
        "{error}"
    );
    // The address is free again at once, though a connection was closed by this side.
    host.guests().kill(shell.guest).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    let mut shell = leading_to(&host, tcp("127.0.0.2", "4555", true, false));
    exchange(&mut shell, &mut TcpStream::connect("127.0.0.2:4555").unwrap());
}

#[test]
fn telnet_is_spoken_and_nothing_of_it_reaches_the_guest() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    enter_network();
    let host = Host::new();
    let mut shell = leading_to(&host, tcp("127.0.0.1", "4556", true, true));
    let mut peer = TcpStream::connect("127.0.0.1:4556").unwrap();
    let mut greeting = [0; 12];
    peer.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting, [255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0]);
    peer.write_all(&[255, 253, 1, 255, 251, 31, 255, 250, 31, 0, 80, 0, 24, 255, 240])
        .unwrap();
    let mut answer = [0; 3];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [255, 254, 31]);
    exchange(&mut shell, &mut peer);
    assert_eq!(shell.run("printf 'a\\377b' >&11"), "");
    let mut said = [0; 4];
    peer.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"a\xff\xffb");
    peer.write_all(b"x\xff\xffy\r\0\n").unwrap();
    assert_eq!(
        shell.run("read -r line <&11; printf %s \"$line\" | od -An -tx1"),
        " 78 ff 79 0d\n"
    );
}

#[test]
fn tcp_is_called_again_when_the_other_end_goes() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    enter_network();
    let host = Host::new();
    let mut shell = leading_to(&host, tcp("127.0.0.1", "4557", false, false));
    for _ in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:4557").unwrap();
        let mut peer = listener.accept().unwrap().0;
        exchange(&mut shell, &mut peer);
        // This side must be the one that waits, or its port would be taken for a while.
        drop(listener);
        rustix::net::sockopt::set_socket_linger(&peer, Some(std::time::Duration::ZERO)).unwrap();
    }
}

#[test]
fn datagrams_are_exchanged_with_one_peer() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    enter_network();
    let host = Host::new();
    let pair = |host: &str, service: &str| (host.to_owned(), service.to_owned());
    let peer = UdpSocket::bind("127.0.0.1:4558").unwrap();
    let backend = Backend::Udp {
        remote: pair("127.0.0.1", "4558"),
        local: pair("", "4559"),
    };
    let mut shell = leading_to(&host, backend);
    assert_eq!(shell.run("echo from the guest >&11"), "");
    let mut heard = [0; 100];
    let (count, from) = peer.recv_from(&mut heard).unwrap();
    assert_eq!((&heard[..count], from.port()), (&b"from the guest\n"[..], 4559));
    // A stranger is not heard.
    let stranger = UdpSocket::bind("127.0.0.1:4560").unwrap();
    stranger.send_to(b"strange\n", "127.0.0.1:4559").unwrap();
    peer.send_to(b"", "127.0.0.1:4559").unwrap();
    peer.send_to(b"to the guest\n", "127.0.0.1:4559").unwrap();
    assert_eq!(shell.run("read -r line <&11; echo $line"), "to the guest\n");
    // Nobody there is no failure.
    drop(peer);
    for _ in 0..3 {
        assert_eq!(shell.run("echo into nothing >&11"), "");
    }
    let peer = UdpSocket::bind("127.0.0.1:4558").unwrap();
    assert_eq!(shell.run("echo again >&11"), "");
    // The last of those that were for nobody may come only now.
    while peer.recv_from(&mut heard).unwrap().0 != 6 {}
    let taken = Backend::Udp {
        remote: pair("127.0.0.1", "4561"),
        local: pair("127.0.0.1", "4558"),
    };
    let text = refusal(&host, taken).to_string();
    assert!(
        text.contains("datagrams of '127.0.0.1:4558' with '127.0.0.1:4561' for console 0: Address already"),
        "{text}"
    );
}

#[test]
fn a_device_is_a_line_without_translation() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let path = PathBuf::from(
        rustix::pty::ptsname(&master, Vec::new())
            .unwrap()
            .into_string()
            .unwrap(),
    );
    let mut shell = leading_to(&host, Backend::Device { path });
    exchange(&mut shell, &mut std::fs::File::from(master));
    let plain = host.root.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let text = refusal(&host, Backend::Device { path: plain.clone() }).to_string();
    assert!(
        text.contains("plain' for console 0: it is no character device"),
        "{text}"
    );
    let text = refusal(&host, Backend::Pipe { path: plain }).to_string();
    assert!(text.contains("plain' for console 0: it is no pipe"), "{text}");
}

#[test]
fn pipes_carry_both_ways_in_two_and_output_in_one() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let make = |name: &str| {
        let path = host.root.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        path
    };
    let (input, output) = (make("two.in"), make("two.out"));
    let backend = Backend::Pipe {
        path: host.root.path().join("two"),
    };
    let mut shell = leading_to(&host, backend);
    assert_eq!(shell.run("echo from the guest >&11"), "");
    let mut output = std::fs::File::open(output).unwrap();
    assert_eq!(read_until(&mut output, "\n"), "from the guest\n");
    std::fs::write(input, "to the guest\n").unwrap();
    assert_eq!(shell.run("read -r line <&11; echo $line"), "to the guest\n");
    let one = make("one");
    let mut shell = leading_to(&host, Backend::Pipe { path: one.clone() });
    assert_eq!(shell.run("echo alone >&11"), "");
    assert_eq!(read_until(&mut std::fs::File::open(one).unwrap(), "\n"), "alone\n");
    let absent = Backend::Pipe {
        path: host.root.path().join("absent"),
    };
    let text = refusal(&host, absent).to_string();
    assert!(
        text.contains("open the pipe '") && text.contains("No such file"),
        "{text}"
    );
}

#[test]
fn a_slow_peer_loses_bytes_and_a_slow_guest_loses_none() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let path = host.root.path().join("socket");
    let mut shell = leading_to(&host, unix(&path, true));
    let mut peer = UnixStream::connect(&path).unwrap();
    exchange(&mut shell, &mut peer);
    // Far more than all buffers hold, to a peer that does not read.
    assert_eq!(
        shell.run("dd if=/dev/zero bs=64k count=64 2>/dev/null >&11; echo said"),
        "said\n"
    );
    peer.set_nonblocking(true).unwrap();
    let mut heard = 0;
    let mut chunk = [0; 65536];
    loop {
        match peer.read(&mut chunk) {
            Ok(count) => heard += count,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                // Until the supervisor has nothing more for it: what is said then is heard at once.
                shell.run("echo mark >&11");
                poll(&mut [PollFd::new(&peer, PollFlags::IN)], None).unwrap();
                let count = peer.read(&mut chunk).unwrap();
                if chunk[..count].ends_with(b"mark\n") {
                    break;
                }
                heard += count;
            }
            Err(e) => panic!("{e}"),
        }
    }
    assert!((1..64 * 65536).contains(&heard), "{heard}");
    // More than all buffers hold, typed while the guest does not read.
    peer.set_nonblocking(false).unwrap();
    let mut typist = peer.try_clone().unwrap();
    let text: Vec<u8> = (0..=255_u8).cycle().take(4 << 20).collect();
    let typing = std::thread::spawn(move || typist.write_all(&text).unwrap());
    assert_eq!(shell.run("echo not reading"), "not reading\n");
    assert_eq!(
        shell.run(&format!("head -c {} <&11 | wc -c", 4 << 20)).trim(),
        (4 << 20).to_string()
    );
    typing.join().unwrap();
    drop(peer);
    exchange(&mut shell, &mut UnixStream::connect(&path).unwrap());
}

#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    need!(is_root(), "only root can become another user");
    enter_network();
    supervisor_kit::repeat_as_ordinary_user();
}
