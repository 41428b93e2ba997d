//! The host's side of companions: what may be ordered, and how one is put beside a running guest or taken away.

use crate::supervisor::control::{Reply, Request};
use crate::supervisor::extras::CompanionOrder;
use crate::supervisor::guests::{Guests, system};
use crate::supervisor::survey;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::GuestId;
use driver_api::types::launch::Companion;
use rustix::event::{Timespec, poll};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// What stands for the run folder.
pub(super) const RUN: &str = "@RUN@/";
/// Companions of one guest; each is a process tree with a mount namespace.
const MOST: usize = 16;
const NAME: usize = 64;
/// How long one may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};

/// What a host wants of a supervisor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::supervisor) enum Wish {
    /// Start one; it is ready later.
    Start(CompanionOrder),
    /// Tell how far one is.
    Look(String),
    /// End one; the answer tells how far it was.
    Stop(String),
}

/// How far a companion is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::supervisor) enum State {
    /// It runs and has not made its socket yet.
    Waiting,
    Ready,
    /// How it ended; it may be started again later.
    Ended(String),
    Unknown,
}

/// Whether these can be one guest's.
///
/// # Errors
/// What is wrong, in words.
pub(in crate::supervisor) fn check(companions: &[CompanionOrder]) -> std::result::Result<(), String> {
    if companions.len() > MOST {
        return Err(format!("it has {} companions, {MOST} is the limit", companions.len()));
    }
    let mut names = HashSet::new();
    for companion in companions {
        let name = &companion.name;
        let plain = |c: char| c.is_ascii_graphic() && c != '/';
        if name.is_empty() || name.len() > NAME || !name.chars().all(plain) {
            return Err(format!(
                "'{}' can not be the name of a companion (1 to {NAME} characters of ASCII, no '/')",
                name.escape_debug()
            ));
        }
        if !names.insert(name) {
            return Err(format!("it has two companions of the name '{name}'"));
        }
        if !companion.argv.first().is_some_and(|program| program.starts_with('/')) {
            return Err(format!("the program of companion '{name}' is not an absolute path"));
        }
        if let Some(file) = companion.files.iter().find(|file| !file.path.is_absolute()) {
            let file = file.path.display();
            return Err(format!(
                "the file '{file}' of companion '{name}' is not an absolute path"
            ));
        }
        let socket = companion.ready.strip_prefix(RUN);
        // A folder in between could lead anywhere: what is in the run folder is the guest's.
        let inside =
            socket.is_some_and(|socket| !socket.is_empty() && !socket.contains('/') && !socket.starts_with('.'));
        if !companion.ready.is_empty() && !inside {
            return Err(format!(
                "the socket '{}' of companion '{name}' is not directly in '@RUN@'",
                companion.ready.escape_debug()
            ));
        }
    }
    Ok(())
}

impl Guests {
    /// Starts a program beside a running guest and waits until it is ready.
    ///
    /// # Errors
    /// 8 for one that makes no sense, 9 for a name that is taken, 38 with the step that failed; nothing is left of it.
    pub fn start_companion(&self, guest: GuestId, companion: &Companion) -> Result<()> {
        let order = CompanionOrder::from(companion);
        let name = order.name.clone();
        let invalid = |what| {
            let text = format!("cannot put a companion beside guest process '{}': {what}", guest.0);
            Error::new(Code::INVALID_ARG, Origin::DOMAIN, text)
        };
        check(std::slice::from_ref(&order)).map_err(invalid)?;
        if self.companion(guest, Wish::Look(name.clone()))? != State::Unknown {
            let text = format!("guest process '{}' has a companion '{name}' already", guest.0);
            return Err(Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, text));
        }
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.companion(guest, Wish::Start(order))?;
        while state == State::Waiting && Instant::now() < deadline {
            // A socket appears without a word to anybody.
            let _ = poll(&mut [], Some(&LOOK));
            state = self.companion(guest, Wish::Look(name.clone()))?;
        }
        let why = match state {
            State::Ready => return Ok(()),
            State::Waiting => format!("its socket did not come within {} s", PATIENCE.as_secs()),
            State::Ended(how) => format!("it {how}"),
            State::Unknown => "it was taken away".to_owned(),
        };
        let _ = self.companion(guest, Wish::Stop(name.clone()));
        Err(system(format!(
            "cannot start companion '{name}' of guest process '{}': {why}",
            guest.0
        )))
    }

    /// Ends a program beside a running guest.
    ///
    /// # Errors
    /// 99 when there is none of this name, 38 when the supervisor does not answer.
    pub fn stop_companion(&self, guest: GuestId, name: &str) -> Result<()> {
        if self.companion(guest, Wish::Stop(name.to_owned()))? == State::Unknown {
            let text = format!("guest process '{}' has no companion '{name}'", guest.0);
            return Err(Error::new(Code::DEVICE_MISSING, Origin::DOMAIN, text));
        }
        Ok(())
    }

    fn companion(&self, guest: GuestId, wish: Wish) -> Result<State> {
        self.record(guest)?;
        let failed = |what: String| system(format!("the supervisor of guest process '{}' {what}", guest.0));
        match survey::ask(&self.dir(guest), &Request::Companion(wish), survey::PATIENCE) {
            Ok(Reply::Companion(state)) => Ok(state),
            Ok(Reply::NoCompanion(failure)) => Err(failed(format!("cannot {failure}"))),
            Ok(Reply::Unknown(_)) => Err(failed("is of an older host and knows no companions".to_owned())),
            Ok(other) => Err(failed(format!("answers out of step: {other:?}"))),
            Err(e) => Err(failed("does not answer".to_owned()).because(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companions_that_can_not_be_are_refused_by_name() {
        let good = CompanionOrder {
            name: "net0".to_owned(),
            argv: vec!["/bin/true".to_owned()],
            files: Vec::new(),
            ready: "@RUN@/net0.link".to_owned(),
            network: false,
            restart: false,
        };
        assert_eq!(check(std::slice::from_ref(&good)), Ok(()));
        let with = |change: fn(&mut CompanionOrder)| {
            let mut order = good.clone();
            change(&mut order);
            check(&[order]).unwrap_err()
        };
        assert!(
            check(&[good.clone(), good.clone()])
                .unwrap_err()
                .contains("two companions of the name 'net0'")
        );
        assert!(check(&vec![good.clone(); 17]).unwrap_err().contains("16 is the limit"));
        assert!(with(|order| order.name = "a/b".to_owned()).contains("'a/b' can not be the name"));
        assert!(with(|order| order.argv.clear()).contains("not an absolute path"));
        for ready in ["net0.link", "@RUN@/", "@RUN@/../control", "@RUN@/..", "/etc/x"] {
            let mut order = good.clone();
            order.ready = ready.to_owned();
            assert!(
                check(&[order]).unwrap_err().contains("is not directly in '@RUN@'"),
                "{ready}"
            );
        }
    }
}
