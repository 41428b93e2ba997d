//! The supervisor process itself: `lockstep __supervise`, one for each guest, which outlives the host that started it.

use super::life::Life;
use super::order::{CONTROL, ENDED, Ended, Failure, Order, Report, Step};
use super::parcel;
use super::record::{self, Durable};
use super::{start, sys};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;

/// The argument that makes this binary a supervisor.
pub const ARGUMENT: &str = "__supervise";

/// Runs as a supervisor: takes its order from descriptor 0, starts the guest, stays until it is gone.
///
/// Must be called before this process has started a thread or opened a file.
#[must_use]
pub fn main() -> ExitCode {
    sys::close_from(3);
    // What a terminal or a closed connection would send must not end a guest.
    sys::set_signals(
        [
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGHUP,
            libc::SIGTSTP,
            libc::SIGTTIN,
            libc::SIGTTOU,
        ],
        true,
    );
    // Fails only for a group leader, which a freshly forked process is not.
    let _ = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let mut host = UnixStream::from(sys::take_stdin());
    match supervise(&mut host) {
        Ok(life) => {
            drop(host);
            life.run();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let ended = Ended {
                failure: Some(failure.clone()),
                ..Ended::default()
            };
            // For a host that comes later, when the one that ordered is gone.
            let _ = record::write(Path::new("."), ENDED, &ended, Durable::No);
            report(&mut host, &Report::Failed(failure));
            ExitCode::FAILURE
        }
    }
}

fn supervise(host: &mut UnixStream) -> Result<Life, Failure> {
    let (text, descriptors) = parcel::receive(host).step(|| "read the order".to_owned())?;
    let order: Order = serde_json::from_slice(&text).map_err(|e| Failure::new(format!("understand the order: {e}")))?;
    drop(text);
    if descriptors.len() != order.descriptors {
        let (came, wanted) = (descriptors.len(), order.descriptors);
        return Err(Failure::new(format!(
            "take the guest's {wanted} descriptors: {came} came"
        )));
    }
    let terminate = sys::signal_descriptor(libc::SIGTERM).step(|| "set up signals".to_owned())?;
    let listener = listen()?;
    let guest = start::start(&order, descriptors, || is_there(host))?;
    report(host, &Report::Started(guest.running.clone()));
    Ok(Life::new(guest, listener, terminate))
}

fn listen() -> Result<UnixListener, Failure> {
    let listener = UnixListener::bind(CONTROL).step(|| "make the control socket".to_owned())?;
    std::fs::set_permissions(CONTROL, Permissions::from_mode(0o600))
        .step(|| "protect the control socket".to_owned())?;
    listener
        .set_nonblocking(true)
        .step(|| "set up the control socket".to_owned())?;
    Ok(listener)
}

/// Whether the host still waits for the answer.
fn is_there(host: &UnixStream) -> bool {
    // The host has shut its writing side down, so only HUP (both sides) tells that it is gone.
    let mut state = [PollFd::new(host, PollFlags::empty())];
    poll(&mut state, Some(&Timespec::default())).is_ok()
        && !state[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

fn report(host: &mut UnixStream, report: &Report) {
    // A host that is gone finds the same in the run folder.
    let _ = host.write_all(&serde_json::to_vec(report).unwrap_or_default());
    let _ = host.shutdown(std::net::Shutdown::Write);
}
