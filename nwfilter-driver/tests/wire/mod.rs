//! A bridge of its own network namespace with a guest's port and an uplink, and frames sent through it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, which end by panic; not each test program needs all of them"
)]

use nwfilter_driver::simulate::Way;
use std::fs::File;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};

/// Ends the test early where it can not run, saying so; fails it where the runner has seen to every need.
macro_rules! need_root {
    () => {
        if !rustix::process::geteuid().is_root() {
            assert!(
                std::env::var_os("LOCKSTEP_NO_SKIP").is_none(),
                "not to be skipped: not root"
            );
            eprintln!("skipped: not root");
            return;
        }
    };
}
pub(crate) use need_root;

/// The port that filters are bound to.
pub(crate) const GUEST_PORT: &str = "guest0";
const UPLINK: &str = "uplink0";
const BRIDGE: &str = "bridge0";
/// The host's own address on the bridge.
pub(crate) const HOST_MAC: &str = "52:54:00:00:00:fd";
pub(crate) const HOST_V4: &str = "203.0.113.1";
pub(crate) const HOST_V6: &str = "2001:db8:ffff::1";

/// What the far side saw of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    Passed,
    /// The sender was told.
    Rejected,
    Nothing,
    /// The device did not take it.
    Refused,
}

/// Taps and sockets do their work within the system call, so what was sent is there to be read at once.
#[derive(Debug)]
pub(crate) struct Wire {
    guest: File,
    uplink: File,
    host: OwnedFd,
    conntrack: OwnedFd,
}

impl Wire {
    /// Runs with a wire in a namespace that ends with the closure.
    ///
    /// `neighbours` are the addresses that the host can send to, so that it can tell a sender of a rejection.
    pub(crate) fn with<T: Send>(neighbours: &[(IpAddr, String)], run: impl FnOnce(&mut Self) -> T + Send) -> T {
        let of_thread = || {
            // SAFETY: only this thread's namespace changes, and it opened nothing before.
            let unshared = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            assert_eq!(unshared, 0, "unshare: {}", std::io::Error::last_os_error());
            run(&mut Self::new(neighbours))
        };
        let result = std::thread::scope(|scope| scope.spawn(of_thread).join());
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn new(neighbours: &[(IpAddr, String)]) -> Self {
        let (guest, uplink) = (tap(GUEST_PORT), tap(UPLINK));
        let mut lines = vec![
            "link set lo up".to_owned(),
            format!("link add {BRIDGE} type bridge stp_state 0 ageing_time 0 mcast_snooping 0"),
            format!("link set {BRIDGE} address {HOST_MAC}"),
        ];
        for (port, last) in [(GUEST_PORT, "f1"), (UPLINK, "f2")] {
            lines.push(format!("link set {port} address fe:00:00:00:00:{last}"));
            lines.push(format!("link set {port} master {BRIDGE}"));
            lines.push(format!(
                "link set {port} type bridge_slave learning off flood on mcast_flood on"
            ));
        }
        ip(&lines);
        for device in [GUEST_PORT, UPLINK, BRIDGE] {
            sysctl(&format!("ipv6/conf/{device}/disable_ipv6"), u32::from(device != BRIDGE));
            sysctl(&format!("ipv6/conf/{device}/accept_dad"), 0);
            sysctl(&format!("ipv6/conf/{device}/accept_ra"), 0);
            sysctl(&format!("ipv6/conf/{device}/router_solicitations"), 0);
            sysctl(&format!("ipv4/conf/{device}/rp_filter"), 0);
        }
        for (name, value) in [
            ("ipv4/conf/all/rp_filter", 0),
            ("ipv4/icmp_ratelimit", 0),
            ("ipv6/icmp/ratelimit", 0),
            ("ipv4/ip_forward", 0),
            // As many messages of ICMP as there are packets, all at once.
            ("ipv4/icmp_msgs_per_sec", 1_000_000),
            ("ipv4/icmp_msgs_burst", 1_000_000),
            ("bridge/bridge-nf-call-iptables", 1),
            ("bridge/bridge-nf-call-ip6tables", 1),
            ("bridge/bridge-nf-call-arptables", 0),
        ] {
            sysctl(name, value);
        }
        let mut lines: Vec<String> = [GUEST_PORT, UPLINK, BRIDGE]
            .map(|device| format!("link set {device} up"))
            .to_vec();
        lines.push(format!("addr add {HOST_V4}/24 dev {BRIDGE}"));
        lines.push(format!("addr add {HOST_V6}/64 dev {BRIDGE} nodad"));
        lines.push(format!("route add default dev {BRIDGE}"));
        lines.push(format!("route add ::/0 dev {BRIDGE}"));
        for (address, mac) in neighbours {
            lines.push(format!(
                "neigh replace {address} lladdr {mac} dev {BRIDGE} nud permanent"
            ));
        }
        ip(&lines);
        // The host would tell senders itself that nobody listens; only filters shall.
        feed(
            "nft",
            &["-f", "-"],
            "table inet wire { chain input { type filter hook input priority 1000; policy drop; }; }",
        );
        let mut wire = Self {
            guest,
            uplink,
            host: packet_socket(),
            conntrack: socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER),
        };
        wire.received();
        wire
    }

