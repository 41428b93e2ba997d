//! IP sets (of the tool `ipset`), which old xtables matches can ask: the kernel knows them by number.

use super::socket::Socket;
use std::io;

const SUBSYSTEM: u16 = 6;
const GET_BY_NAME: u16 = 14;
const PROTOCOL: u8 = 7;
const ATTRIBUTE_PROTOCOL: u16 = 1;
const ATTRIBUTE_NAME: u16 = 2;
const ATTRIBUTE_INDEX: u16 = 11;

/// The number of the set of that name; `None` if there is none, or the kernel has no IP sets at all.
///
/// # Errors
/// The kernel can not be asked.
pub fn index(socket: &mut Socket, name: &str) -> io::Result<Option<u16>> {
    let found = socket.exchange(
        (SUBSYSTEM << 8) | GET_BY_NAME,
        |w| {
            w.bytes_of(ATTRIBUTE_PROTOCOL, &[PROTOCOL]);
            w.text(ATTRIBUTE_NAME, name);
        },
        |message| {
            let index = message.attributes().get(ATTRIBUTE_INDEX)?;
            index.first_chunk().copied().map(u16::from_be_bytes)
        },
    );
    match found {
        Ok(found) => Ok(found.into_iter().next()),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) => Ok(None),
        Err(error) => Err(error),
    }
}
