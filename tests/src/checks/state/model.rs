//! `Model`: what the contract says of a few domains, without any driver.

use crate::fixture::Fixtures;
use driver_api::error::Code;

/// What can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    Define,
    Redefine,
    Create,
    Undefine,
    Start,
    StartPaused,
    Shutdown,
    Destroy,
    Suspend,
    Resume,
    Mark,
    Unmark,
    /// A definition of this UUID under the next domain's name.
    TakeName,
}

impl Verb {
    pub(super) const ALL: [Self; 13] = [
        Self::Define,
        Self::Redefine,
        Self::Create,
        Self::Undefine,
        Self::Start,
        Self::StartPaused,
        Self::Shutdown,
        Self::Destroy,
        Self::Suspend,
        Self::Resume,
        Self::Mark,
        Self::Unmark,
        Self::TakeName,
    ];
    pub(super) const IDLE: [Self; 9] = [
        Self::Define,
        Self::Redefine,
        Self::Undefine,
        Self::Mark,
        Self::Unmark,
        Self::TakeName,
        Self::Destroy,
        Self::Suspend,
        Self::Resume,
    ];
}

/// What must be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Done,
    Refused(Vec<Code>),
    /// Either, and nothing changes.
    DoneOrRefused(Vec<Code>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) paused: bool,
    id: Option<i32>,
}

/// A domain that there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Domain {
    /// Which of its two documents is its definition, if it has one.
    pub(super) defined: Option<usize>,
    pub(super) marked: bool,
    pub(super) run: Option<Run>,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    domains: Vec<Option<Domain>>,
}

impl Model {
    pub(super) fn new(count: usize) -> Self {
        Self {
            domains: vec![None; count],
        }
    }

    pub(super) fn domain(&self, n: usize) -> Option<&Domain> {
        self.domains.get(n - 1)?.as_ref()
    }

    pub(super) fn id(&self, n: usize) -> Option<i32> {
        self.domain(n)?.run?.id
    }

    pub(super) fn keep_id(&mut self, n: usize, id: i32) {
        if let Some(Some(Domain { run: Some(run), .. })) = self.domains.get_mut(n - 1) {
            run.id = Some(id);
        }
    }

    /// What a verb must be answered with; `None` where the contract leaves it open.
    pub(super) fn expect(&self, n: usize, verb: Verb, fixtures: &Fixtures) -> Option<Answer> {
        let offered = &fixtures.domain;
        let can_pause = !matches!(verb, Verb::Suspend | Verb::Resume | Verb::StartPaused) || offered.suspendable;
        if !can_pause || (verb == Verb::Create && !offered.transient) {
            return None;
        }
        let refused = |code| Some(Answer::Refused(vec![code]));
        let done = Some(Answer::Done);
        if verb == Verb::TakeName {
            let other = self.domain(n % self.domains.len() + 1);
            // A name of nobody's is refused only if the UUID has another one.
            return match (self.domain(n), other) {
                (None, None) => None,
                _ => refused(Code::OPERATION_FAILED),
            };
        }
        let Some(domain) = self.domain(n) else {
            return match verb {
                Verb::Define | Verb::Redefine | Verb::Create => done,
                _ => refused(Code::NO_DOMAIN),
            };
        };
        let wrong = Code::OPERATION_INVALID;
        match (verb, domain.run) {
            (Verb::Define | Verb::Redefine, _) => done,
            (Verb::Create, Some(_)) => Some(Answer::Refused(vec![wrong, Code::OPERATION_FAILED])),
            // Whether a persistent domain that is off may be started by a document is left to the driver.
            (Verb::Create, None) => None,
            (Verb::Undefine | Verb::Mark | Verb::Unmark, _) if domain.defined.is_none() => refused(wrong),
            (Verb::Undefine | Verb::Mark | Verb::Unmark, _) => done,
            (Verb::Start | Verb::StartPaused, Some(_)) => refused(wrong),
            (Verb::Start | Verb::StartPaused, None) => done,
            (Verb::Shutdown | Verb::Destroy | Verb::Suspend | Verb::Resume, None) => refused(wrong),
            // A guest that stands still can not obey: a driver may ask it or refuse.
            (Verb::Shutdown, Some(run)) if run.paused => None,
            (Verb::Shutdown | Verb::Destroy, Some(_)) => done,
            (Verb::Suspend, Some(run)) if run.paused => Some(Answer::DoneOrRefused(vec![wrong])),
            (Verb::Suspend, Some(_)) => done,
            (Verb::Resume, Some(run)) if run.paused => done,
            (Verb::Resume, Some(_)) => refused(wrong),
            (Verb::TakeName, _) => None,
        }
    }

    /// What becomes of a domain by a verb that was answered so.
    pub(super) fn apply(&mut self, n: usize, verb: Verb, answer: &Answer) {
        let Some(place) = self.domains.get_mut(n - 1) else {
            return;
        };
        if *answer != Answer::Done {
            return;
        }
        let started = |paused| Some(Run { paused, id: None });
        let new = Domain {
            defined: None,
            marked: false,
            run: None,
        };
        match verb {
            Verb::Define => place.get_or_insert(new).defined = Some(0),
            Verb::Redefine => place.get_or_insert(new).defined = Some(1),
            Verb::Create => place.get_or_insert(new).run = started(false),
            _ => {}
        }
        let Some(domain) = place else {
            return;
        };
        match verb {
            Verb::Undefine => (domain.defined, domain.marked) = (None, false),
            Verb::Start => domain.run = started(false),
            Verb::StartPaused => domain.run = started(true),
            Verb::Shutdown | Verb::Destroy => domain.run = None,
            Verb::Suspend => domain.run = domain.run.map(|run| Run { paused: true, ..run }),
            Verb::Resume => domain.run = domain.run.map(|run| Run { paused: false, ..run }),
            Verb::Mark => domain.marked = true,
            Verb::Unmark => domain.marked = false,
            Verb::Define | Verb::Redefine | Verb::Create | Verb::TakeName => {}
        }
        if domain.defined.is_none() && domain.run.is_none() {
            *place = None;
        }
    }
}
