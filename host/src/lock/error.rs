//! `LockError`: every way in which the lock manager says no, and its libvirt code.

use super::rank::{Key, Mode};
use super::status::Party;
use driver_api::error::{Code, Error, Origin};
use driver_api::types::uuid::Uuid;
use thiserror::Error as ThisError;

/// A refusal. Refusals never wait, and all but [`LockError::Timeout`] are answered at once.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum LockError {
    /// The deadline passed.
    #[error("timed out after {waited_ms} ms waiting for {key} ({mode}), held by {}; `lockstep locks` shows the queue", parties(.holders))]
    Timeout {
        /// What was wanted.
        key: Key,
        /// How.
        mode: Mode,
        /// How long the wait was.
        waited_ms: u64,
        /// Who had it when the wait ended.
        holders: Vec<Party>,
    },
    /// Asked for at once or not at all, and somebody holds it or waits for it.
    #[error("{key} is busy: held by {}", parties(.holders))]
    Busy {
        /// What was wanted.
        key: Key,
        /// Who has it.
        holders: Vec<Party>,
    },
    /// The order forbids it.
    #[error(
        "lock order: {wanted} may not be acquired while {held} is held (the order is Filter, Update, Virt, Domain by UUID)"
    )]
    Order {
        /// The greatest lock that the thread holds.
        held: Key,
        /// What it wanted.
        wanted: Key,
    },
    /// The thread would wait for itself.
    #[error("{key} is held exclusively by this thread already; waiting for it would never end")]
    SelfDeadlock {
        /// What was wanted again.
        key: Key,
    },
    /// A reader asked to become a writer; two of them would wait for one another.
    #[error("{key} is held shared by this thread and can not be upgraded; give it back, then take it exclusively")]
    Upgrade {
        /// What was wanted.
        key: Key,
    },
    /// No level has this rank.
    #[error("there is no lock level of rank {rank}")]
    UnknownLevel {
        /// What was asked for.
        rank: u32,
    },
    /// The level knows no readers.
    #[error("{key} is only ever held exclusively")]
    NotShareable {
        /// What was wanted shared.
        key: Key,
    },
    /// The handle names no hold: forged, or given back before.
    #[error("this handle names no hold: it was given back before, or never given out")]
    UnknownHold,
    /// The handle or call belongs to another thread.
    #[error("this belongs to thread '{owner}'; a hold can not leave the thread that took it")]
    ForeignThread {
        /// The owner's name.
        owner: String,
    },
    /// The hold belongs to another call, perhaps of another plug-in.
    #[error("this hold belongs to call '{call}' of plug-in '{plugin}'")]
    NotOwner {
        /// The owner.
        plugin: String,
        /// The owner's call.
        call: String,
    },
    /// No such call or session.
    #[error("this number names no call or session: it has ended, or never began")]
    UnknownCall,
    /// The call belongs to another plug-in.
    #[error("this call belongs to plug-in '{plugin}'")]
    ForeignCall {
        /// The owner.
        plugin: String,
    },
    /// An outer call was used while an inner one runs on the same thread.
    #[error("call '{call}' waits for an inner call on its thread and can not act before that ends")]
    NotInnermost {
        /// The outer call.
        call: String,
    },
    /// A session was wanted on a thread that is inside a call or session.
    #[error("this thread is inside '{call}' already; a session needs a thread of its own")]
    InsideCall {
        /// The innermost call.
        call: String,
    },
    /// The thread is in its last moments: what it takes now nobody would give back.
    #[error("this thread is ending and can not begin a call")]
    DyingThread,
    /// A call promises its callee a level that is not what the thread holds.
    #[error("'{call}' must be entered holding {wanted}, but this thread holds {found}")]
    Entry {
        /// The call.
        call: String,
        /// The level that its token shows.
        wanted: String,
        /// What is held.
        found: String,
    },
    /// A service needs a lock that the call does not hold.
    #[error("{wanted} must be held for this")]
    NotHeld {
        /// The level.
        wanted: String,
    },
    /// Only an exclusive hold can do this.
    #[error("{key} is held shared; this needs an exclusive hold")]
    NotExclusive {
        /// What is held.
        key: Key,
    },
    /// Only a shared hold can be lent.
    #[error("{key} is held exclusively and can not be lent; downgrade it first")]
    NotLendable {
        /// What is held.
        key: Key,
    },
    /// The loan was used, or its lender has given the lock back.
    #[error("this loan is void: it was used before, or its lender has given the lock back")]
    UnknownLoan,
    /// A guest was named twice in one request.
    #[error("domain '{uuid}' is named twice in one request")]
    DomainTwice {
        /// The guest.
        uuid: Uuid,
    },
    /// Jobs run on guests only.
    #[error("a job needs a hold on a domain, not on {key}")]
    NotADomain {
        /// What is held.
        key: Key,
    },
    /// Another job runs on the guest.
    #[error("domain '{uuid}' is busy: job '{what}' of plug-in '{plugin}' has been running for {age_ms} ms")]
    JobRunning {
        /// The guest.
        uuid: Uuid,
        /// The running job.
        what: String,
        /// Whose it is.
        plugin: String,
        /// How long it has been running.
        age_ms: u64,
    },
    /// No job runs on the guest.
    #[error("no job is running on domain '{uuid}'")]
    NoJob {
        /// The guest.
        uuid: Uuid,
    },
    /// The job on the guest does not look whether it shall stop.
    #[error(
        "job '{what}' on domain '{uuid}' can not be stopped half way: it ends by itself, and 'destroy' ends the guest"
    )]
    JobDeaf {
        /// The guest.
        uuid: Uuid,
        /// The running job.
        what: String,
    },
    /// No such job.
    #[error("this number names no job of this plug-in: it has ended, or never began")]
    UnknownJob,
    /// A service that blocks was called by a thread that holds locks.
    #[error("this may block and {held} is held; give it back first")]
    HoldsLocks {
        /// The greatest lock that the thread holds.
        held: Key,
    },
    /// The plug-in broke the rules too often.
    #[error(
        "plug-in '{plugin}' is quarantined: {reason}; what it runs goes on, restart the host to let it serve changes again"
    )]
    Quarantined {
        /// The plug-in.
        plugin: String,
        /// What it did.
        reason: String,
    },
}

