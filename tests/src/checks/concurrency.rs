//! Many callers at once.

mod races;

use super::domains::{VIRT, expect_calm, remove, startable};
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::fixture::Room;
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::domain::{DomainBrief, State};
use driver_api::types::uuid::Uuid;
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "CONC-001",
        title: "whole lives of many domains at once are as if one came after the other",
        clause: "threads.concurrency",
        why: "Clients are served in parallel. A table that is read, changed and written back loses what another thread wrote.",
        fix: "Change one domain under its own lock, the set of names where nobody else can; publish by replacing one entry.",
        run: lives_at_once,
        ..VIRT
    },
    Check {
        id: "CONC-002",
        title: "of many starts of one domain at once exactly one does it",
        clause: "threads.concurrency",
        why: "Two guests on one disk destroy it.",
        fix: "Begin a job on the domain under its lock, before you let the lock go for the start itself.",
        run: races::one_start,
        ..VIRT
    },
    Check {
        id: "CONC-003",
        title: "of many destroys of one domain at once exactly one does it",
        clause: "threads.concurrency",
        why: "A second one that goes through ends the next run of the domain, or its ports.",
        fix: "Decide by the state under the domain's lock; check again after a wait.",
        run: races::one_destroy,
        ..VIRT
    },
    Check {
        id: "CONC-004",
        title: "a destroy during a start ends it, and nothing is left",
        clause: "lifecycle.stop",
        why: "A guest that hangs in its boot must be ended; one that comes up after it was destroyed belongs to nobody.",
        fix: "Cancel the start's job (`cancel_job`), wait until it is over, then look at the state again.",
        run: races::destroy_during_start,
        ..VIRT
    },
    Check {
        id: "CONC-005",
        title: "of two definitions at once that want one name, or one UUID, exactly one wins",
        clause: "lifecycle.define",
        why: "Two domains with one name can not be told apart.",
        fix: "Look for the name and add the domain in one step, under Virt exclusively.",
        run: one_name,
        ..VIRT
    },
    Check {
        id: "CONC-006",
        title: "a definition during a start is kept for the next one",
        clause: "lifecycle.define",
        why: "A start that publishes what it read at its beginning takes the new definition back.",
        fix: "When the guest runs, change the entry as it is then, not as it was when you began.",
        run: races::define_during_start,
        ..VIRT
    },
    Check {
        id: "CONC-007",
        title: "whoever reads during changes sees states that there are, and each domain once",
        clause: "lifecycle.list",
        why: "A reader that finds a domain twice, or running without an id, or not at all, acts on what never was.",
        fix: "Publish whole entries; take one snapshot for a whole list.",
        run: reads_are_whole,
        ..VIRT
    },
    Check {
        id: "CONC-008",
        title: "a thousand domains are listed whole while others come and go",
        clause: "lifecycle.list",
        why: "A list is made most often where there is most in it.",
        fix: "Keep the list in a snapshot that is replaced, not in a table that is locked for all of it.",
        run: a_thousand,
        ..VIRT
    },
];

/// Runs `work` on so many threads, which begin at one moment; the first failure is the answer.
fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Outcome<Vec<T>> {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(thread)
                })
            })
            .collect();
        let mut answers = Vec::new();
        for handle in handles {
            let died = |_| Failure::new("a thread of the suite died");
            answers.push(handle.join().map_err(died)?);
        }
        Ok(answers)
    })
}