    /// Sends a frame and looks where it came out.
    pub(crate) fn send(&mut self, way: Way, frame: &[u8]) -> Seen {
        self.received();
        let sent = match way {
            Way::Out | Way::ToHost => self.guest.write(frame).is_ok(),
            Way::In => self.uplink.write(frame).is_ok(),
            Way::FromHost => write(&self.host, frame),
        };
        if !sent {
            return Seen::Refused;
        }
        let received = self.received();
        let far = match way {
            Way::Out => &received.uplink,
            Way::In | Way::FromHost => &received.guest,
            Way::ToHost => &received.host,
        };
        if received
            .guest
            .iter()
            .chain(&received.uplink)
            .any(|answer| rejects(answer, frame))
        {
            return Seen::Rejected;
        }
        // The kernel's IP side takes off what stands behind the packet.
        let passed = |out: &Vec<u8>| {
            out == frame || out.len() >= 34 && frame.starts_with(out) && is_whole_ip(out) || is_untagged(out, frame)
        };
        match far.iter().any(passed) {
            true => Seen::Passed,
            false => Seen::Nothing,
        }
    }

    /// Forgets all connections of the namespace.
    pub(crate) fn forget_connections(&self) {
        const CTNETLINK_DELETE: u16 = 1 << 8 | 2;
        const REQUEST_ACK: u16 = 5;
        let mut message = Vec::new();
        message.extend(20_u32.to_ne_bytes());
        message.extend(CTNETLINK_DELETE.to_ne_bytes());
        message.extend(REQUEST_ACK.to_ne_bytes());
        message.extend([0; 12]);
        assert!(write(&self.conntrack, &message), "{}", std::io::Error::last_os_error());
        while read(&self.conntrack).is_some() {}
    }

    fn received(&mut self) -> Received {
        Received {
            guest: drain(&mut self.guest),
            uplink: drain(&mut self.uplink),
            host: std::iter::from_fn(|| read(&self.host)).collect(),
        }
    }
}

struct Received {
    guest: Vec<Vec<u8>>,
    uplink: Vec<Vec<u8>>,
    host: Vec<Vec<u8>>,
}

/// Whether a frame is another one without its tag, as the host is shown it.
fn is_untagged(out: &[u8], frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x81, 0]) && out.get(..12) == frame.get(..12) && out.get(12..) == frame.get(16..)
}

/// Whether a frame is exactly one IP packet, untagged.
fn is_whole_ip(frame: &[u8]) -> bool {
    let number = |at: usize| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
    match number(12) {
        0x0800 => frame.len() == 14 + number(16),
        0x86dd => frame.len() == 54 + number(18),
        _ => false,
    }
}

