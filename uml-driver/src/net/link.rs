//! `Kernel`: taps and bridges of the network namespace that the host runs in.

use super::message::{Answer, DELETE_LINK, GET_LINK, Link, NEW_LINK, Request, answers};
use super::{Counters, Neighbour, Network, host_side, neighbour, shape, tap};
use crate::core::fault;
use crate::def::interface::Mac;
use crate::def::shaping::Shaping;
use crate::plan::{Nic, Way};
use driver_api::error::{Code, Result};
use rustix::io::{Errno, retry_on_intr};

use rustix::net::sockopt::set_socket_timeout;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink, recv, sendto, socket_with,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The kernel answers at once; it may have to wait for others who change its network.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long the kernel may take to see that a carrier is gone, and how often it is looked at.
const NOTICED: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// More than the kernel tells of one link.
const DATAGRAM: usize = 32 * 1024;

/// The running kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;

impl Network for Kernel {
    fn check(&self, nic: &Nic) -> Result<()> {
        match (&nic.bridge, &nic.device) {
            (Some(name), _) => bridge(name, nic).map(drop),
            (None, Some(name)) if nic.way == Way::ForeignTap => foreign(name, nic),
            _ => Ok(()),
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
        let Some(tap) = tap::make(name, nic.offload).map_err(|e| wrong("make", e))? else {
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
        if nic.shaping.is_some() {
            self.shape(name, nic.mac, &nic.shaping)?;
        }
        Ok(Some(tap))
    }

    fn adopt(&self, name: &str, nic: &Nic) -> Result<OwnedFd> {
        foreign(name, nic)?;
        tap::adopt(name, nic.offload).map_err(|cause| {
            let remedy = match cause.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::BUSY) => ": another program has it",
                Some(Errno::INVAL) => ": it must be a tap with one queue ('ip tuntap add NAME mode tap')",
                Some(Errno::PERM) => ": it belongs to another user",
                _ => "",
            };
            let message = format!("cannot open the tap '{name}' of interface '{}'{remedy}", nic.mac);
            fault(Code::SYSTEM_ERROR, message).because(cause)
        })
    }

    fn shape(&self, name: &str, mac: Mac, shaping: &Shaping) -> Result<()> {
        let index = link(name).map(|link| link.index).map_err(|cause| {
            let message = format!("cannot find the device '{name}' of interface '{mac}', which is to be limited");
            fault(Code::SYSTEM_ERROR, message).because(cause)
        })?;
        let inbound = shape::inbound(index, shaping.inbound)
            .into_iter()
            .map(|step| (true, step));
        let outbound = shape::outbound(index, shaping.outbound)
            .into_iter()
            .map(|step| (false, step));
        for (inbound, step) in inbound.chain(outbound) {
            let Err(cause) = change(step.order) else { continue };
            let errno = cause.raw_os_error();
            if errno.is_some_and(|errno| step.harmless.contains(&errno)) {
                continue;
            }
            let (code, remedy) = shape::refusal(inbound, errno);
            let way = if inbound { "inbound" } else { "outbound" };
            let message = format!("the host cannot limit <{way}> of interface '{mac}' at '{name}'{remedy}");
            return Err(fault(code, message).because(cause));
        }
        Ok(())
    }

    fn connect(&self, name: &str, nic: &Nic) -> Result<()> {
        let index = link(name).map(|link| link.index);
        let wrong = |what: &str, cause: io::Error| {
            let message = format!("cannot {what} the tap '{name}' of interface '{}'", nic.mac);
            fault(Code::SYSTEM_ERROR, message).because(cause)
        };
        let index = index.map_err(|e| wrong("find", e))?;
        // A guest that writes to a tap that is switched off gets an error, after which UML gives the device up; without a cable
        // the frames go nowhere. It is pulled before the tap is attached, and plugged in after that.
        let cable = |on: bool| {
            let what = if on {
                "plug the cable into"
            } else {
                "pull the cable from"
            };
            change(Request::new(NEW_LINK, index).carrier(on)).map_err(|e| wrong(what, e))
        };
        if !nic.up {
            cable(false)?;
            until_noticed(name).map_err(|e| wrong("see the end of the carrier of", e))?;
        }
        if let Some(master) = &nic.bridge {
            let bridge = bridge(master, nic)?;
            let mut order = Request::new(NEW_LINK, index).master(bridge.index);
            if nic.mtu.is_none() {
                // It may come from a bridge with another one.
                order = order.mtu(bridge.mtu);
            }
            change(order).map_err(|e| wrong(&format!("attach to bridge '{master}'"), e))?;
        }
        change(Request::new(NEW_LINK, index).up()).map_err(|e| wrong("switch on", e))?;
        if nic.up { cable(true) } else { Ok(()) }
    }