fn lives_at_once(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let is_startable = ctx.fixtures().domain.startable && ctx.fixtures().domain.stays;
    let (threads, rounds, starts) = match ctx.fixtures().guests {
        Room::Memory => (8, 8, 8),
        Room::Real => (4, 6, 1),
    };
    let live = |thread: usize| -> Outcome<Vec<i32>> {
        let n = thread + 1;
        let uuid = ctx.uuid(n);
        let mut ids = Vec::new();
        for round in 1..=rounds {
            let told =
                |failure: Failure| failure.when(format_args!("domain {n}, round {round}, beside {threads} others"));
            let step = || -> Outcome<Option<i32>> {
                bench.define(&ctx.domain(n)).succeeds("define")?;
                bench.define(&ctx.changed_domain(n)).succeeds("define once more")?;
                bench.set_autostart(uuid, true).succeeds("set_autostart")?;
                let mut id = None;
                if is_startable && round <= starts {
                    id = bench.start(uuid).succeeds("start")?.id;
                    let found = bench.by_uuid(uuid).succeeds("by_uuid")?;
                    let state = found.map(|brief| (brief.state, brief.autostart, brief.id));
                    ensure_eq!(
                        state,
                        Some((State::Running, true, id)),
                        "state, mark and id after start"
                    );
                    bench.destroy(uuid).succeeds("destroy")?;
                }
                bench.undefine(uuid).succeeds("undefine")?;
                let left = bench.by_uuid(uuid).succeeds("by_uuid")?;
                ensure!(
                    left.is_none(),
                    "by_uuid after undefine: expected nothing, found {left:?}"
                );
                Ok(id)
            };
            ids.extend(step().map_err(told)?);
        }
        Ok(ids)
    };
    let mut all = Vec::new();
    for ids in at_once(threads, live)? {
        all.extend(ids?);
    }
    let unique: BTreeSet<i32> = all.iter().copied().collect();
    ensure_eq!(
        unique.len(),
        all.len(),
        "ids that were given out at once: each once, in {all:?}"
    );
    let left = bench.list().succeeds("list")?;
    ensure!(
        left.is_empty(),
        "list when all is undefined: expected no domain, found {left:?}"
    );
    if is_startable {
        races::marks_beside_a_life(ctx, &bench, threads + 1, starts)?;
    }
    expect_calm(&bench)
}

fn one_name(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let valid = &ctx.fixtures().domain.valid;
    for round in 0..40 {
        let (first, second) = (100 + 2 * round, 101 + 2 * round);
        let documents = if round % 2 == 0 {
            // Two UUIDs, one name.
            [first, second].map(|n| ctx.domain_as(valid, &ctx.name(first), ctx.uuid(n)))
        } else {
            // Two names, one UUID.
            [first, second].map(|n| ctx.domain_as(valid, &ctx.name(n), ctx.uuid(first)))
        };
        let answers = at_once(2, |thread| bench.define(&documents[thread]))?;
        let told = |failure: Failure| failure.when(format_args!("round {round}, two definitions at once"));
        let mut won = Vec::new();
        for answer in answers {
            match answer {
                Ok(brief) => won.push(brief),
                Err(error) => {
                    let refused = Err::<(), _>(error).fails_with(&[Code::OPERATION_FAILED], "define that lost");
                    refused.map_err(told)?;
                }
            }
        }
        let kind = if round % 2 == 0 { "name" } else { "UUID" };
        ensure_eq!(
            won.len(),
            1,
            "round {round}: how many of two definitions that want one {kind} won"
        );
        let list = bench.list().succeeds("list")?;
        ensure_eq!(
            list,
            won,
            "round {round}: list, beside what the definition that won answered"
        );
        bench.undefine(won[0].uuid).succeeds("undefine")?;
    }
    expect_calm(&bench)
}

/// What the contract says of every brief, whenever it is read.
fn expect_whole(brief: &DomainBrief) -> Outcome {
    ensure_eq!(
        brief.id.is_some(),
        brief.state.is_active(),
        "a brief that was read during changes: whether it has an id, in {brief:?}"
    );
    ensure!(
        brief.persistent || brief.id.is_some(),
        "a brief that was read during changes: expected a domain that is defined or runs, found {brief:?}"
    );
    ensure!(
        matches!(
            brief.state,
            State::Running | State::Paused | State::Shutdown | State::Shutoff
        ),
        "a brief that was read during changes: expected a state that was asked for, found {brief:?}"
    );
    Ok(())
}

/// Reads whatever can be read until told to stop; what it finds must be whole.
fn read_on(bench: &Bench, ctx: &Ctx, over: &AtomicBool, stays: Uuid) -> Outcome {
    while !over.load(Ordering::Relaxed) {
        let list = bench.list().succeeds("list")?;
        let uuids: BTreeSet<Uuid> = list.iter().map(|brief| brief.uuid).collect();
        let names: BTreeSet<&str> = list.iter().map(|brief| brief.name.as_str()).collect();
        ensure!(
            uuids.len() == list.len() && names.len() == list.len(),
            "list during changes: expected each domain once, found {list:?}"
        );
        ensure!(
            uuids.contains(&stays),
            "list during changes: expected a domain that nobody changes, found {list:?}"
        );
        for brief in &list {
            expect_whole(brief)?;
        }
        if let Some(brief) = bench.by_uuid(ctx.uuid(1)).succeeds("by_uuid")? {
            expect_whole(&brief)?;
            ensure_eq!(brief.name, ctx.name(1), "by_uuid during changes: the name");
        }
        if let Some(brief) = bench.by_name(&ctx.name(1)).succeeds("by_name")? {
            expect_whole(&brief)?;
            ensure_eq!(brief.uuid, ctx.uuid(1), "by_name during changes: the UUID");
        }
        match bench.dump_xml(ctx.uuid(1), 0) {
            Ok(text) => {
                crate::checks::domains::tree(&text)?;
            }
            Err(error) => {
                Err::<(), _>(error).fails_with(&[Code::NO_DOMAIN], "dump_xml during changes")?;
            }
        }
    }
    Ok(())
}