fn parties(list: &[Party]) -> String {
    const SHOWN: usize = 3;
    let mut text = list
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    if list.len() > SHOWN {
        text.push_str(&format!(" and {} more", list.len() - SHOWN));
    }
    if text.is_empty() {
        text.push_str("nobody, others wait first");
    }
    text
}

impl LockError {
    /// The libvirt code that a client sees.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Timeout { .. } => Code::OPERATION_TIMEOUT,
            Self::Busy { .. } => Code::RESOURCE_BUSY,
            Self::DomainTwice { .. } | Self::UnknownLevel { .. } | Self::NotShareable { .. } => Code::INVALID_ARG,
            _ => Code::OPERATION_INVALID,
        }
    }

    /// Whether only a wrong program can meet this, so that it counts as a strike against the plug-in.
    #[must_use]
    pub const fn is_breach(&self) -> bool {
        match self {
            Self::Order { .. }
            | Self::SelfDeadlock { .. }
            | Self::Upgrade { .. }
            | Self::UnknownLevel { .. }
            | Self::NotShareable { .. }
            | Self::UnknownHold
            | Self::ForeignThread { .. }
            | Self::NotOwner { .. }
            | Self::UnknownCall
            | Self::ForeignCall { .. }
            | Self::NotInnermost { .. }
            | Self::InsideCall { .. }
            | Self::NotHeld { .. }
            | Self::NotExclusive { .. }
            | Self::NotLendable { .. }
            | Self::NotADomain { .. }
            | Self::UnknownJob
            | Self::HoldsLocks { .. } => true,
            Self::Timeout { .. }
            | Self::Busy { .. }
            | Self::Entry { .. }
            | Self::DyingThread
            | Self::UnknownLoan
            | Self::DomainTwice { .. }
            | Self::JobRunning { .. }
            | Self::NoJob { .. }
            | Self::JobDeaf { .. }
            | Self::Quarantined { .. } => false,
        }
    }
}

impl From<LockError> for Error {
    fn from(error: LockError) -> Self {
        Self::new(error.code(), Origin::LOCKING, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(thread: &str) -> Party {
        Party {
            mode: "exclusive".into(),
            thread: thread.into(),
            tid: 7,
            plugin: "uml".into(),
            call: "start".into(),
            client: Some(4),
            since_ms: 0,
            age_ms: 1500,
            position: None,
        }
    }

    #[test]
    fn a_timeout_has_libvirts_code_and_names_the_holder() {
        let error: Error = LockError::Timeout {
            key: Key::Update,
            mode: Mode::Exclusive,
            waited_ms: 30_000,
            holders: vec![party("worker-1"), party("b"), party("c"), party("d")],
        }
        .into();
        assert_eq!(
            (error.code(), error.origin()),
            (Code::OPERATION_TIMEOUT, Origin::LOCKING)
        );
        let text = error.to_string();
        assert!(
            text.contains("'worker-1' in call 'start' of plug-in 'uml' for client 4 for 1500 ms")
                && text.contains("and 1 more"),
            "{text}"
        );
    }

    #[test]
    fn codes_are_those_that_clients_expect() {
        let key = Key::Update;
        assert_eq!(
            LockError::Busy {
                key,
                holders: Vec::new()
            }
            .code(),
            Code::RESOURCE_BUSY
        );
        assert_eq!(
            LockError::DomainTwice { uuid: Uuid::default() }.code(),
            Code::INVALID_ARG
        );
        assert_eq!(LockError::UnknownHold.code(), Code::OPERATION_INVALID);
        assert_eq!(LockError::Upgrade { key }.code(), Code::OPERATION_INVALID);
    }
}
