//! A text with descriptors on a stream: how an order and what the guest is born with reach a supervisor.

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// What the kernel passes in one message (`SCM_MAX_FD`).
const MOST: usize = 253;
const SPACE: usize = rustix::cmsg_space!(ScmRights(253));

/// Writes `text`, the descriptors with its first byte.
///
/// # Errors
/// What the kernel says.
pub(super) fn send(mut stream: &UnixStream, text: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if descriptors.is_empty() {
        return stream.write_all(text);
    }
    let sent = put(stream, text, descriptors)?;
    stream.write_all(&text[sent..])
}

/// Sends one message, or as much of `text` as a stream takes, with descriptors.
///
/// # Errors
/// What the kernel says.
pub(super) fn put(socket: impl AsFd, text: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if descriptors.len() > MOST
        || !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors))
    {
        return Err(Errno::TOOBIG.into());
    }
    let sent = retry_on_intr(|| sendmsg(&socket, &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL))?;
    Ok(sent)
}

/// Reads to the end of the stream; the descriptors in the order in which they were sent.
///
/// # Errors
/// What the kernel says; `EMFILE` when descriptors were lost because this process may not have so many.
pub(super) fn receive(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let (mut text, mut descriptors) = (Vec::new(), Vec::new());
    let mut chunk = [0_u8; 16 * 1024];
    loop {
        let (count, more) = take(stream, &mut chunk)?;
        descriptors.extend(more);
        if count == 0 {
            return Ok((text, descriptors));
        }
        text.extend_from_slice(&chunk[..count]);
    }
}

/// Takes one message, or what a stream has, into `chunk`; its length, and the descriptors that came with it.
///
/// # Errors
/// As [`receive`].
pub(super) fn take(socket: impl AsFd, chunk: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = retry_on_intr(|| {
        recvmsg(
            &socket,
            &mut [IoSliceMut::new(&mut *chunk)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let mut descriptors = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = part {
            descriptors.extend(fds);
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(Errno::MFILE.into());
    }
    Ok((message.bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_descriptors_arrive_whole_and_in_order() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let files: Vec<std::fs::File> = (0..5)
            .map(|number| {
                let mut file = tempfile::tempfile().unwrap();
                write!(file, "{number}").unwrap();
                file
            })
            .collect();
        // Longer than the socket takes at once.
        let text: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_ne_bytes()[0]).collect();
        let sent = text.clone();
        let sender = std::thread::spawn(move || {
            let fds: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
            send(&ours, &sent, &fds).unwrap();
        });
        let (came, descriptors) = receive(&theirs).unwrap();
        sender.join().unwrap();
        assert!(came == text, "{} bytes came", came.len());
        assert_eq!(descriptors.len(), 5);
        for (number, fd) in descriptors.into_iter().enumerate() {
            let mut byte = [0];
            rustix::io::pread(&fd, &mut byte, 0).unwrap();
            assert_eq!(
                char::from(byte[0]),
                char::from_digit(u32::try_from(number).unwrap(), 10).unwrap()
            );
        }
    }
}
