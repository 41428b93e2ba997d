//! Guests on wires: frames as datagrams, to a multicast group or to one peer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code: a panic is a verdict")]

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::GuestId;
use driver_api::types::launch::{Launch, Link, Plug, Unplug};
use driver_api::types::param::Value;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use supervisor_kit::{Host, Shell, enter_network, ip, is_root, need, perl, read_until, uml};

/// Perl that speaks on a wire: what is typed is sent, what arrives is told; "up NAME" connects anew.
const SPEAK: &str = r#"$| = 1; open(STDIN, '<&', 1) or die; my $link;
    sub link_up { my ($name) = @_; socket($link, 1, 5, 0) or die "socket $!";
        connect($link, pack('Sa108', 1, "/run/guest/$name.link")) or do { print "down $!\n"; return; }; print "up\n"; }
    link_up('wire');
    while (1) { my $in = ''; vec($in, 0, 1) = 1; vec($in, fileno($link), 1) = 1; select($in, undef, undef, undef);
        if (vec($in, 0, 1)) { my $typed; sysread(STDIN, $typed, 4096); for my $line (split /\n/, $typed) {
            if ($line =~ /^up (.*)/) { link_up($1); }
            elsif ($line =~ /^long (.*)/) { send($link, 'x' x $1, 0) or print "failed $!\n"; }
            else { send($link, $line, 0) or print "failed $!\n"; } } }
        if (vec($in, fileno($link), 1)) { my $frame; recv($link, $frame, 65536, 0);
            if (length $frame) { print 'heard ', length $frame > 99 ? length $frame : $frame, "\n"; }
            else { print "gone\n"; last; } }
    }"#;

/// A group of a test's own: those of an ordinary user share a network.
fn group(port: u16) -> String {
    format!("239.192.77.1:{port}")
}

fn wire(port: u16) -> Link {
    Link::Multicast {
        name: "wire".to_owned(),
        group: group(port),
    }
}

fn launch(script: &str, link: Link) -> Launch {
    Launch {
        spec: perl(script),
        links: vec![link],
        ..Launch::default()
    }
}

fn speaker(host: &Host, link: Link) -> Shell {
    let guest = GuestId(host.guests().launch("d", &launch(SPEAK, link), &[]).unwrap().guest);
    host.guests().watch(guest).unwrap();
    host.await_text(guest, "up\n");
    Shell::attach(host, guest)
}

fn say(shell: &mut Shell, frame: &str) {
    use std::io::Write;
    shell.console.write_all(format!("{frame}\n").as_bytes()).unwrap();
}

/// A machine of another kind in the same group.
fn neighbour(port: u16) -> UdpSocket {
    use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};
    let raw = socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
    sockopt::set_socket_reuseaddr(&raw, true).unwrap();
    bind(&raw, &group(port).parse::<std::net::SocketAddr>().unwrap()).unwrap();
    let socket = UdpSocket::from(raw);
    socket
        .join_multicast_v4(&Ipv4Addr::new(239, 192, 77, 1), &Ipv4Addr::UNSPECIFIED)
        .unwrap();
    socket
}

const WHY_NOT: &str = "perl, iproute2 or busybox-static is not installed, or there are no namespaces";

fn can_speak() -> bool {
    supervisor_kit::can_run() && Path::new(supervisor_kit::PERL).exists()
}

/// A network of the test's own, which an ordinary user's tests share.
fn enter_lan() {
    if is_root() {
        enter_network();
        ip("route add 239.0.0.0/8 dev lo");
    }
}

fn counts(host: &Host, guest: GuestId) -> Vec<(String, u64)> {
    let usage = host.guests().usage(guest).unwrap().into_iter();
    let counts = usage
        .filter(|param| param.name.starts_with("link."))
        .map(|param| match param.value {
            Value::Ulong(number) => (param.name, number),
            other => panic!("{other:?}"),
        });
    counts.collect()
}