/// Whether a frame tells that another one was not delivered.
fn rejects(answer: &[u8], frame: &[u8]) -> bool {
    let Some(ether_type) = frame.get(12..14).filter(|_| answer.get(12..14) == frame.get(12..14)) else {
        return false;
    };
    let same = |inner: usize, bytes: std::ops::Range<usize>| {
        let shifted = bytes.start + inner..bytes.end + inner;
        frame
            .get(bytes.start + 14..bytes.end + 14)
            .is_some_and(|wanted| answer.get(shifted) == Some(wanted))
    };
    match ether_type {
        [0x08, 0x00] => answer.get(23) == Some(&1) && answer.get(34) == Some(&3) && same(42, 12..20) && same(42, 9..10),
        [0x86, 0xdd] => answer.get(20) == Some(&58) && answer.get(54) == Some(&1) && same(62, 8..40),
        _ => false,
    }
}

fn ip(lines: &[String]) {
    feed("ip", &["-force", "-batch", "-"], &(lines.join("\n") + "\n"));
}

/// Runs a program in the namespace of the thread.
fn feed(program: &str, arguments: &[&str], input: &str) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {text}");
}

/// What this kernel does not know of needs no setting.
fn sysctl(name: &str, value: u32) {
    let path = format!("/proc/sys/net/{name}");
    if std::path::Path::new(&path).exists() {
        std::fs::write(&path, value.to_string()).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

fn tap(name: &str) -> File {
    const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
    const TAP_WITHOUT_HEADER: [u8; 2] = 0x1002_u16.to_ne_bytes();
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags_nonblocking()
        .open("/dev/net/tun")
        .unwrap();
    let mut request = [0_u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    request[16..18].copy_from_slice(&TAP_WITHOUT_HEADER);
    // SAFETY: the request is as long as the kernel's, and outlives the call.
    let made = unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF, request.as_ptr()) };
    assert_eq!(made, 0, "tap {name}: {}", std::io::Error::last_os_error());
    file
}

trait Nonblocking {
    fn custom_flags_nonblocking(&mut self) -> &mut Self;
}

impl Nonblocking for std::fs::OpenOptions {
    fn custom_flags_nonblocking(&mut self) -> &mut Self {
        use std::os::unix::fs::OpenOptionsExt;
        self.custom_flags(libc::O_NONBLOCK)
    }
}

fn socket(family: i32, kind: i32, protocol: i32) -> OwnedFd {
    // SAFETY: makes a descriptor that nothing else owns.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, protocol) };
    assert!(fd >= 0, "socket: {}", std::io::Error::last_os_error());
    // SAFETY: as above.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The host's end of the bridge.
fn packet_socket() -> OwnedFd {
    let all = u16::try_from(libc::ETH_P_ALL).unwrap().to_be();
    let socket = socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(all));
    let name = std::ffi::CString::new(BRIDGE).unwrap();
    // SAFETY: the name ends in a null byte; the address is a plain structure of the right length.
    let bound = unsafe {
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
        address.sll_protocol = all;
        address.sll_ifindex = libc::if_nametoindex(name.as_ptr()).cast_signed();
        let len = u32::try_from(size_of_val(&address)).unwrap();
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len)
    };
    assert_eq!(bound, 0, "bind: {}", std::io::Error::last_os_error());
    socket
}

fn write(socket: &OwnedFd, bytes: &[u8]) -> bool {
    // SAFETY: the bytes outlive the call.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
    sent >= 0
}

fn read(socket: &OwnedFd) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 4096];
    // SAFETY: the buffer is as long as said and outlives the call.
    let len = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    buffer.truncate(usize::try_from(len).ok()?);
    Some(buffer)
}

fn drain(tap: &mut File) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(len) = tap.read(&mut buffer) {
        frames.push(buffer[..len].to_vec());
    }
    frames
}
