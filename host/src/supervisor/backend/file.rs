//! Devices and named pipes of the host that consoles lead to.

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

// Both ways at once: a pipe without a reader would refuse a writer, and end for a reader without a writer.
const FLAGS: OFlags = OFlags::RDWR
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Opens a character device; a terminal passes bytes unchanged from then on.
pub(super) fn device(path: &Path) -> io::Result<OwnedFd> {
    let device = rustix::fs::open(path, FLAGS, Mode::empty())?;
    if !kind(&device)?.is_char_device() {
        return Err(io::Error::other("it is no character device"));
    }
    if let Ok(mut mode) = rustix::termios::tcgetattr(&device) {
        mode.make_raw();
        rustix::termios::tcsetattr(&device, rustix::termios::OptionalActions::Now, &mode)?;
    }
    Ok(device)
}

/// A named pipe for what the guest says, and one for what is typed when there are two.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) input: Option<OwnedFd>,
    pub(super) output: OwnedFd,
}

/// Opens `PATH.in` and `PATH.out`, or `PATH` for what the guest says alone.
pub(super) fn pipes(path: &Path) -> io::Result<Pipes> {
    let with = |suffix: &str| {
        let mut name = OsString::from(path);
        name.push(suffix);
        PathBuf::from(name)
    };
    match (pipe(&with(".in")), pipe(&with(".out"))) {
        (Ok(input), Ok(output)) => Ok(Pipes {
            input: Some(input),
            output,
        }),
        (Err(e), _) | (_, Err(e)) if e.raw_os_error() != Some(Errno::NOENT.raw_os_error()) => Err(e),
        _ => Ok(Pipes {
            input: None,
            output: pipe(path)?,
        }),
    }
}

fn pipe(path: &Path) -> io::Result<OwnedFd> {
    let pipe = rustix::fs::open(path, FLAGS, Mode::empty())?;
    if !kind(&pipe)?.is_fifo() {
        return Err(io::Error::other("it is no pipe"));
    }
    Ok(pipe)
}

fn kind(file: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode))
}