#[test]
fn everybody_in_a_group_hears_everybody_else_and_nobody_himself() {
    need!(can_speak(), WHY_NOT);
    enter_lan();
    let host = Host::new();
    let neighbour = neighbour(5558);
    let (mut one, mut two) = (speaker(&host, wire(5558)), speaker(&host, wire(5558)));
    say(&mut one, "from one");
    assert_eq!(read_until(&mut two.console, "\n"), "heard from one\n");
    let mut frame = [0; 100];
    let (count, _) = neighbour.recv_from(&mut frame).unwrap();
    assert_eq!(
        &frame[..count],
        b"from one",
        "one frame is one datagram and nothing else"
    );
    say(&mut two, "from two");
    // The first thing that it hears: its own did not come back.
    assert_eq!(read_until(&mut one.console, "\n"), "heard from two\n");
    neighbour.send_to(b"from outside", group(5558)).unwrap();
    assert_eq!(read_until(&mut one.console, "\n"), "heard from outside\n");
    assert_eq!(read_until(&mut two.console, "\n"), "heard from outside\n");
    let wanted = [("rx_bytes", 20), ("rx_packets", 2), ("tx_bytes", 8), ("tx_packets", 1)];
    let wanted = wanted.map(|(what, count)| (format!("link.wire.{what}"), count));
    assert_eq!(counts(&host, one.guest), wanted);
    // What was sent while nobody listened is gone, and the next connection takes over.
    say(&mut one, "up wire");
    assert_eq!(read_until(&mut one.console, "\n"), "up\n");
    neighbour.send_to(b"hello again", group(5558)).unwrap();
    assert_eq!(read_until(&mut one.console, "\n"), "heard hello again\n");
    assert_eq!(read_until(&mut two.console, "\n"), "heard hello again\n");
    // Frames of large networks pass, longer ones are lost.
    say(&mut one, "long 9018");
    assert_eq!(read_until(&mut two.console, "\n"), "heard 9018\n");
    say(&mut one, "long 9300");
    say(&mut one, "short");
    assert_eq!(read_until(&mut two.console, "\n"), "heard short\n");
}

#[test]
fn two_peers_are_on_one_wire_and_strangers_are_not() {
    need!(can_speak(), WHY_NOT);
    enter_lan();
    let mut host = Host::new();
    let peer = UdpSocket::bind("127.0.0.1:7001").unwrap();
    let link = Link::Udp {
        name: "wire".to_owned(),
        local: "127.0.0.1:7002".to_owned(),
        remote: "127.0.0.1:7001".to_owned(),
    };
    let mut guest = speaker(&host, link.clone());
    say(&mut guest, "from the guest");
    let mut frame = [0; 100];
    let (count, from) = peer.recv_from(&mut frame).unwrap();
    assert_eq!((&frame[..count], from.port()), (&b"from the guest"[..], 7002));
    let stranger = UdpSocket::bind("127.0.0.1:7003").unwrap();
    stranger.send_to(b"strange", from).unwrap();
    peer.send_to(b"known", from).unwrap();
    assert_eq!(read_until(&mut guest.console, "\n"), "heard known\n");
    // Nobody there is no failure of the link.
    drop(peer);
    for _ in 0..5 {
        say(&mut guest, "into nothing");
    }
    let peer = UdpSocket::bind("127.0.0.1:7001").unwrap();
    say(&mut guest, "back");
    while peer.recv_from(&mut frame).unwrap().0 != 4 {}
    host.open();
    host.guests().watch(guest.guest).unwrap();
    peer.send_to(b"to a guest of another host", from).unwrap();
    assert_eq!(
        read_until(&mut guest.console, "\n"),
        "heard to a guest of another host\n"
    );
    // The address is taken; nothing is left of the second one.
    let error = host.guests().launch("d", &launch("", link), &[]).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("lay a wire from '127.0.0.1:7002' to '127.0.0.1:7001': Address already in use"),
        "{text}"
    );
    assert_eq!(
        std::fs::read_dir(host.root.path().join("run/guests")).unwrap().count(),
        3
    );
}

#[test]
fn wires_are_plugged_and_what_the_guest_puts_in_their_way_is_not_followed() {
    need!(can_speak(), WHY_NOT);
    enter_lan();
    let host = Host::new();
    let neighbour = neighbour(5559);
    let mut shell = Shell::start(&host, &[], |_| ());
    let run = host.root.path().join(format!("run/guests/{}/guest", shell.guest.0));
    let secret = host.root.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let before = std::fs::metadata(&secret).unwrap();
    assert_eq!(shell.run(&format!("ln -s {} wire.link", secret.display())), "");
    host.guests().plug(shell.guest, &Plug::Link(wire(5559)), None).unwrap();
    let socket = std::fs::symlink_metadata(run.join("wire.link")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o7777, 0o600);
    assert_eq!(
        socket.uid(),
        std::fs::metadata(&run).unwrap().uid(),
        "it is the guest's"
    );
    let error = host
        .guests()
        .plug(shell.guest, &Plug::Link(wire(5559)), None)
        .unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_FAILED);
    assert_eq!(
        shell.run(&format!("mv wire.link away; ln -s {} wire.link", secret.display())),
        ""
    );
    host.guests()
        .unplug(shell.guest, &Unplug::Link("wire".to_owned()))
        .unwrap();
    assert!(!run.join("wire.link").exists());
    let after = std::fs::metadata(&secret).unwrap();
    assert_eq!(
        (before.uid(), before.mode(), before.ino()),
        (after.uid(), after.mode(), after.ino())
    );
    // A folder in the way is the guest's own loss.
    assert_eq!(shell.run("mkdir wire.link"), "");
    let text = host
        .guests()
        .plug(shell.guest, &Plug::Link(wire(5559)), None)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("make the socket of link 'wire': Is a directory"),
        "{text}"
    );
    assert_eq!(shell.run("rmdir wire.link"), "");
    host.guests().plug(shell.guest, &Plug::Link(wire(5559)), None).unwrap();
    assert_eq!(counts(&host, shell.guest)[0], ("link.wire.rx_bytes".to_owned(), 0));
    drop(neighbour);
    let nowhere = Link::Multicast {
        name: "none".to_owned(),
        group: "224.9.9.9:5561".to_owned(),
    };
    let text = host
        .guests()
        .plug(shell.guest, &Plug::Link(nowhere), None)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("join the multicast group '224.9.9.9:5561': No such device"),
        "{text}"
    );
}

