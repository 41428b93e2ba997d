//! Learning's only unsafe code: what packet sockets need and rustix has not.

use super::bpf::Insn;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `AF_PACKET`, in the width of its field.
const PACKET: libc::sa_family_t = 17;

/// `ETH_P_ALL`, all protocols, in network order: only such a socket sees frames before a bridge takes them.
const ALL: u16 = 3_u16.to_be();

/// Puts a filter on a socket, in the place of the one that it has.
///
/// # Errors
/// The kernel refuses the program, or has no memory for it.
pub(super) fn attach_filter(socket: BorrowedFd<'_>, program: &[Insn]) -> io::Result<()> {
    let mut filter: Vec<libc::sock_filter> = program
        .iter()
        .map(|insn| libc::sock_filter {
            code: insn.code,
            jt: insn.yes,
            jf: insn.no,
            k: insn.k,
        })
        .collect();
    let len = u16::try_from(filter.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog {
        len,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: `program` is a whole sock_fprog whose pointer and length are those of the living vector `filter`; the
    // kernel copies both and keeps no pointer.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_u32::<libc::sock_fprog>(),
        )
    };
    checked(done)
}

/// Begins to receive all frames of one device, both ways.
///
/// # Errors
/// There is no device of this number any more.
pub(super) fn bind(socket: BorrowedFd<'_>, device: u32) -> io::Result<()> {
    // SAFETY: all fields of sockaddr_ll are integers or arrays of them, for which zero is valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = PACKET;
    address.sll_protocol = ALL;
    address.sll_ifindex = i32::try_from(device).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the pointer and length are those of `address`, a sockaddr_ll; the kernel only reads it.
    let done = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_u32::<libc::sockaddr_ll>(),
        )
    };
    checked(done)
}

/// Takes a frame without waiting: its length in `buffer`, and whether it is going out by the device.
///
/// # Errors
/// `WouldBlock` if there is none, ENETDOWN once after the device went down.
pub(super) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
    // SAFETY: as in `bind`.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut size = size_of_u32::<libc::sockaddr_ll>();
    // SAFETY: the buffer's pointer and length are those of a living slice that nobody else sees; `address` and `size`
    // are valid for writing, and `size` says how long `address` is.
    let length = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
            (&raw mut address).cast(),
            &raw mut size,
        )
    };
    match usize::try_from(length) {
        Ok(length) => Ok((length, address.sll_pkttype == libc::PACKET_OUTGOING)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a C struct of a few bytes")]
const fn size_of_u32<T>() -> u32 {
    size_of::<T>() as u32
}

fn checked(done: libc::c_int) -> io::Result<()> {
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
