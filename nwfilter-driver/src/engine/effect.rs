//! The way of a change into force: kernel, lessons, file, snapshots; a step that fails undoes those before it.

use super::bound::Ports;
use super::lesson::Lesson;
use super::state::State;
use super::{Engine, Force};
use crate::compile::Compiled;
use crate::filters::Filters;
use crate::folder::Staged;
use crate::inspect::place::Places;
use crate::kernel::{Failure, Outcome};
use driver_api::error::{Error, Result};
use std::sync::Arc;

/// What happens to a file once the rules are in force.
pub(super) enum Paper<'a> {
    Put(Staged),
    RemoveFilter(&'a str),
    RemoveBinding(&'a str),
    None,
}

/// Programs that were compiled for a change, each with the first port that it is for.
pub(super) type Fresh = Vec<(String, Arc<Compiled>)>;

/// Something that is to be in force.
pub(super) struct Next<'a> {
    pub(super) state: State,
    pub(super) paper: Paper<'a>,
    pub(super) filters: Option<Arc<Filters>>,
}

impl Engine {
    /// What rules that came into force do other than they say.
    pub(super) fn tell(&self, force: &mut Force, fresh: Fresh) {
        for (port, compiled) in fresh {
            for warning in &compiled.warnings {
                tracing::warn!(port, %warning, "a rule does other than it says");
            }
            let notes = force
                .backend(&self.opener)
                .map(|backend| backend.notes(&compiled.program));
            for note in notes.unwrap_or_default() {
                tracing::warn!(port, note, "a rule does other than it says on this machine");
            }
        }
    }

    /// Brings something into force, or changes nothing.
    pub(super) fn carry_out(&self, force: &mut Force, next: Next<'_>) -> Result<()> {
        let Next { state, paper, filters } = next;
        let table = filters.clone().unwrap_or_else(|| self.filters());
        self.bring(force, &state)
            .map_err(|failure| self.worded(failure, &table))?;
        let begun = match self.begin_lessons(&force.state.ports, &state.ports) {
            Ok(begun) => begun,
            Err(error) => {
                self.bring_back(force, &state);
                return Err(error);
            }
        };
        let placed = match paper {
            Paper::Put(staged) => staged.commit(),
            Paper::RemoveFilter(name) => self.store.remove(name),
            Paper::RemoveBinding(port) => self.bindings.remove(port),
            Paper::None => Ok(()),
        };
        if let Err(error) = placed {
            self.end_lessons(&force.state.ports, begun);
            self.bring_back(force, &state);
            return Err(error);
        }
        self.publish(force, state, filters);
        Ok(())
    }

    pub(super) fn publish(&self, force: &mut Force, state: State, filters: Option<Arc<Filters>>) {
        for (port, bound) in force.state.ports.iter().filter(|(_, bound)| bound.lesson.is_some()) {
            let goes_on = state.ports.get(port).is_some_and(|next| next.lesson.is_some());
            if let (false, Some(learner)) = (goes_on, self.learner.get()) {
                tracing::debug!(port = bound.port(), "no address is needed any more");
                learner.stop(port);
            }
        }
        force.state = state;
        if let Some(filters) = filters {
            self.filters.store(filters);
        }
        self.ports.store(Arc::clone(&force.state.ports));
    }

    /// Begins lessons that are new or other than before; the ports that have one now.
    fn begin_lessons(&self, from: &Ports, to: &Ports) -> Result<Vec<String>> {
        let mut begun = Vec::new();
        let lessons = to
            .iter()
            .filter_map(|(port, bound)| Some((port, bound.lesson.as_ref()?)));
        let lesson_before = |port: &String| from.get(port).and_then(|bound| bound.lesson.as_ref());
        let is_new =
            |(port, lesson): &(&String, &Lesson)| !lesson_before(port).is_some_and(|before| lesson.goes_on(before));
        for (port, lesson) in lessons.filter(is_new) {
            let started = self.learner().and_then(|learner| learner.start(lesson.clone()));
            if let Err(error) = started {
                self.end_lessons(from, begun);
                return Err(error.within(format!("the addresses of port '{port}' can not be learned")));
            }
            begun.push(port.clone());
        }
        Ok(begun)
    }

    /// Goes back to the lessons that these ports had.
    fn end_lessons(&self, from: &Ports, begun: Vec<String>) {
        let Some(learner) = self.learner.get() else { return };
        for port in begun {
            let before: Option<&Lesson> = from.get(&port).and_then(|bound| bound.lesson.as_ref());
            let done = before.map_or(Ok(()), |lesson| learner.start(lesson.clone()));
            match (before, done) {
                (None, _) => learner.stop(&port),
                (Some(_), Ok(())) => {}
                (Some(_), Err(error)) => tracing::warn!(port, %error, "the port's addresses are not learned any more"),
            }
        }
    }

    fn bring(&self, force: &mut Force, to: &State) -> Outcome<()> {
        let Force { state, doubt, .. } = &*force;
        let (was_in_doubt, equal) = (*doubt, state.desired == to.desired);
        if equal && !was_in_doubt {
            return Ok(());
        }
        let backend = force.backend(&self.opener).map_err(refused)?;
        // Stays so if this thread does not come back.
        force.doubt = true;
        let from = &force.state.desired;
        // Without ports there may be no tables yet.
        if !was_in_doubt && !from.ports.is_empty() {
            match backend.apply(from, &to.desired) {
                Ok(()) => {
                    force.doubt = false;
                    return Ok(());
                }
                Err(refused @ Failure::Refused { .. }) => {
                    force.doubt = false;
                    return Err(refused);
                }
                Err(Failure::Stale(error)) => {
                    tracing::warn!(%error, "somebody else changed the kernel's filter tables, they are made anew");
                }
            }
        }
        backend.install(&to.desired)?;
        force.doubt = false;
        Ok(())
    }

    /// The kernel's no, with the line of the rule that it is about.
    pub(super) fn worded(&self, failure: Failure, filters: &Filters) -> Error {
        let Failure::Refused {
            error,
            rule: Some(origin),
        } = failure
        else {
            return failure.into_error();
        };
        let place = Places::new(vec![filters, &self.internal]).of(origin);
        error.within(format!(
            "line {} of filter '{}' ({})",
            place.line, place.filter, place.uuid
        ))
    }

    /// Undoes [`Engine::bring`]; what it was for failed.
    fn bring_back(&self, force: &mut Force, brought: &State) {
        if force.state.desired == brought.desired {
            return;
        }
        let undone = force.backend(&self.opener).and_then(|backend| {
            let to = &force.state.desired;
            let undone = backend.apply(&brought.desired, to).or_else(|_| backend.install(to));
            Ok(undone?)
        });
        if let Err(error) = undone {
            // The next change makes everything anew.
            force.doubt = true;
            tracing::error!(%error, "a change of rules that failed could not be undone in the kernel: change any filter to repair it");
        }
    }
}

fn refused(error: Error) -> Failure {
    Failure::Refused { error, rule: None }
}
