//! The driver's only unsafe code: the requests by which a tap is made and set up, all of which take a `struct ifreq`.
#![allow(unsafe_code, reason = "ioctl has no safe form")]

use crate::def::Mac;
use rustix::fs::{Mode, OFlags, open};
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// `IFF_TAP`, `IFF_NO_PI` and `IFF_VNET_HDR`, which QEMU makes use of, and `IFF_TUN_EXCL`: no device that exists already.
const NEW_TAP: u16 = 0x0002 | 0x1000 | 0x4000 | 0x8000;
/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;
/// `IFF_UP`.
const UP: u16 = 1;

const TUNSETIFF: Opcode = opcode::write::<i32>(b'T', 202);
const SIOCGIFFLAGS: Opcode = 0x8913;
const SIOCSIFFLAGS: Opcode = 0x8914;
const SIOCSIFHWADDR: Opcode = 0x8924;
const SIOCGIFINDEX: Opcode = 0x8933;
const SIOCBRADDIF: Opcode = 0x89a2;

/// `struct ifreq`: 40 bytes on every 64-bit machine.
#[repr(C)]
struct Request {
    name: [u8; 16],
    value: [u8; 24],
}

impl Request {
    fn new(name: &str) -> io::Result<Self> {
        let mut request = Self { name: [0; 16], value: [0; 24] };
        // The last byte stays zero.
        let place = request.name[..15].get_mut(..name.len()).ok_or(io::ErrorKind::InvalidInput)?;
        place.copy_from_slice(name.as_bytes());
        Ok(request)
    }

    fn with(mut self, value: &[u8]) -> Self {
        self.value[..value.len()].copy_from_slice(value);
        self
    }
}

fn ask<const OPCODE: Opcode>(fd: impl AsFd, request: &mut Request) -> io::Result<()> {
    // SAFETY: each of the requests above reads or writes one `struct ifreq` and nothing else.
    Ok(unsafe { ioctl(fd, Updater::<OPCODE, Request>::new(request)) }?)
}

/// Makes a tap of this name, which goes when the last copy of the descriptor is closed.
///
/// # Errors
/// What the kernel says: `EBUSY` when there is a device of this name.
pub(crate) fn make_tap(name: &str) -> io::Result<OwnedFd> {
    let tap = open("/dev/net/tun", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    ask::<TUNSETIFF>(&tap, &mut Request::new(name)?.with(&NEW_TAP.to_ne_bytes()))?;
    Ok(tap)
}

/// Gives a device another address.
///
/// # Errors
/// What the kernel says.
pub(crate) fn set_address(name: &str, mac: Mac) -> io::Result<()> {
    let mut value = [0; 8];
    value[..2].copy_from_slice(&ETHERNET.to_ne_bytes());
    value[2..].copy_from_slice(&mac.0);
    ask::<SIOCSIFHWADDR>(socket()?, &mut Request::new(name)?.with(&value))
}

/// Makes a device a port of a bridge.
///
/// # Errors
/// What the kernel says: `ENODEV` when there is no such bridge, `EOPNOTSUPP` when it is none.
pub(crate) fn join(bridge: &str, name: &str) -> io::Result<()> {
    let socket = socket()?;
    let mut index = Request::new(name)?;
    ask::<SIOCGIFINDEX>(&socket, &mut index)?;
    ask::<SIOCBRADDIF>(&socket, &mut Request::new(bridge)?.with(&index.value))
}

/// Switches a device on.
///
/// # Errors
/// What the kernel says.
pub(crate) fn switch_on(name: &str) -> io::Result<()> {
    let socket = socket()?;
    let mut flags = Request::new(name)?;
    ask::<SIOCGIFFLAGS>(&socket, &mut flags)?;
    let now = u16::from_ne_bytes([flags.value[0], flags.value[1]]);
    ask::<SIOCSIFFLAGS>(&socket, &mut Request::new(name)?.with(&(now | UP).to_ne_bytes()))
}

fn socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}
