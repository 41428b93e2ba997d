//! `Kernel`: taps and bridges of the network namespace that the host runs in.

use super::message::{Answer, GET_LINK, Link, NEW_LINK, Request, answers};
use super::{Network, host_side, tap};
use crate::core::fault;
use crate::plan::Nic;
use driver_api::error::{Code, Result};
use rustix::io::{Errno, retry_on_intr};

use rustix::net::sockopt::set_socket_timeout;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink, recv, sendto, socket_with,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The kernel answers at once; it may have to wait for others who change its network.
const DEADLINE: Duration = Duration::from_secs(10);
/// More than the kernel tells of one link.
const DATAGRAM: usize = 32 * 1024;

/// The running kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;

impl Network for Kernel {
    fn check(&self, nic: &Nic) -> Result<()> {
        match &nic.bridge {
            Some(name) => bridge(name, nic).map(drop),
            None => Ok(()),
        }
    }

    fn make(&self, name: &str, nic: &Nic) -> Result<Option<OwnedFd>> {
        let wrong = |step: &str, cause: io::Error| {
            let remedy = match cause.kind() {
                io::ErrorKind::PermissionDenied => ": only a host with the right to change the network makes taps",
                io::ErrorKind::NotFound => ": the host's kernel needs /dev/net/tun",
                _ => "",
            };
            let message = format!("cannot {step} the tap '{name}' of interface '{}'{remedy}", nic.mac);
            fault(Code::SYSTEM_ERROR, message).because(cause)
        };
        let Some(tap) = tap::make(name).map_err(|e| wrong("make", e))? else {
            return Ok(None);
        };
        let mtu = match (&nic.bridge, nic.mtu) {
            // A port with a smaller MTU would lower that of its bridge.
            (Some(name), None) => Some(bridge(name, nic)?.mtu),
            (_, mtu) => mtu,
        };
        if nic.bridge.is_some() {
            mute_ipv6(name);
        }
        // A bridge takes the lowest address of its ports for its own, so it is set before there is a bridge.
        let prepared = link(name).and_then(|link| {
            let order = Request::new(NEW_LINK, link.index).address(host_side(nic.mac).bytes());
            change(match mtu {
                Some(mtu) => order.mtu(mtu),
                None => order,
            })
        });
        prepared.map_err(|e| wrong("set up", e))?;
        Ok(Some(tap))
    }

    fn connect(&self, name: &str, nic: &Nic) -> Result<()> {
        let index = link(name).map(|link| link.index);
        let wrong = |what: &str, cause: io::Error| {
            let message = format!("cannot {what} the tap '{name}' of interface '{}'", nic.mac);
            fault(Code::SYSTEM_ERROR, message).because(cause)
        };
        let index = index.map_err(|e| wrong("find", e))?;
        if let Some(master) = &nic.bridge {
            let order = Request::new(NEW_LINK, index).master(bridge(master, nic)?.index);
            change(order).map_err(|e| wrong(&format!("attach to bridge '{master}'"), e))?;
        }
        if nic.up {
            change(Request::new(NEW_LINK, index).up()).map_err(|e| wrong("switch on", e))?;
        }
        Ok(())
    }
}

/// The bridge of an interface.
fn bridge(name: &str, nic: &Nic) -> Result<Link> {
    let found = link(name).map_err(|cause| {
        let remedy = if is_missing(&cause) { ": make it first" } else { "" };
        let message = format!("cannot find the bridge '{name}' of interface '{}'{remedy}", nic.mac);
        fault(Code::SYSTEM_ERROR, message).because(cause)
    })?;
    if found.kind == "bridge" {
        return Ok(found);
    }
    let message = format!(
        "device '{name}', to which interface '{}' is to be attached, is no bridge",
        nic.mac
    );
    Err(fault(Code::CONFIG_UNSUPPORTED, message))
}

/// The host's own network stack has no business on a port of a bridge: no address, and nothing said to the guest.
fn mute_ipv6(name: &str) {
    let path = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
    if let Err(error) = std::fs::write(path, "1")
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(device = name, %error, "the host may speak IPv6 on the tap");
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NODEV.raw_os_error())
}

fn link(name: &str) -> io::Result<Link> {
    ask(Request::new(GET_LINK, 0).name(name))?.ok_or_else(|| io::Error::other("the kernel tells nothing of it"))
}

fn change(order: Request) -> io::Result<()> {
    ask(order).map(drop)
}

/// Says one thing to the kernel and hears its answer to the end, on a socket of its own.
fn ask(request: Request) -> io::Result<Option<Link>> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // The kernel's protocol 0 is `NETLINK_ROUTE`.
        None,
    )?;
    set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, Some(DEADLINE))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &request.bytes(), SendFlags::empty(), &kernel)?;
    let mut told = None;
    let mut datagram = vec![0; DATAGRAM];
    loop {
        let (count, _) = retry_on_intr(|| recv(&socket, &mut datagram[..], RecvFlags::empty()))?;
        for answer in answers(&datagram[..count]) {
            match answer {
                Answer::Link(link) => told = Some(link),
                Answer::Done(Ok(())) => return Ok(told),
                Answer::Done(Err(errno)) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }
}
