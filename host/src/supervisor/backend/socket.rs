//! Sockets of the host that consoles lead to: made, bound, called.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with, sockopt,
};
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// A socket of the file system, removed with this value unless another has taken its place.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) socket: OwnedFd,
    folder: OwnedFd,
    name: OsString,
    stat: Stat,
}

impl Drop for Bound {
    fn drop(&mut self) {
        let now = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        if now.is_ok_and(|now| (now.st_dev, now.st_ino) == (self.stat.st_dev, self.stat.st_ino)) {
            let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// Listens at a path; a socket there that nobody listens at any more gives way.
pub(super) fn listen_at(path: &Path) -> io::Result<Bound> {
    let (folder, name) = folder_of(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    let address = address_in(&folder, &name)?;
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) if is_left(&folder, &name, &address) => {
            rustix::fs::unlinkat(&folder, &name, AtFlags::empty())?;
            bind(&socket, &address)?;
        }
        other => other?,
    }
    let stat = rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
    let bound = Bound {
        socket,
        folder,
        name,
        stat,
    };
    // One that waits beside the one that is served.
    listen(&bound.socket, 1)?;
    Ok(bound)
}

/// Whether it is a socket without a listener, what a process that was killed leaves.
fn is_left(folder: &OwnedFd, name: &OsStr, address: &SocketAddrUnix) -> bool {
    let socket = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_socket());
    let probe = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None);
    socket && probe.is_ok_and(|probe| connect(&probe, address) == Err(Errno::CONNREFUSED))
}

/// Calls the socket at a path.
pub(super) fn call_at(path: &Path) -> io::Result<OwnedFd> {
    let (folder, name) = folder_of(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    connect(&socket, &address_in(&folder, &name)?)?;
    Ok(socket)
}

fn folder_of(path: &Path) -> io::Result<(OwnedFd, OsString)> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::INVAL.into());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok((rustix::fs::openat(CWD, folder, flags, Mode::empty())?, name.to_owned()))
}

/// Short however long the folder's path is.
fn address_in(folder: &OwnedFd, name: &OsStr) -> io::Result<SocketAddrUnix> {
    let mut path = OsString::from(format!("/proc/self/fd/{}/", folder.as_raw_fd()));
    path.push(name);
    Ok(SocketAddrUnix::new(path)?)
}

fn family(address: &SocketAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    }
}

/// Listens at exactly this address.
pub(super) fn listen_on(address: &SocketAddr) -> io::Result<OwnedFd> {
    let socket = socket_with(family(address), SocketType::STREAM, FLAGS, None)?;
    // Connections of a guest that has just ended must not keep the next one from its address.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, address)?;
    listen(&socket, 1)?;
    Ok(socket)
}

/// Begins a call; it is through when the socket becomes writable.
pub(super) fn call(address: &SocketAddr) -> io::Result<OwnedFd> {
    let socket = socket_with(family(address), SocketType::STREAM, FLAGS, None)?;
    prepare(&socket);
    match connect(&socket, address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(e) => Err(e.into()),
    }
}

/// Takes the next connection.
pub(super) fn accept(listener: &OwnedFd) -> io::Result<OwnedFd> {
    let socket = accept_with(listener, FLAGS)?;
    prepare(&socket);
    Ok(socket)
}

/// For TCP: keys are sent at once, and a peer that vanished is noticed some time. Others have no such options.
fn prepare(socket: &OwnedFd) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
    let _ = sockopt::set_socket_keepalive(socket, true);
}

/// A socket for datagrams between two addresses; without a peer it only receives.
pub(super) fn datagrams(local: Option<&SocketAddr>, remote: Option<&SocketAddr>) -> io::Result<OwnedFd> {
    let Some(any) = local.or(remote) else {
        return Err(Errno::INVAL.into());
    };
    let socket = socket_with(family(any), SocketType::DGRAM, FLAGS, None)?;
    if let Some(local) = local {
        bind(&socket, local)?;
    }
    if let Some(remote) = remote {
        connect(&socket, remote)?;
    }
    Ok(socket)
}
