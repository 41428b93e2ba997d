//! The way of a change: planned, staged, brought into force, put in place, published; or nothing at all.

use super::bound::{Bound, Ports, Stage};
use super::lesson::Lesson;
use super::state::{Plan, State};
use super::{Engine, Force, unbound};
use crate::binding::store::Record;
use crate::binding::{BindingDef, Maker};
use crate::compile::Compiled;
use crate::filters::Filters;
use crate::folder::Staged;
use crate::inspect::place::Places;
use crate::kernel::{Failure, Outcome};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::uuid::Uuid;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// What happens to a file once the rules are in force.
enum Paper<'a> {
    Put(Staged),
    RemoveFilter(&'a str),
    RemoveBinding(&'a str),
    None,
}

/// Programs that were compiled for a change, each with the first port that it is for.
type Fresh = Vec<(String, Arc<Compiled>)>;

/// Something that is to be in force.
struct Next<'a> {
    state: State,
    paper: Paper<'a>,
    filters: Option<Arc<Filters>>,
}

/// Ports.
impl Engine {
    /// Binds a filter to a port.
    ///
    /// # Errors
    /// 9 when the port is bound, 62 when there is no such filter, 1 when it can not be instantiated, 38 when it can not
    /// be kept, or what the kernel says; nothing is changed then.
    pub fn create(&self, def: BindingDef, maker: Maker) -> Result<()> {
        let mut force = self.force.lock();
        if let Some(bound) = force.state.ports.get(&def.port) {
            let same = bound.record.def == def && bound.record.maker == maker && bound.closed().is_none();
            if maker == Maker::Guest && same {
                tracing::debug!(port = def.port, "the guest's port is bound already");
                return Ok(());
            }
            if !replaceable(bound, maker) {
                let (port, owner) = (&def.port, &bound.record.def.owner.name);
                let message = format!(
                    "port '{port}' is bound already, for '{}', to filter '{}': delete that binding first",
                    owner.escape_debug(),
                    bound.record.def.filter
                );
                return Err(Error::new(Code::OPERATION_FAILED, Origin::NWFILTER, message));
            }
            tracing::warn!(
                port = def.port,
                filter = def.filter,
                "a binding that nobody uses any more is replaced"
            );
        }
        let record = Record {
            def,
            maker,
            learned: Vec::new(),
        };
        self.put(&mut force, record, None)
    }

    /// Takes a port's filter off; with a generation only that binding of the port.
    ///
    /// # Errors
    /// 101 when it has none, 38 when its file can not be removed, or what the kernel says; nothing is changed then.
    pub fn delete(&self, port: &str, generation: Option<u64>) -> Result<()> {
        let mut force = self.force.lock();
        let bound = force.state.ports.get(port);
        if !bound.is_some_and(|bound| generation.is_none_or(|generation| generation == bound.generation)) {
            return Err(unbound(port));
        }
        let filters = self.filters();
        let mut plan = Plan::new(&force.state, &filters, &self.internal);
        plan.remove(port);
        let next = Next {
            state: plan.finish(),
            paper: Paper::RemoveBinding(port),
            filters: None,
        };
        self.carry_out(&mut force, next)?;
        tracing::info!(port, "filter taken off the port");
        Ok(())
    }

    /// Gives a port the addresses that its guest was found to use.
    ///
    /// # Errors
    /// As [`Engine::create`]; that the binding is another one by now is none.
    pub fn learned(&self, port: &str, generation: u64, addresses: &[IpAddr]) -> Result<()> {
        let mut force = self.force.lock();
        let same = |bound: &&Arc<Bound>| bound.generation == generation && bound.lesson.is_some();
        let Some(bound) = force.state.ports.get(port).filter(same) else {
            tracing::debug!(
                port,
                ?addresses,
                "learned too late, the binding is gone or needs no address"
            );
            return Ok(());
        };
        if bound.record.learned == addresses {
            return Ok(());
        }
        let mut record = bound.record.clone();
        record.learned = addresses.to_vec();
        self.put(&mut force, record, Some(generation))?;
        tracing::info!(port, ?addresses, "addresses learned");
        Ok(())
    }

