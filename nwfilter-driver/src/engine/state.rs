//! `State`: all that is in force, and the making of the next one. Pure.

use super::bound::{Bound, Ports, Stage};
use super::internal::CLOSED;
use super::name;
use super::need::{Need, Needs, Source};
use crate::binding::store::Record;
use crate::compile::{Compiled, compile};
use crate::def::vars::Parameters;
use crate::filters::Filters;
use crate::ruleset::{Desired, PortRules, ProgramName};
use driver_api::error::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What is in force: ports, and the rules that they make. Cheap to clone but for `desired`.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Every port.
    pub ports: Arc<Ports>,
    /// What the kernel has.
    pub desired: Desired,
    /// Where each program comes from.
    pub programs: BTreeMap<ProgramName, (Source, Arc<Compiled>)>,
}

/// A port's elements in each slot of its program.
type Slots = Vec<BTreeSet<Vec<u8>>>;

/// A port on its way into the next state.
#[derive(Debug)]
pub struct Placed {
    bound: Bound,
    source: Source,
    slots: Slots,
    /// The program that it had.
    old: Option<ProgramName>,
}

/// So many programs of a filter are tried for a port before it gets its own. If there are that many, its values are such as
/// no two ports share, and to try them all would cost the square of the ports.
const LOOKED_AT: usize = 64;

/// Makes the next state.
#[derive(Debug)]
pub struct Plan<'a> {
    filters: &'a Filters,
    internal: &'a Filters,
    needs: Needs<'a>,
    /// Programs that may be shared: those that stay, and those that were compiled on the way.
    known: HashMap<Source, Vec<Arc<Compiled>>>,
    next: State,
    placed: Vec<Placed>,
    /// What was compiled on the way, each with the first port that it is for.
    fresh: Vec<(String, Arc<Compiled>)>,
}

impl<'a> Plan<'a> {
    /// Begins with what is in force, for the same filters or others. Filters of our own never change, so that ports can use
    /// the programs of those that stay.
    #[must_use]
    pub fn new(state: &State, filters: &'a Filters, internal: &'a Filters) -> Self {
        let plan = Self {
            filters,
            internal,
            needs: Needs::new(filters),
            known: HashMap::new(),
            next: state.clone(),
            placed: Vec::new(),
            fresh: Vec::new(),
        };
        plan.knowing(|source| matches!(source, Source::Internal(_)))
    }

    /// Lets ports use the programs of those that stay; not to be called when filters change.
    #[must_use]
    pub fn sharing(self) -> Self {
        self.knowing(|source| matches!(source, Source::Filter(_)))
    }

    fn knowing(mut self, which: impl Fn(&Source) -> bool) -> Self {
        for (source, compiled) in self.next.programs.values().filter(|(source, _)| which(source)) {
            let known = self.known.entry(source.clone()).or_default();
            known.push(Arc::clone(compiled));
        }
        self
    }

    /// Takes a port out; what it had, if it was there.
    pub fn remove(&mut self, port: &str) -> Option<Arc<Bound>> {
        let bound = Arc::make_mut(&mut self.next.ports).remove(port)?;
        self.next.desired.ports.remove(port);
        Some(bound)
    }

    /// Puts a port in, in the place of what it had; `old` is the program that it has in the kernel.
    ///
    /// # Errors
    /// Why its filter can not be bound to it.
    pub fn place(&mut self, record: Record, generation: u64, old: Option<ProgramName>) -> Result<()> {
        let need = self.needs.of(&record, generation)?;
        let (compiled, slots) = self.rules(&record.def.port, &need)?;
        let stage = match need.source {
            Source::Filter(_) => Stage::Filtered,
            Source::Internal(_) => Stage::Learning,
        };
        let uses = self.needs.uses(&record.def.filter);
        let Need { source, values, lesson } = need;
        self.put(Placed {
            bound: Bound {
                record,
                generation,
                stage,
                lesson,
                uses,
                values,
                program: ProgramName::new(),
                compiled,
            },
            source,
            slots,
            old,
        });
        Ok(())
    }

    /// Puts a port in that lets nothing through.
    ///
    /// # Errors
    /// The driver has a bug.
    pub fn close(&mut self, record: Record, generation: u64, old: Option<ProgramName>, why: String) -> Result<()> {
        let need = Need {
            source: Source::Internal(CLOSED.to_owned()),
            values: Parameters::new(),
            lesson: None,
        };
        let (compiled, slots) = self.rules(&record.def.port, &need)?;
        let uses = self.needs.uses(&record.def.filter);
        self.put(Placed {
            bound: Bound {
                record,
                generation,
                stage: Stage::Closed(why),
                lesson: None,
                uses,
                values: need.values,
                program: ProgramName::new(),
                compiled,
            },
            source: need.source,
            slots,
            old,
        });
        Ok(())
    }

    fn put(&mut self, placed: Placed) {
        self.remove(placed.bound.port());
        self.placed.push(placed);
    }

    /// Rules that somebody else has already, or new ones.
    fn rules(&mut self, port: &str, need: &Need) -> Result<(Arc<Compiled>, Slots)> {
        let known = self.known.entry(need.source.clone()).or_default();
        let mut near = known.iter().rev().take(LOOKED_AT);
        if let Some(fitting) = near.find(|compiled| compiled.fits(&need.values)) {
            return Ok((Arc::clone(fitting), fitting.fill(&need.values)?));
        }
        let compiled = match &need.source {
            Source::Filter(top) => compile(self.filters, top, &need.values)?,
            Source::Internal(top) => compile(self.internal, top, &need.values)?,
        };
        let slots = compiled.fill(&need.values)?;
        let compiled = Arc::new(compiled);
        known.push(Arc::clone(&compiled));
        self.fresh.push((port.to_owned(), Arc::clone(&compiled)));
        Ok((compiled, slots))
    }

    /// The next state, with names for all programs.
    #[must_use]
    pub fn finish(mut self) -> State {
        let used = self.next.desired.ports.values().map(|port| port.program.as_str());
        let used: BTreeSet<&str> = used.collect();
        let mut programs = std::mem::take(&mut self.next.programs);
        programs.retain(|name, _| used.contains(name.as_str()));
        let wanted = self.placed.iter().map(|placed| name::Wanted {
            compiled: &placed.bound.compiled,
            old: placed.old.as_deref(),
        });
        let staying = programs.iter().map(|(name, (_, compiled))| (name.as_str(), compiled));
        let names = name::assign(wanted.collect(), staying.collect());
        let ports = Arc::make_mut(&mut self.next.ports);
        for (placed, program) in self.placed.into_iter().zip(names) {
            let Placed {
                mut bound,
                source,
                slots,
                ..
            } = placed;
            let rules = PortRules {
                program: program.clone(),
                slots,
            };
            self.next.desired.ports.insert(bound.port().to_owned(), Arc::new(rules));
            programs
                .entry(program.clone())
                .or_insert_with(|| (source, Arc::clone(&bound.compiled)));
            bound.program = program;
            ports.insert(bound.port().to_owned(), Arc::new(bound));
        }
        let in_force = programs
            .iter()
            .map(|(name, (_, compiled))| (name.clone(), Arc::clone(&compiled.program)));
        self.next.desired.programs = in_force.collect();
        self.next.programs = programs;
        self.next
    }

    /// What was compiled on the way, each with the first port that it is for.
    #[must_use]
    pub fn fresh(&self) -> &[(String, Arc<Compiled>)] {
        &self.fresh
    }
}