    fn remove(&self, name: &str) -> Result<()> {
        match change(Request::new(DELETE_LINK, 0).name(name)) {
            Err(cause) if !is_missing(&cause) => {
                let message = format!("cannot remove the tap '{name}'");
                Err(fault(Code::SYSTEM_ERROR, message).because(cause))
            }
            _ => Ok(()),
        }
    }

    fn counters(&self, name: &str) -> io::Result<Counters> {
        link(name).map(|link| link.counters)
    }

    fn neighbours(&self) -> io::Result<Vec<Neighbour>> {
        let socket = open()?;
        let mut found = Vec::new();
        let mut datagram = vec![0; DATAGRAM];
        for family in neighbour::FAMILIES {
            say(&socket, &neighbour::question(family))?;
            while !neighbour::read(hear(&socket, &mut datagram)?, &mut found) {}
        }
        Ok(found)
    }
}

/// Whether there is a tap of that name.
fn foreign(name: &str, nic: &Nic) -> Result<()> {
    let found = link(name).map_err(|cause| {
        let remedy = if is_missing(&cause) {
            ": make it first, or leave out managed='no'"
        } else {
            ""
        };
        let message = format!("cannot find the tap '{name}' of interface '{}'{remedy}", nic.mac);
        fault(Code::SYSTEM_ERROR, message).because(cause)
    })?;
    if found.kind == "tun" {
        return Ok(());
    }
    let message = format!("device '{name}' of interface '{}' is no tap", nic.mac);
    Err(fault(Code::CONFIG_UNSUPPORTED, message))
}

/// The bridge of an interface.
fn bridge(name: &str, nic: &Nic) -> Result<Link> {
    let found = link(name).map_err(|cause| {
        if let Some(network) = nic.network.as_ref().filter(|_| is_missing(&cause)) {
            let message = format!(
                "interface '{}' is to be in network '{network}', and there is no bridge '{name}': virtual networks are not \
                 managed here, make a bridge of that name or use type 'bridge'",
                nic.mac
            );
            return fault(Code::CONFIG_UNSUPPORTED, message).because(cause);
        }
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

/// Waits until everybody knows that a device has lost its carrier: older kernels tell its bridge up to a second later.
fn until_noticed(name: &str) -> io::Result<()> {
    let deadline = Instant::now() + NOTICED;
    // One that is not switched on is no port that carries anything.
    while !link(name)?.is_down {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
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
    let socket = open()?;
    say(&socket, &request.bytes())?;
    let mut told = None;
    let mut datagram = vec![0; DATAGRAM];
    loop {
        for answer in answers(hear(&socket, &mut datagram)?) {
            match answer {
                Answer::Link(link) => told = Some(link),
                Answer::Done(Ok(())) => return Ok(told),
                Answer::Done(Err(errno)) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }
}

fn open() -> io::Result<OwnedFd> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // The kernel's protocol 0 is `NETLINK_ROUTE`.
        None,
    )?;
    set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, Some(DEADLINE))?;
    Ok(socket)
}

fn say(socket: &OwnedFd, message: &[u8]) -> io::Result<()> {
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(socket, message, SendFlags::empty(), &kernel)?;
    Ok(())
}

fn hear<'a>(socket: &OwnedFd, datagram: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let (count, _) = retry_on_intr(|| recv(socket, &mut *datagram, RecvFlags::empty()))?;
    Ok(&datagram[..count])
}