    fn put(&self, force: &mut Force, record: Record, generation: Option<u64>) -> Result<()> {
        let filters = self.filters();
        let generation = generation.unwrap_or_else(|| force.next_generation());
        let (port, filter) = (record.def.port.clone(), record.def.filter.clone());
        let old = force.state.ports.get(&port).map(|bound| bound.program.clone());
        let mut plan = Plan::new(&force.state, &filters, &self.internal).sharing();
        let staged = self.bindings.stage(&record)?;
        plan.remove(&port);
        let failed = |error: Error| error.within(format!("cannot bind filter '{filter}' to port '{port}'"));
        plan.place(record, generation, old).map_err(failed)?;
        let fresh = plan.fresh().to_vec();
        let next = Next {
            state: plan.finish(),
            paper: Paper::Put(staged),
            filters: None,
        };
        self.carry_out(force, next).map_err(failed)?;
        self.tell(force, fresh);
        if !force.backend(&self.opener)?.has_device(&port) {
            tracing::info!(
                port,
                "there is no such device yet, it is filtered from the moment it is there"
            );
        }
        Ok(())
    }
}

/// Filters.
impl Engine {
    /// Puts another table of filters into force, in which `changed` differ from before.
    ///
    /// # Errors
    /// 1 when a port can not be rebuilt, 38 when the file can not be put in place, or what the kernel says; nothing is
    /// changed then.
    pub fn define(&self, filters: Filters, changed: &BTreeSet<String>, staged: Option<Staged>) -> Result<()> {
        let mut force = self.force.lock();
        let (state, fresh) = self.rebuilt(&force, &filters, |bound| !bound.uses.is_disjoint(changed))?;
        let next = Next {
            state,
            paper: staged.map_or(Paper::None, Paper::Put),
            filters: Some(Arc::new(filters)),
        };
        self.carry_out(&mut force, next)?;
        self.tell(&mut force, fresh);
        Ok(())
    }

    /// Puts a table of filters into force that was read anew; every port is rebuilt.
    ///
    /// # Errors
    /// As [`Engine::define`].
    pub fn reload(&self, filters: Filters) -> Result<()> {
        let mut force = self.force.lock();
        let (state, fresh) = self.rebuilt(&force, &filters, |_| true)?;
        // What somebody else did to our tables is undone too.
        force.doubt = true;
        let next = Next {
            state,
            paper: Paper::None,
            filters: Some(Arc::new(filters)),
        };
        self.carry_out(&mut force, next)?;
        self.tell(&mut force, fresh);
        Ok(())
    }

    /// Takes a filter away that no port uses.
    ///
    /// # Errors
    /// 62 when there is none, 55 when a port uses it, 38 when its file can not be removed.
    pub fn undefine(&self, uuid: Uuid) -> Result<String> {
        let mut force = self.force.lock();
        let (filters, def) = self.filters.load().without(uuid)?;
        let mut users = force
            .state
            .ports
            .values()
            .filter(|bound| bound.uses.contains(&def.name));
        if let Some(first) = users.next() {
            let more = match users.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let (name, port) = (&def.name, first.port());
            let message = format!("filter '{name}' is in use by port '{port}'{more}: delete the binding first");
            return Err(Error::new(Code::OPERATION_INVALID, Origin::NWFILTER, message));
        }
        let next = Next {
            state: force.state.clone(),
            paper: Paper::RemoveFilter(&def.name),
            filters: Some(Arc::new(filters)),
        };
        self.carry_out(&mut force, next)?;
        Ok(def.name)
    }

    fn rebuilt(&self, force: &Force, filters: &Filters, affected: impl Fn(&Bound) -> bool) -> Result<(State, Fresh)> {
        let mut plan = Plan::new(&force.state, filters, &self.internal);
        for bound in force.state.ports.values().filter(|bound| affected(bound)) {
            // It waits to be replaced.
            if bound.is_unreadable() {
                continue;
            }
            let old = Some(bound.program.clone());
            match (plan.place(bound.record.clone(), bound.generation, old), &bound.stage) {
                (Ok(()), Stage::Closed(_)) => {
                    tracing::info!(port = bound.port(), "the port's filter can be used again")
                }
                (Ok(()), _) => {}
                (Err(error), Stage::Closed(_)) => {
                    tracing::debug!(port = bound.port(), %error, "the port stays closed");
                }
                (Err(error), _) => {
                    return Err(error.within(format!("port '{}' could not be rebuilt", bound.port())));
                }
            }
        }
        let fresh = plan.fresh().to_vec();
        Ok((plan.finish(), fresh))
    }
}

/// Effects.
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

    fn carry_out(&self, force: &mut Force, next: Next<'_>) -> Result<()> {
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

/// What is closed is waiting for this; what a guest has left behind may be taken over by the next one that has the
/// device.
fn replaceable(bound: &Bound, maker: Maker) -> bool {
    bound.closed().is_some() || (maker == Maker::Guest && bound.record.maker == Maker::Guest)
}