/// Somewhere to listen for packets.
fn listener(path: &Path) -> OwnedFd {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let socket = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&socket, 1).unwrap();
    socket
}

fn packet(from: &OwnedFd) -> String {
    let mut packet = [0; 100];
    let (_, count) = rustix::net::recv(from, &mut packet[..], rustix::net::RecvFlags::empty()).unwrap();
    String::from_utf8_lossy(&packet[..count]).into_owned()
}

#[test]
fn a_program_beside_the_guest_is_connected_to_once_whatever_the_guest_does() {
    use rustix::net::{SendFlags, accept, send};
    need!(can_speak(), WHY_NOT);
    let host = Host::new();
    let link = Link::Program {
        name: "wire".to_owned(),
        socket: "@RUN@/stack".to_owned(),
    };
    let mut guest = speaker(&host, link);
    let run = host.root.path().join(format!("run/guests/{}/guest", guest.guest.0));
    say(&mut guest, "too early");
    say(&mut guest, "up wire");
    assert_eq!(
        read_until(&mut guest.console, "\n"),
        "up\n",
        "nobody there is no failure"
    );
    let program = listener(&run.join("stack"));
    say(&mut guest, "one");
    let stream = accept(&program).unwrap();
    assert_eq!(packet(&stream), "one");
    say(&mut guest, "up wire");
    assert_eq!(read_until(&mut guest.console, "\n"), "up\n");
    say(&mut guest, "two");
    assert_eq!(packet(&stream), "two", "the same connection");
    send(&stream, b"three", SendFlags::empty()).unwrap();
    assert_eq!(read_until(&mut guest.console, "\n"), "heard three\n");
    let counted: Vec<u64> = counts(&host, guest.guest).into_iter().map(|(_, count)| count).collect();
    assert_eq!(counted, [5, 1, 6, 2]);
    // A link that the guest puts in its place leads nowhere, and the program that comes again is found.
    let secret = host.root.path().join("secret");
    let other = listener(&secret);
    drop((stream, program));
    std::fs::remove_file(run.join("stack")).unwrap();
    std::os::unix::fs::symlink(&secret, run.join("stack")).unwrap();
    say(&mut guest, "out");
    say(&mut guest, "up wire");
    assert_eq!(read_until(&mut guest.console, "\n"), "up\n");
    std::fs::remove_file(run.join("stack")).unwrap();
    let program = listener(&run.join("stack"));
    say(&mut guest, "four");
    assert_eq!(packet(&accept(&program).unwrap()), "four");
    rustix::io::ioctl_fionbio(&other, true).unwrap();
    assert_eq!(accept(&other).unwrap_err(), rustix::io::Errno::AGAIN);
}

#[test]
fn real_guests_reach_each_other_over_a_group() {
    need!(can_speak() && supervisor_kit::can_boot(), supervisor_kit::WHY_NO_BOOT);
    enter_lan();
    let host = Host::new();
    let start = |number: u32, script: &str| {
        let folder = host.root.path().join(number.to_string());
        std::fs::create_dir(&folder).unwrap();
        let script = format!("ifconfig vec0 10.9.0.{number} up; {script}");
        let mut spec = uml(&folder, &script);
        spec.argv.push(format!(
            "vec0:transport=bess,dst=@RUN@/wire.link,mac=52:54:00:00:00:0{number}"
        ));
        let launch = Launch {
            spec,
            links: vec![wire(5560)],
            ..Launch::default()
        };
        let guest = GuestId(host.guests().launch("d", &launch, &[]).unwrap().guest);
        host.guests().watch(guest).unwrap();
        guest
    };
    let first = start(1, "echo is up; sleep 1000");
    host.await_text(first, "is up");
    // Down and up: it connects anew.
    let second = start(
        2,
        "for i in 1 2 3; do ping -c 1 -W 20 10.9.0.1 && echo round $i well; \
         ifconfig vec0 down; ifconfig vec0 10.9.0.2 up; done; poweroff -f",
    );
    let exit = host.exit_of(second);
    for round in 1..=3 {
        assert!(
            exit.console_tail.contains(&format!("round {round} well")),
            "{}",
            exit.console_tail
        );
    }
    host.guests().kill(first).unwrap();
}

#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    need!(is_root(), "only root can become another user");
    enter_lan();
    supervisor_kit::repeat_as_ordinary_user();
}
