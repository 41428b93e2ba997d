//! The state machine of a domain, walked at random beside a model of it.

mod model;

use super::domains::VIRT;
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::checks::domains::{expect_calm, startable};
use crate::fixture::Room;
use crate::{ensure, ensure_eq};
use driver_api::types::domain::flags::{START_PAUSED, XML_INACTIVE};
use driver_api::types::domain::{DomainBrief, State};
use model::{Answer, Model, Verb};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "STATE-001",
        title: "whatever is asked of domains, in whatever order, they are in the state that the contract says",
        clause: "lifecycle.idempotence",
        why: "A driver that is right in the usual order is met in every other order, too, by clients that retry and by two at once.",
        fix: "Decide each verb by the state under the domain's lock alone. The trace shows the last steps; the seed repeats them.",
        run: walks,
        ..VIRT
    },
    Check {
        id: "STATE-002",
        title: "definitions, names and marks of many idle domains are what the model says",
        clause: "lifecycle.define",
        why: "Tables that are right for one domain go wrong for the second one: names that are looked up by half, marks that wander.",
        fix: "Key everything by the UUID; compare whole names; the seed repeats the walk.",
        run: walks_idle,
        ..VIRT
    },
];

/// Domains that are walked with at once.
const DOMAINS: usize = 3;
/// How long a walk may take when every start is a real boot.
const TIME: Duration = Duration::from_secs(12);
/// The last steps that a failure shows.
const SHOWN: usize = 16;

struct Walk<'a> {
    ctx: &'a Ctx,
    bench: Bench,
    model: Model,
    /// The definition, as printed when it was idle, of each domain in each of its two versions.
    printed: Vec<[String; 2]>,
    ids: BTreeSet<i32>,
    trace: Vec<String>,
}

fn walks(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let (steps, time) = match ctx.fixtures().guests {
        Room::Memory => (400, Duration::from_secs(30)),
        Room::Real => (400, TIME),
    };
    walk(ctx, &Verb::ALL, steps, time)
}

fn walks_idle(ctx: &Ctx) -> Outcome {
    walk(ctx, &Verb::IDLE, 150, TIME)
}

fn walk(ctx: &Ctx, verbs: &[Verb], steps: usize, time: Duration) -> Outcome {
    let mut random = ctx.random();
    let mut walk = Walk::new(ctx)?;
    let began = Instant::now();
    for step in 1..=steps {
        let verb = verbs[random.usize(..verbs.len())];
        let n = random.usize(1..=DOMAINS);
        let Some(expected) = walk.model.expect(n, verb, ctx.fixtures()) else {
            continue;
        };
        walk.trace.push(format!("{step}. {verb:?} of domain {n}"));
        let stepped = walk.step(n, verb, &expected).and_then(|()| walk.compare());
        stepped.map_err(|failure| failure.when(walk.tale(ctx)))?;
        if began.elapsed() > time {
            break;
        }
    }
    expect_calm(&walk.bench)
}

impl<'a> Walk<'a> {
    fn new(ctx: &'a Ctx) -> Outcome<Self> {
        let bench = ctx.bench()?;
        let mut printed = Vec::new();
        for n in 1..=DOMAINS {
            let mut both = [String::new(), String::new()];
            for (place, document) in [ctx.domain(n), ctx.changed_domain(n)].iter().enumerate() {
                bench.define(document).succeeds("define")?;
                both[place] = bench.dump_xml(ctx.uuid(n), XML_INACTIVE).succeeds("dump_xml")?;
            }
            bench.undefine(ctx.uuid(n)).succeeds("undefine")?;
            printed.push(both);
        }
        Ok(Self {
            ctx,
            bench,
            model: Model::new(DOMAINS),
            printed,
            ids: BTreeSet::new(),
            trace: Vec::new(),
        })
    }

    fn tale(&self, ctx: &Ctx) -> String {
        let first = self.trace.len().saturating_sub(SHOWN);
        let steps = self.trace[first..].join("\n  ");
        format!("a walk from seed {}, whose last steps were\n  {steps}\n", ctx.seed())
    }

