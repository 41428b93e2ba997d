//! `Taps`: the taps that a guest may take, each by its name, as often as it likes, and the answers to its requests.

use super::super::order::{Failure, Step};
use super::sys::{self, Asked};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// The longest name of a network device.
pub(in super::super) const NAME: usize = 15;
/// What the guest's kernel asks for, and what the host's descriptor therefore has to be.
const FLAGS: u16 = 0x0002 | 0x1000 | 0x4000;
/// Frames that a tap keeps while nobody reads it; its queue is shorter unless somebody changed that.
const STALE: usize = 4096;

#[derive(Debug)]
struct Tap {
    name: String,
    fd: OwnedFd,
}

/// The taps of one guest. It holds no right to any device: its requests for one come here, and are answered with a copy of
/// a descriptor that the host opened.
#[derive(Debug, Default)]
pub(in super::super) struct Taps {
    /// Where the guest's requests wait; `None` without a kernel that can do that, and when no process is left to ask.
    listener: Option<OwnedFd>,
    taps: Vec<Tap>,
}

impl Taps {
    /// Requests come from here from now on.
    pub(in super::super) fn listen(&mut self, listener: Option<OwnedFd>) {
        self.listener = listener;
    }

    pub(in super::super) fn listener(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(AsFd::as_fd)
    }

    pub(in super::super) fn has(&self, name: &str) -> bool {
        self.taps.iter().any(|tap| tap.name == name)
    }

    /// Lets the guest take the tap that is open in `fd`.
    ///
    /// # Errors
    /// When it is not the tap that it is said to be, or not open in the way in which the guest will use it.
    pub(in super::super) fn add(&mut self, name: &str, fd: OwnedFd) -> Result<(), Failure> {
        let (real, flags) = sys::tap(fd.as_fd()).step(|| format!("use the descriptor of tap '{name}'"))?;
        if real != name.as_bytes() {
            return Err(Failure::new(format!(
                "use the descriptor of tap '{name}': it is that of '{}'",
                String::from_utf8_lossy(&real)
            )));
        }
        if flags & FLAGS != FLAGS {
            return Err(Failure::new(format!(
                "use the descriptor of tap '{name}': it was not opened with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR"
            )));
        }
        // The guest would set this, which all copies share; until then frames are thrown away through it.
        rustix::io::ioctl_fionbio(&fd, true).step(|| format!("set up tap '{name}'"))?;
        self.taps.push(Tap {
            name: name.to_owned(),
            fd,
        });
        Ok(())
    }

    /// Gives the tap up; `false` when there is none of this name.
    pub(in super::super) fn remove(&mut self, name: &str) -> bool {
        let before = self.taps.len();
        self.taps.retain(|tap| tap.name != name);
        self.taps.len() != before
    }

    /// Answers one request; to be called when [`Taps::listener`] is readable.
    pub(in super::super) fn serve(&mut self) {
        let Some(listener) = self.listener() else { return };
        let Ok(asked) = sys::receive(listener) else { return };
        let errno = self.decide(listener, asked).err().unwrap_or(0);
        // Whoever does not wait any more needs no answer.
        let _ = sys::answer(listener, asked.id, errno);
    }

    fn decide(&self, listener: BorrowedFd<'_>, asked: Asked) -> Result<(), i32> {
        let [number, _, argument, ..] = asked.args;
        let mut request = [0_u8; 40];
        File::open(format!("/proc/{}/mem", asked.pid))
            .and_then(|memory| memory.read_exact_at(&mut request, argument))
            .map_err(|_| libc::EFAULT)?;
        if !sys::waits(listener, asked.id) {
            return Err(libc::ENOENT);
        }
        let (name, flags) = parse(&request);
        let tap = self.taps.iter().find(|tap| tap.name.as_bytes() == name);
        let tap = tap.ok_or(libc::ENODEV)?;
        if flags != FLAGS {
            return Err(libc::EINVAL);
        }
        let number = u32::try_from(number).map_err(|_| libc::EBADF)?;
        tap.forget_frames();
        sys::give(listener, asked.id, tap.fd.as_fd(), number).map_err(|e| e.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl Tap {
    /// Throws away what arrived while the guest's interface was down, as a network card would.
    fn forget_frames(&self) {
        let mut beginning = [0_u8; 64];
        for _ in 0..STALE {
            if rustix::io::read(&self.fd, &mut beginning) == Err(rustix::io::Errno::AGAIN) {
                return;
            }
        }
    }
}

/// The name and the flags in a `struct ifreq`.
pub(super) fn parse(request: &[u8; 40]) -> (&[u8], u16) {
    let name = &request[..=NAME];
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    (&name[..end], u16::from_ne_bytes([request[16], request[17]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_name_and_flags() {
        let mut request = [0_u8; 40];
        request[..5].copy_from_slice(b"vnet0");
        request[16..18].copy_from_slice(&0x5002_u16.to_ne_bytes());
        assert_eq!(parse(&request), (&b"vnet0"[..], 0x5002));
        request[..16].fill(b'x');
        assert_eq!(parse(&request).0, b"xxxxxxxxxxxxxxxx");
        assert_eq!(parse(&[0; 40]), (&b""[..], 0));
    }

    #[test]
    fn what_is_no_tap_is_refused_by_name() {
        let null = File::open("/dev/null").unwrap();
        let failure = Taps::default().add("vnet0", null.into()).unwrap_err();
        assert!(
            failure.to_string().starts_with("use the descriptor of tap 'vnet0': "),
            "{failure}"
        );
    }
}
