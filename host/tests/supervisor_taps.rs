//! Guests that ask for taps: each gets its own, as often as it likes, and nothing else.

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::GuestId;
use driver_api::types::launch::{Launch, Link};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use supervisor_kit::{Host, can_net, enter_network, ip, need, perl, tap, tap_with, uml};

/// Perl that asks for taps and tells what it got.
const ASK: &str = r#"$| = 1;
    sub ask { my ($name, $flags) = @_; open(my $tun, '+<', '/dev/net/tun') or return (undef, "open $!");
        my $want = pack('a16sx22', $name, $flags // 0x5002);
        return ioctl($tun, 0x400454ca, $want) ? ($tun, 'ok') : (undef, $!); }
    sub errno { my ($done) = @_; return defined($done) ? 'ok' : "$!"; }
"#;

fn with_taps(script: &str, names: &[&str]) -> Launch {
    Launch {
        spec: perl(&format!("{ASK}{script}")),
        links: names
            .iter()
            .map(|name| Link::Tap {
                name: (*name).to_owned(),
            })
            .collect(),
        ..Launch::default()
    }
}

#[test]
fn a_guest_takes_its_taps_by_name_as_often_as_it_likes() {
    need!(can_net(), supervisor_kit::WHY_NO_NET);
    enter_network();
    let host = Host::new();
    let taps = [tap("one"), tap("two")];
    for (name, net) in [("one", 1), ("two", 2)] {
        ip(&format!("addr add 10.9.{net}.1/24 dev {name}"));
        ip(&format!("link set {name} up"));
    }
    // Who has the address at the other end? The answer comes from there, behind a header of ten bytes.
    let script = r#"
        for my $round (1..50) { for my $net (1, 2) {
            my ($tap, $why) = ask($net == 1 ? 'one' : 'two'); $tap or die "$why";
            my $asked = pack('x10H*', 'ffffffffffff' . '020000000009' . '0806' . '0001080006040001' . '020000000009'
                . sprintf('0a09%02x09', $net) . '000000000000' . sprintf('0a09%02x01', $net));
            syswrite($tap, $asked) or die "send: $!";
            my $heard;
            do { sysread($tap, $heard, 2000) or die "receive: $!"; } until unpack('H*', $heard) =~ /08060001080006040002/;
            my $want = sprintf('0a09%02x01', $net);
            unpack('H*', substr($heard, 38, 4)) eq $want or die unpack('H*', $heard);
            close($tap);
        } }
        print "done\n";"#;
    let launch = with_taps(script, &["one", "two"]);
    let fds = [taps[0].as_fd(), taps[1].as_fd()];
    let guest = GuestId(host.guests().launch("d", &launch, &fds).unwrap().guest);
    host.guests().watch(guest).unwrap();
    // The supervisor alone holds them from now on.
    drop(taps);
    let exit = host.exit_of(guest);
    assert!(exit.console_tail.contains("done"), "{exit:?}");
    // Both are gone with the guest.
    let left = std::process::Command::new("ip").args(["-o", "link"]).output().unwrap();
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    assert!(!left.contains("one:") && !left.contains("two:"), "{left}");
}

#[test]
fn a_guest_gets_no_other_tap_and_can_change_none() {
    need!(can_net(), supervisor_kit::WHY_NO_NET);
    enter_network();
    let host = Host::new();
    let (own, foreign) = (tap("own"), tap("foreign"));
    let launch = with_taps("sleep 1000;", &["foreign"]);
    let other = GuestId(host.guests().launch("d", &launch, &[foreign.as_fd()]).unwrap().guest);
    let script = r#"
        print 'foreign: ', (ask('foreign'))[1], "\n", 'new: ', (ask('fresh'))[1], "\n";
        print 'nameless: ', (ask(''))[1], "\n", 'long: ', (ask('own' . 'x' x 13))[1], "\n";
        print 'plain: ', (ask('own', 0x1002))[1], "\n", 'persistent: ', (ask('own', 0x5802))[1], "\n";
        my ($tap, $why) = ask('own'); print "own: $why\n";
        my %changes = (persist => 0x400454cb, owner => 0x400454cc, link => 0x400454cd, group => 0x400454ce,
            queue => 0x400454d9, carrier => 0x400454e2, filter => 0x400454d1, namespace => 0x54e3);
        for (sort keys %changes) { print "$_: ", errno(ioctl($tap, $changes{$_}, 1)), "\n"; }
        my $address = pack('a16sH12x16', 'own', 1, '02deadbeef01');
        print 'address: ', errno(ioctl($tap, 0x8924, $address)), "\n";
        print 'offload: ', errno(ioctl($tap, 0x400454d0, 7)), "\n";
        my $nothing = 'x'; print 'memory: ', errno(ioctl($tap, 0x400454ca, 1)), "\n";
        my @open = glob('/proc/self/fd/*'); print 'end ', scalar(@open), "\n";"#;
    let launch = with_taps(script, &["own"]);
    let started = host.guests().launch("d", &launch, &[own.as_fd()]).unwrap();
    assert_eq!(started.not_isolated, Vec::<String>::new());
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    let said = exit.console_tail.replace("\r\n", "\n");
    let denied = "Operation not permitted";
    let wanted = [
        ("foreign", "No such device"),
        ("new", "No such device"),
        ("nameless", "No such device"),
        ("long", "No such device"),
        ("plain", "Invalid argument"),
        ("persistent", "Invalid argument"),
        ("own", "ok"),
        ("persist", denied),
        ("owner", denied),
        ("link", denied),
        ("group", denied),
        ("queue", denied),
        ("carrier", denied),
        ("filter", denied),
        ("namespace", denied),
        ("address", denied),
        ("offload", "ok"),
        ("memory", "Bad address"),
    ];
    for (what, answer) in wanted {
        assert!(
            said.lines().any(|line| line == format!("{what}: {answer}")),
            "{what}: {said}"
        );
    }
    assert!(said.contains("end "), "{said}");
    host.guests().kill(other).unwrap();
}

#[test]
fn a_descriptor_that_is_not_the_tap_that_was_named_fails_the_start() {
    need!(can_net(), supervisor_kit::WHY_NO_NET);
    enter_network();
    let host = Host::new();
    let (right, plain) = (tap("right"), tap_with("plain", libc::IFF_TAP | libc::IFF_NO_PI));
    let null = std::fs::File::open("/dev/null").unwrap();
    for (name, fd, why) in [
        ("wrong", right.as_fd(), "it is that of 'right'"),
        ("plain", plain.as_fd(), "IFF_VNET_HDR"),
        ("null", null.as_fd(), "use the descriptor of tap 'null': "),
    ] {
        let error = host.guests().launch("d", &with_taps("", &[name]), &[fd]).unwrap_err();
        assert_eq!(error.code(), Code::SYSTEM_ERROR);
        assert!(error.to_string().contains(why), "{error}");
    }
    let error = host
        .guests()
        .launch("d", &with_taps("", &["right", "plain"]), &[right.as_fd()])
        .unwrap_err();
    assert_eq!(error.code(), Code::INVALID_ARG);
    assert!(error.to_string().contains("2 taps and only 1 descriptors"), "{error}");
    for (names, why) in [
        (&["a", "a"][..], "two links of the name 'a'"),
        (&["a/b"], "'a/b' can not be the name"),
    ] {
        let fds = vec![right.as_fd(); names.len()];
        let error = host.guests().launch("d", &with_taps("", names), &fds).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    assert_eq!(
        std::fs::read_dir(host.root.path().join("run/guests")).unwrap().count(),
        2
    );
}

#[test]
fn a_real_guest_has_its_interface_up_again_and_again_and_takes_large_frames() {
    need!(can_net() && supervisor_kit::can_boot(), supervisor_kit::WHY_NO_BOOT);
    enter_network();
    let host = Host::new();
    let own = tap("own");
    ip("addr add 10.9.0.1/24 dev own");
    ip("link set own up");
    // Without `gro` a stream from the host, whose frames come in one piece of up to 64 KiB, would never end.
    let server = std::net::TcpListener::bind("10.9.0.1:7000").unwrap();
    let content = vec![b'x'; 8 << 20];
    let sent = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        std::io::Write::write_all(&mut stream, &content).unwrap();
    });
    let script = "for i in $(seq 30); do ifconfig vec0 10.9.0.2 up || echo wrong: no interface $i; \
                  ping -c 1 -W 5 10.9.0.1 >/dev/null || echo wrong: no answer $i; ifconfig vec0 down; done; \
                  ifconfig vec0 10.9.0.2 up; mkfifo /open; exec 3<>/open; nc 10.9.0.1 7000 </open | wc -c; echo rounds done; poweroff -f";
    let mut spec = uml(host.root.path(), script);
    spec.argv
        .push("vec0:transport=tap,ifname=own,depth=64,gro=1,mac=52:54:00:00:00:01".to_owned());
    let launch = Launch {
        spec,
        links: vec![Link::Tap { name: "own".to_owned() }],
        ..Launch::default()
    };
    let guest = GuestId(host.guests().launch("d", &launch, &[own.as_fd()]).unwrap().guest);
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    let said = exit.console_tail.replace("\r\n", "\n");
    assert!(
        said.contains("8388608\nrounds done") && !said.contains("wrong: "),
        "{said}"
    );
    sent.join().unwrap();
}

/// The number of an open tap, for who can make none.
const LENT: &str = "LOCKSTEP_TEST_TAP";

#[test]
fn a_guest_of_an_ordinary_user_takes_the_tap_that_was_made_for_it() {
    let Some(number) = std::env::var_os(LENT) else { return };
    let host = Host::new();
    // SAFETY: the process that started this one left it open, and nobody else here knows of it.
    let lent = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(number.to_str().unwrap().parse().unwrap()) };
    let launch = with_taps(
        "print 'lent: ', (ask('lent'))[1], ' other: ', (ask('other'))[1], \"\\n\";",
        &["lent"],
    );
    let guest = GuestId(host.guests().launch("d", &launch, &[lent.as_fd()]).unwrap().guest);
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    assert!(exit.console_tail.contains("lent: ok other: No such device"), "{exit:?}");
}

#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    need!(can_net(), supervisor_kit::WHY_NO_NET);
    enter_network();
    // Open across the start of another program.
    let lent = rustix::io::dup(tap("lent")).unwrap();
    supervisor_kit::repeat_as_ordinary_user_with(&[(LENT, lent.as_raw_fd().to_string())]);
}
