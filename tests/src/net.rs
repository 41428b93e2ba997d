//! A network of a case's own: a namespace with bridges and taps, whose frames the case sends and receives itself.

use crate::wait;
use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{Setter, ioctl};
use rustix::thread::UnshareFlags;
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// The network namespace that this process and all that it starts live in from now on.
#[derive(Debug)]
pub struct Net(());

impl Net {
    /// Leaves the machine's network for a new one with nothing but `lo`. For the first thread of a case's process, before
    /// there are others; the namespace is gone with the last process in it.
    ///
    /// # Panics
    /// When the kernel does not let us.
    #[must_use]
    pub fn unshare() -> Self {
        // SAFETY: the namespaces that are left have no descriptors or threads of ours that would be confused by it.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.expect("a network namespace");
        let net = Self(());
        net.ip("link set lo up");
        net
    }

    /// Runs `ip` with these words.
    ///
    /// # Panics
    /// When it fails.
    pub fn ip(&self, words: &str) {
        run("ip", &words.split(' ').collect::<Vec<_>>());
    }

    /// Makes a bridge that floods at once: no spanning tree, no learning, no snooping.
    pub fn bridge(&self, name: &str) {
        self.ip(&format!(
            "link add {name} type bridge stp_state 0 ageing_time 0 mcast_snooping 0"
        ));
        self.ip(&format!("link set {name} up"));
    }

    /// Makes a tap; with a bridge it is one of its ports.
    ///
    /// # Panics
    /// When the kernel has no taps.
    #[must_use]
    pub fn tap(&self, name: &str, bridge: Option<&str>) -> Tap {
        let tap = Tap::open(name);
        // The kernel's own IPv6 would send frames of its own through the port.
        let quiet = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
        fs::write(quiet, "1").expect("a port can be silenced");
        if let Some(bridge) = bridge {
            self.ip(&format!("link set {name} master {bridge}"));
            self.ip(&format!(
                "link set {name} type bridge_slave learning off flood on mcast_flood on"
            ));
        }
        self.ip(&format!("link set {name} up"));
        if bridge.is_some() {
            // The kernel looks at a new carrier when it has time for it.
            let forwards = || {
                let shown = Command::new("bridge").args(["link", "show", "dev", name]).output();
                let shown = String::from_utf8_lossy(&shown.ok()?.stdout).into_owned();
                shown.contains("state forwarding").then_some(())
            };
            wait::until("the bridge forwards to a new port", forwards);
        }
        tap
    }

    /// All that nf_tables has in this namespace, as text.
    #[must_use]
    pub fn ruleset(&self) -> String {
        let output = Command::new("nft")
            .args(["list", "ruleset"])
            .output()
            .expect("nft runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs nft commands.
    ///
    /// # Panics
    /// When nft refuses them.
    pub fn nft(&self, commands: &str) {
        let mut nft = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("nft runs");
        let mut stdin = nft.stdin.take().expect("a pipe");
        stdin.write_all(commands.as_bytes()).expect("nft reads");
        drop(stdin);
        assert!(nft.wait().expect("nft ends").success(), "nft refused {commands}");
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
}

/// The far end of a tap: what a guest, or the rest of the network, sends and gets.
///
/// A frame that is sent has passed the bridge and all filters when [`Tap::send`] returns.
#[derive(Debug)]
pub struct Tap(OwnedFd);

#[repr(C)]
struct IfReq {
    name: [u8; 16],
    flags: u16,
    _rest: [u8; 22],
}

impl Tap {
    /// Makes the device; it is gone when this is dropped.
    fn open(name: &str) -> Self {
        const TUNSETIFF: u32 = 0x4004_54ca;
        const TAP_WITHOUT_HEADER: u16 = 0x1002;
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open("/dev/net/tun", flags, Mode::empty()).expect("the machine has taps");
        let mut request = IfReq {
            name: [0; 16],
            flags: TAP_WITHOUT_HEADER,
            _rest: [0; 22],
        };
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        // SAFETY: the number and the structure are those of linux/if_tun.h and linux/if.h.
        unsafe { ioctl(&fd, Setter::<TUNSETIFF, IfReq>::new(request)) }.expect("a tap");
        Self(fd)
    }

    /// The same end once more, for another thread.
    ///
    /// # Panics
    /// When there are no more descriptors.
    #[must_use]
    pub fn share(&self) -> Self {
        Self(self.0.try_clone().expect("a descriptor"))
    }

    /// Sends a frame into the network.
    ///
    /// # Panics
    /// When the kernel refuses it.
    pub fn send(&self, frame: &[u8]) {
        let sent = rustix::io::write(&self.0, frame).expect("a frame is taken");
        assert_eq!(sent, frame.len());
    }

    /// The next frame that has come out of the network, if there is one.
    #[must_use]
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut frame = vec![0; 65536];
        let len = rustix::io::read(&self.0, &mut frame[..]).ok()?;
        frame.truncate(len);
        Some(frame)
    }

    /// Whether this very frame is among those that have come out; all others that wait are thrown away.
    #[must_use]
    pub fn got(&self, frame: &[u8]) -> bool {
        let mut found = false;
        while let Some(next) = self.receive() {
            found |= next == frame;
        }
        found
    }
}

/// An Ethernet frame from its addresses, type and payload. Not filled up: a bridge that looks into IP packets takes the
/// filling off again.
#[must_use]
pub fn frame(to: [u8; 6], from: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes(), payload].concat()
}

/// An IPv4 packet of UDP; checksums are right.
#[must_use]
pub fn udp(from: ([u8; 4], u16), to: ([u8; 4], u16), data: &[u8]) -> Vec<u8> {
    let len = |extra: usize| u16::try_from(data.len() + extra).expect("a short packet").to_be_bytes();
    let mut header = [&[0x45, 0][..], &len(28), &[0, 1, 0, 0, 64, 17, 0, 0], &from.0, &to.0].concat();
    let sum = header
        .chunks(2)
        .map(|b| u32::from(b[0]) << 8 | u32::from(b[1]))
        .sum::<u32>();
    let sum = !((sum & 0xffff) + (sum >> 16)) & 0xffff;
    header[10..12].copy_from_slice(&sum.to_be_bytes()[2..]);
    // No checksum of UDP's own, which IPv4 allows.
    [
        &header[..],
        &from.1.to_be_bytes(),
        &to.1.to_be_bytes(),
        &len(8),
        &[0, 0],
        data,
    ]
    .concat()
}
