//! Undoing what somebody else did to our tables, and how often.

use super::bound::Bound;
use super::state::{Plan, State};
use super::{Backend, Engine};
use crate::filters::Filters;
use crate::kernel::Failure;
use crate::ruleset::Origin;
use driver_api::error::Result;
use std::sync::Arc;
use std::time::Duration;

impl Engine {
    /// Makes the rules anew if the kernel's differ from what should be in force; in what they differed.
    ///
    /// # Errors
    /// The kernel can not be asked, or refuses; the next change begins with it then.
    pub fn repair(&self) -> Result<Vec<String>> {
        let mut force = self.force.lock();
        if force.state.ports.is_empty() && !force.doubt {
            return Ok(Vec::new());
        }
        let backend = force.backend(&self.opener)?;
        let found = backend.deviations(&force.state.desired)?;
        if found.is_empty() {
            force.doubt = false;
            return Ok(found);
        }
        force.doubt = true;
        let filters = self.filters();
        let state = self.install(&*backend, &filters, force.state.clone())?;
        force.doubt = false;
        self.publish(&mut force, state, None);
        Ok(found)
    }

    /// Makes all rules anew. Ports with a rule that this kernel refuses now, though it may have taken it before, are closed:
    /// they must not keep the others from their rules. What came into force.
    ///
    /// # Errors
    /// The kernel refuses something else; nothing has changed.
    pub(super) fn install(&self, backend: &dyn Backend, filters: &Filters, mut state: State) -> Result<State> {
        loop {
            let failure = match backend.install(&state.desired) {
                Ok(()) => return Ok(state),
                Err(failure) => failure,
            };
            let culprit = match failure {
                Failure::Refused { rule, .. } => rule,
                Failure::Stale(_) => None,
            };
            let guilty: Vec<Arc<Bound>> = state
                .ports
                .values()
                .filter(|bound| has(bound, culprit))
                .cloned()
                .collect();
            let error = self.worded(failure, filters);
            if guilty.is_empty() {
                return Err(error);
            }
            let mut plan = Plan::new(&state, filters, &self.internal);
            for bound in guilty {
                let (port, filter) = (bound.port().to_owned(), &bound.record.def.filter);
                tracing::error!(port, filter, %error, "the port is closed: the kernel refuses its rules; change the filter, or delete the binding");
                plan.close(bound.record.clone(), bound.generation, None, error.to_string())?;
            }
            state = plan.finish();
        }
    }
}

/// Whether a port has this rule.
fn has(bound: &Bound, rule: Option<Origin>) -> bool {
    let mut rules = bound.compiled.program.chains.values().flatten();
    rule.is_some() && bound.closed().is_none() && rules.any(|its| its.origin == rule)
}

/// When the next repair may be: at once after a quiet time, else ever more seldom, so that two who both think that they
/// own the tables do not spend the machine on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    wait: Duration,
    last: Option<Duration>,
}

const FIRST: Duration = Duration::from_millis(500);
/// Ports may be open meanwhile, so it is no longer than a machine needs to breathe.
const LONGEST: Duration = Duration::from_secs(10);
/// So many times the last wait without a repair are a quiet time.
const QUIET: u32 = 4;

impl Patience {
    pub(crate) const fn new() -> Self {
        Self {
            wait: FIRST,
            last: None,
        }
    }

    /// How long to wait at the time `now` before a repair; times are counted from any fixed moment.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        let Some(last) = self.last else {
            return Duration::ZERO;
        };
        (last + self.wait).saturating_sub(now)
    }

    /// A repair was made.
    pub(crate) fn repaired(&mut self, now: Duration) {
        let quiet = self
            .last
            .is_none_or(|last| now.saturating_sub(last) >= self.wait * QUIET);
        self.wait = if quiet { FIRST } else { (self.wait * 2).min(LONGEST) };
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fight_is_slowed_down_and_a_quiet_time_ends_it() {
        let mut patience = Patience::new();
        let mut now = Duration::from_secs(100);
        assert_eq!(patience.wait(now), Duration::ZERO);
        patience.repaired(now);
        let mut waits = Vec::new();
        for _ in 0..10 {
            let wait = patience.wait(now);
            waits.push(wait.as_millis());
            now += wait;
            assert_eq!(patience.wait(now), Duration::ZERO);
            patience.repaired(now);
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 10000, 10000, 10000, 10000, 10000]);
        now += LONGEST * QUIET;
        patience.repaired(now);
        assert_eq!(patience.wait(now), FIRST);
    }
}