fn reads_are_whole(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(2)).succeeds("define")?;
    let rounds = match ctx.fixtures().guests {
        Room::Memory => 60,
        Room::Real => 2,
    };
    let over = AtomicBool::new(false);
    let uuid = ctx.uuid(1);
    let change = || -> Outcome {
        for _ in 0..rounds {
            bench.define(&ctx.domain(1)).succeeds("define")?;
            bench.start(uuid).succeeds("start")?;
            if ctx.fixtures().domain.suspendable {
                bench.suspend(uuid).succeeds("suspend")?;
                bench.resume(uuid).succeeds("resume")?;
            }
            bench.define(&ctx.changed_domain(1)).succeeds("define while it runs")?;
            bench.destroy(uuid).succeeds("destroy")?;
            bench.undefine(uuid).succeeds("undefine")?;
        }
        Ok(())
    };
    let answers = at_once(3, |thread| {
        if thread > 0 {
            return read_on(&bench, ctx, &over, ctx.uuid(2));
        }
        let changed = change();
        over.store(true, Ordering::Relaxed);
        changed
    })?;
    for answer in answers {
        answer?;
    }
    expect_calm(&bench)
}

fn a_thousand(ctx: &Ctx) -> Outcome {
    const MANY: usize = 1_000;
    let bench = ctx.bench()?;
    // By several at once: most of it is waiting for the disk.
    let made = at_once(4, |thread| -> Outcome {
        for n in (1..=MANY).filter(|n| n % 4 == thread) {
            bench
                .define(&ctx.domain(n))
                .succeeds(format_args!("define of domain {n}"))?;
        }
        Ok(())
    })?;
    for made in made {
        made?;
    }
    let all: BTreeSet<Uuid> = (1..=MANY).map(|n| ctx.uuid(n)).collect();
    let over = AtomicBool::new(false);
    let come_and_go = || -> Outcome {
        for round in 0..30 {
            let n = MANY + 1 + round % 3;
            bench.define(&ctx.domain(n)).succeeds("define beside a thousand")?;
            bench
                .set_autostart(ctx.uuid(1 + round), round % 2 == 0)
                .succeeds("set_autostart")?;
            bench.undefine(ctx.uuid(n)).succeeds("undefine beside a thousand")?;
        }
        Ok(())
    };
    let list_on = || -> Outcome {
        let mut lists = 0;
        while lists < 5 || !over.load(Ordering::Relaxed) {
            lists += 1;
            let list = bench.list().succeeds("list of a thousand")?;
            let found: BTreeSet<Uuid> = list.iter().map(|brief| brief.uuid).collect();
            ensure_eq!(found.len(), list.len(), "list of a thousand: each domain once");
            let missing = all.difference(&found).count();
            ensure!(
                missing == 0,
                "list of a thousand while others come and go: expected all of them, found {missing} missing"
            );
            ensure!(
                list.len() <= MANY + 1,
                "list of a thousand: expected one more at most, found {}",
                list.len()
            );
        }
        Ok(())
    };
    let answers = at_once(2, |thread| {
        if thread > 0 {
            return list_on();
        }
        let changed = come_and_go();
        over.store(true, Ordering::Relaxed);
        changed
    })?;
    for answer in answers {
        answer?;
    }
    for n in [1, MANY / 2, MANY] {
        let found = bench.by_name(&ctx.name(n)).succeeds("by_name")?;
        ensure_eq!(
            found.map(|brief| brief.uuid),
            Some(ctx.uuid(n)),
            "by_name of domain {n} of a thousand"
        );
        remove(&bench, ctx.uuid(n))?;
    }
    let list = bench.list().succeeds("list")?;
    ensure_eq!(
        list.len(),
        MANY - 3,
        "list after three of a thousand were undefined: the number of domains"
    );
    expect_calm(&bench)
}