    /// One step: what the driver answers must be what the model says.
    fn step(&mut self, n: usize, verb: Verb, expected: &Answer) -> Outcome {
        let (bench, ctx) = (&self.bench, self.ctx);
        let uuid = ctx.uuid(n);
        let answer = match verb {
            Verb::Define => bench.define(&ctx.domain(n)).map(drop),
            Verb::Redefine => bench.define(&ctx.changed_domain(n)).map(drop),
            Verb::Create => bench.create(&ctx.domain(n)).map(drop),
            Verb::Undefine => bench.undefine(uuid),
            Verb::Start => bench.start(uuid).map(drop),
            Verb::StartPaused => bench
                .virt("start", |virt, call| virt.start(call, uuid, START_PAUSED))
                .map(drop),
            Verb::Shutdown => bench.shutdown(uuid),
            Verb::Destroy => bench.destroy(uuid),
            Verb::Suspend => bench.suspend(uuid),
            Verb::Resume => bench.resume(uuid),
            Verb::Mark => bench.set_autostart(uuid, true),
            Verb::Unmark => bench.set_autostart(uuid, false),
            Verb::TakeName => {
                let name = ctx.name(n % DOMAINS + 1);
                bench
                    .define(&ctx.domain_as(&ctx.fixtures().domain.valid, &name, uuid))
                    .map(drop)
            }
        };
        let what = format!("{verb:?} of domain {n}");
        match expected {
            Answer::Done => answer.succeeds(&what)?,
            Answer::Refused(codes) => drop(answer.fails_with(codes, &what)?),
            Answer::DoneOrRefused(codes) => match answer {
                Ok(()) => {}
                refused @ Err(_) => drop(refused.fails_with(codes, &what)?),
            },
        }
        let obeys = ctx.fixtures().domain.obeys_shutdown;
        if verb == Verb::Shutdown && !obeys {
            // Whatever was answered: the guest goes on.
            return Ok(());
        }
        if verb == Verb::Shutdown && *expected == Answer::Done {
            let within = ctx.fixtures().timing.shutdown();
            let is_off = |bench: &Bench| {
                let found = bench.by_uuid(uuid);
                found.is_ok_and(|found| found.is_none_or(|brief| brief.id.is_none()))
            };
            ensure!(
                bench.wait(within, is_off),
                "{what}: expected it to be off within {within:?}, found it active"
            );
        }
        self.model.apply(n, verb, expected);
        Ok(())
    }

    /// Everything that can be seen must be what the model says.
    fn compare(&mut self) -> Outcome {
        let list = self.bench.list().succeeds("list")?;
        let known = (1..=DOMAINS).filter(|n| self.model.domain(*n).is_some()).count();
        ensure_eq!(list.len(), known, "list: the number of domains");
        for n in 1..=DOMAINS {
            let uuid = self.ctx.uuid(n);
            let found = self.bench.by_uuid(uuid).succeeds("by_uuid")?;
            let listed = list.iter().find(|brief| brief.uuid == uuid);
            ensure_eq!(listed, found.as_ref(), "list beside by_uuid of domain {n}");
            match (self.model.domain(n).cloned(), found) {
                (None, None) => {}
                (Some(domain), Some(brief)) => self.compare_one(n, &domain, &brief)?,
                (expected, found) => {
                    return Err(Failure::new(format!(
                        "domain {n}: expected {expected:?}, found {found:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    fn compare_one(&mut self, n: usize, domain: &model::Domain, brief: &DomainBrief) -> Outcome {
        let state = match domain.run {
            None => State::Shutoff,
            Some(run) if run.paused => State::Paused,
            Some(_) => State::Running,
        };
        ensure_eq!(brief.state, state, "domain {n}: the state");
        ensure_eq!(
            brief.persistent,
            domain.defined.is_some(),
            "domain {n}: whether it is persistent"
        );
        ensure_eq!(brief.autostart, domain.marked, "domain {n}: the autostart mark");
        ensure_eq!(brief.name, self.ctx.name(n), "domain {n}: the name");
        ensure_eq!(
            brief.id.is_some(),
            domain.run.is_some(),
            "domain {n}: whether it has an id"
        );
        if let Some(id) = brief.id {
            match self.model.id(n) {
                Some(old) => ensure_eq!(id, old, "domain {n}: its id while it runs"),
                None => {
                    ensure!(id > 0, "domain {n}: its id: expected a positive one, found {id}");
                    ensure!(
                        self.ids.insert(id),
                        "domain {n}: expected a fresh id, found {id}, which was given out before"
                    );
                    self.model.keep_id(n, id);
                }
            }
        }
        if let Some(version) = domain.defined {
            let now = self
                .bench
                .dump_xml(brief.uuid, XML_INACTIVE)
                .succeeds("dump_xml with XML_INACTIVE")?;
            let expected = &self.printed[n - 1][version];
            ensure_eq!(now, *expected, "domain {n}: its definition");
        }
        Ok(())
    }
}
