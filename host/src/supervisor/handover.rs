//! The hand-over between a supervisor and a process that it has cloned, up to the moment when that becomes its program.

use super::confinement::InForce;
use super::order::{Failure, Step};
use super::sandbox::{self, Plan, Renounced};
use super::{identity, parcel, sys};
use rustix::net::{RecvFlags, SendFlags};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, OwnedFd};

/// What the guest's first process says before it becomes the program.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// Everything is in place; these things could not be isolated.
    Ready(Vec<String>, InForce),
    Failed(Failure),
}

pub(super) const USER_NAMESPACE_REMEDY: &str = " (run the host as root, or allow user namespaces: sysctl \
     user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)";

/// Tells a new process who it is and waits until it has built its world.
pub(super) fn introduce(pid: u32, words: &OwnedFd, map: Option<(u32, u32)>) -> Result<Renounced, Failure> {
    if let Some((uid, gid)) = map {
        // The kernel wants it so before an ordinary user may map groups.
        std::fs::write(format!("/proc/{pid}/setgroups"), "deny").step(|| "fix the guest's groups".to_owned())?;
        identity::write_maps(pid, &format!("{uid} {uid} 1\n"), &format!("{gid} {gid} 1\n"))
            .step(|| "map the guest's user".to_owned())?;
    }
    say(words, b"mapped")?;
    let (word, listener) = hear(words)?;
    match word {
        Some(Word::Ready(notes, in_force)) => Ok(Renounced {
            notes,
            in_force,
            listener,
        }),
        Some(Word::Failed(mut failure)) => {
            if map.is_some() && matches!(failure.errno, Some(libc::EPERM | libc::EACCES)) {
                failure.step.push_str(USER_NAMESPACE_REMEDY);
            }
            Err(failure)
        }
        None => Err(Failure::new("set up the guest's process: it died on the way")),
    }
}

/// Lets a process become its program.
pub(super) fn set_off(words: &OwnedFd) -> Result<(), Failure> {
    say(words, b"go")?;
    match hear(words)?.0 {
        // The descriptor was closed by a successful execve.
        None => Ok(()),
        Some(Word::Failed(failure)) => Err(failure),
        Some(Word::Ready(..)) => Err(Failure::new("execute the program: the guest's process is out of step")),
    }
}

fn say(socket: &OwnedFd, word: &[u8]) -> Result<(), Failure> {
    rustix::net::send(socket, word, SendFlags::NOSIGNAL).step(|| "speak to the guest's process".to_owned())?;
    Ok(())
}

/// A word and the descriptor that came with it.
fn hear(socket: &OwnedFd) -> Result<(Option<Word>, Option<OwnedFd>), Failure> {
    let mut buffer = [0_u8; 16 * 1024];
    let (count, mut descriptors) =
        parcel::take(socket, &mut buffer).step(|| "hear from the guest's process".to_owned())?;
    if count == 0 {
        return Ok((None, None));
    }
    serde_json::from_slice(&buffer[..count])
        .map(|word| (Some(word), descriptors.pop()))
        .map_err(|e| Failure::new(format!("understand the guest's process: {e}")))
}

/// The guest's half of the hand-over: never returns.
pub(super) fn guest_process(mut plan: Plan, words: OwnedFd) -> ! {
    // Where it is, a console may have to come.
    let Ok(words) = sandbox::aside(&plan, &words).inspect(|_| drop(words)) else {
        sys::exit_now(1)
    };
    let tell = |word: &Word| {
        let text = serde_json::to_vec(word).unwrap_or_default();
        let _ = rustix::net::send(&words, &text, SendFlags::NOSIGNAL);
    };
    // Nothing, or no word at all, means that the supervisor is gone; then nobody would ever kill what runs here.
    let go = || {
        let mut word = [0_u8; 16];
        matches!(rustix::net::recv(&words, &mut word, RecvFlags::empty()), Ok((count, _)) if count > 0)
    };
    if !go() {
        sys::exit_now(1)
    }
    let prepared = sandbox::build(&mut plan).and_then(|mut notes| {
        let mut renounced = sandbox::renounce(&plan)?;
        notes.append(&mut renounced.notes);
        Ok((notes, renounced))
    });
    match prepared {
        Ok((notes, renounced)) => {
            let text = serde_json::to_vec(&Word::Ready(notes, renounced.in_force)).unwrap_or_default();
            let listener: Vec<_> = renounced.listener.iter().map(AsFd::as_fd).collect();
            // A supervisor that is not told ends this process.
            let _ = parcel::put(&words, &text, &listener);
        }
        Err(failure) => {
            tell(&Word::Failed(failure));
            sys::exit_now(1)
        }
    }
    if !go() {
        sys::exit_now(1)
    }
    tell(&Word::Failed(sandbox::become_program(&plan)));
    sys::exit_now(127)
}
