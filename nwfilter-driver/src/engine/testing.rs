//! Doubles for tests: a kernel that only remembers, and a learner that only notes.

use super::{Backend, Learner, Lesson, Opener};
use crate::kernel::{Failure, Outcome};
use crate::ruleset::{Desired, Origin as Place, Program, ProgramName};
use driver_api::error::{Code, Error, Origin, Result};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A kernel that takes everything, unless it is told to fail.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) now: Desired,
    /// What was asked, in order.
    pub(crate) asked: Vec<&'static str>,
    /// How often each change is refused from now on.
    pub(crate) refuse_apply: u32,
    pub(crate) refuse_install: u32,
    /// Refuses all that has this rule.
    pub(crate) refuse_rule: Option<Place>,
    /// Takes one more change and refuses the one after it.
    pub(crate) refuse_later: bool,
}

pub(crate) fn refused(what: &str) -> Error {
    Error::new(
        Code::BUILD_FIREWALL,
        Origin::NWFILTER,
        format!("the test refuses {what}"),
    )
}

fn no(what: &str) -> Failure {
    let error = refused(what);
    Failure::Refused { error, rule: None }
}

impl Recorder {
    pub(crate) fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.inner.lock().asked)
    }

    pub(crate) fn now(&self) -> Desired {
        self.inner.lock().now.clone()
    }
}

impl Backend for Recorder {
    fn apply(&self, from: &Desired, to: &Desired) -> Outcome<()> {
        let mut inner = self.inner.lock();
        inner.asked.push("apply");
        if inner.refuse_apply > 0 {
            inner.refuse_apply -= 1;
            return Err(no("a change"));
        }
        if inner.now != *from {
            return Err(Failure::Stale(refused("a change of what is not there")));
        }
        inner.now = to.clone();
        inner.refuse_apply = u32::from(std::mem::take(&mut inner.refuse_later));
        Ok(())
    }

    fn install(&self, to: &Desired) -> Outcome<()> {
        let mut inner = self.inner.lock();
        inner.asked.push("install");
        if inner.refuse_install > 0 {
            inner.refuse_install -= 1;
            return Err(no("all"));
        }
        let rules = to
            .programs
            .values()
            .flat_map(|program| program.chains.values().flatten());
        let rule = inner.refuse_rule;
        if rule.is_some() && rules.into_iter().any(|its| its.origin == rule) {
            let error = refused("a rule");
            return Err(Failure::Refused { error, rule });
        }
        inner.now = to.clone();
        Ok(())
    }

    fn deviations(&self, desired: &Desired) -> Result<Vec<String>> {
        let mut inner = self.inner.lock();
        inner.asked.push("verify");
        let equal = inner.now == *desired;
        Ok(if equal {
            Vec::new()
        } else {
            vec!["they differ".to_owned()]
        })
    }

    fn names(&self) -> Result<BTreeMap<String, ProgramName>> {
        let inner = self.inner.lock();
        let ports = inner.now.ports.iter();
        Ok(ports
            .map(|(port, rules)| (port.clone(), rules.program.clone()))
            .collect())
    }

    fn notes(&self, _program: &Program) -> Vec<String> {
        Vec::new()
    }

    fn has_device(&self, _port: &str) -> bool {
        true
    }
}

thread_local! {
    static KERNEL: RefCell<Arc<Recorder>> = RefCell::default();
}

/// The kernel of this test's thread.
pub(crate) fn kernel() -> Arc<Recorder> {
    KERNEL.with_borrow(Arc::clone)
}

/// Leads to the kernel of the thread that asks for it first.
pub(crate) fn opener() -> Opener {
    let kernel = kernel();
    Box::new(move || Ok(Arc::clone(&kernel) as Arc<dyn Backend>))
}

/// Learns nothing, but remembers what is to be learned.
#[derive(Debug, Default)]
pub(crate) struct School {
    pub(crate) lessons: Mutex<BTreeMap<String, Lesson>>,
    pub(crate) refuse: Mutex<bool>,
}

impl Learner for School {
    fn start(&self, lesson: Lesson) -> Result<()> {
        if *self.refuse.lock() {
            return Err(refused("a lesson"));
        }
        self.lessons.lock().insert(lesson.port.clone(), lesson);
        Ok(())
    }

    fn stop(&self, port: &str) {
        self.lessons.lock().remove(port);
    }
}
