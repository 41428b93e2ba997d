//! Memory: how much a guest is to have, now and at its next start.
//!
//! A UML kernel gives memory back page by page and never asks itself whether it can spare it: told too much, it panics. So
//! it is asked before each step what it has to spare, and told no more than that.

use crate::core::{Core, fault, refused};
use crate::def::DomainDef;
use crate::mconsole::client::{Command, DEADLINE, PATIENCE};
use crate::plan::order::Order;
use crate::run::plug::startable;
use crate::run::session::{Edit, Session};
use crate::state::record::Record;
use crate::state::scope::Scope;
use driver_api::error::{Code, Error, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::flags::MEMORY_MAXIMUM;
use driver_api::types::notice::Notice;
use driver_api::types::uuid::Uuid;
use std::time::{Duration, Instant};

/// What a guest always keeps to spare, in KiB.
const KEPT: u64 = 8 << 10;
/// The most that is taken or given at once, in KiB: the kernel does nothing else meanwhile, and takes some 10 ms for a MiB.
const STEP: u64 = 8 << 10;
/// The least that is worth a step, in KiB.
const PAGE: u64 = 4;
/// How long the guest may take to make room by writing out and dropping what it caches.
const ROOM: Duration = Duration::from_secs(10);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);
/// libvirt's `VIR_ERR_OPERATION_ABORTED`.
const ABORTED: Code = Code(78);

impl Core {
    /// Sets how much memory a domain has, or may ever have.
    pub(crate) fn set_memory(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, kib: u64, flags: u32) -> Result<()> {
        let entry = self.table.entry(uuid)?;
        let maximum = flags & MEMORY_MAXIMUM != 0;
        if kib == 0 {
            let message = format!("domain '{}' can not do without memory", entry.name);
            return Err(fault(Code::INVALID_ARG, message));
        }
        let scope = Scope::of(&entry, &*entry.record()?, flags, "memory")?;
        if maximum && scope.live {
            return Err(refused(
                &entry,
                "is running, and the most that it may have can not be changed then: change the definition",
            ));
        }
        let edit = |def: &DomainDef, _: Option<&DomainDef>| with_memory(def, kib, maximum);
        let within = |error: Error| error.within(format!("cannot set the memory of domain '{}'", entry.name));
        let session = self.open_session(cx, &entry, scope.flags(), ("set memory", "memory"), &edit);
        let Some(session) = session.map_err(within)? else {
            return Ok(());
        };
        let id = self.resize(cx, &session, &edit, kib).map_err(within)?;
        drop(session);
        tracing::info!(dom = %entry.name, kib, "the guest's memory was changed");
        self.tell(&entry, id, Notice::BalloonChanged { actual_kib: kib });
        Ok(())
    }

    fn resize(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        edit: &Edit<'_>,
        kib: u64,
    ) -> Result<Option<i32>> {
        let record = session.entry.record()?;
        let (boot, now) = (record.current.memory.current_kib, record.memory_kib());
        if kib > boot {
            let message = format!(
                "{kib} KiB are more than the {boot} KiB with which domain '{}' was booted: a UML kernel gets no more until \
                 its next start",
                record.current.name
            );
            return Err(fault(Code::INVALID_ARG, message));
        }
        self.until_booted(session)?;
        // What is below a page can not be taken.
        let kib = kib.next_multiple_of(PAGE).min(boot);
        let changed = match kib < now {
            true => self.shrink(cx, session, now, kib),
            false => grow(session, boot, now, kib),
        };
        let settled = changed.and_then(|()| {
            self.settle(cx, session, edit, |record| {
                record.balloon = Some(kib).filter(|kib| *kib < boot);
                Ok(())
            })
        });
        settled.inspect_err(|_| self.give_back(cx, session, boot, now))
    }

    /// Takes memory in steps; each is noted before it is made, so that a next host never takes the guest to have more than
    /// it has.
    fn shrink(&self, cx: &mut Cx<'_, Unlocked>, session: &Session<'_>, now: u64, wanted: u64) -> Result<()> {
        let spare = Spare::of(session)?;
        if spare.available < (now - wanted) + KEPT {
            let least = now - spare.available.saturating_sub(KEPT).min(now);
            let message = format!(
                "the guest has {} KiB to spare and keeps {KEPT}: it can go down to {least} KiB now, not to {wanted}",
                spare.available
            );
            return Err(fault(Code::OPERATION_FAILED, message));
        }
        let (mut now, mut progress) = (now, Instant::now());
        while now > wanted {
            if session.is_cancelled() {
                return Err(fault(ABORTED, "the change was aborted by a client"));
            }
            let step = Spare::of(session)?.step(now - wanted);
            if step == 0 {
                if progress.elapsed() > ROOM {
                    let message = format!("the guest makes no room for more than {now} KiB to be left");
                    return Err(fault(Code::OPERATION_FAILED, message));
                }
                std::thread::sleep(LOOK);
                continue;
            }
            progress = Instant::now();
            self.note_memory(cx, session, now - step)?;
            tell(session, &Order::shrink(step))?;
            now -= step;
        }
        Ok(())
    }

    fn note_memory(&self, cx: &mut Cx<'_, Unlocked>, session: &Session<'_>, kib: u64) -> Result<()> {
        self.note(cx, session, |record| record.balloon = Some(kib))
    }

    /// Puts the guest back to what it had.
    fn give_back(&self, cx: &mut Cx<'_, Unlocked>, session: &Session<'_>, boot: u64, before: u64) {
        let Some(record) = session.entry.load().filter(|record| record.runs_on(session.run.guest)) else {
            return;
        };
        let now = record.memory_kib();
        let back = grow(session, boot, now, before).and_then(|()| {
            self.note(cx, session, |record: &mut Record| {
                record.balloon = Some(before).filter(|kib| *kib < boot);
            })
        });
        if let Err(error) = back {
            tracing::warn!(dom = %session.entry.name, %error, "the guest is left with less memory than before");
        }
    }
}

/// Gives memory back in steps. Up to what it was booted with all of it is given, whatever has been noted.
fn grow(session: &Session<'_>, boot: u64, now: u64, wanted: u64) -> Result<()> {
    let mut left = match wanted == boot && now < boot {
        true => boot,
        false => wanted.saturating_sub(now),
    };
    while left > 0 {
        let step = left.min(STEP);
        tell(session, &Order::grow(step))?;
        left -= step;
    }
    Ok(())
}

fn tell(session: &Session<'_>, order: &Order) -> Result<()> {
    let told = session.run.monitor.order(order, PATIENCE);
    told.map(drop)
        .map_err(|failure| failure.into_error("the guest's kernel does not change its memory"))
}

/// What a guest has to spare, in KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Spare {
    total: u64,
    free: u64,
    available: u64,
}

impl Spare {
    fn of(session: &Session<'_>) -> Result<Self> {
        let told = session.run.monitor.ask(Command::Meminfo, DEADLINE);
        let told =
            told.map_err(|failure| failure.into_error("the guest does not tell how much memory it can spare"))?;
        Self::read(&told).ok_or_else(|| {
            let message = "the guest's figures of memory make no sense";
            fault(Code::OPERATION_FAILED, message)
        })
    }

    fn read(meminfo: &str) -> Option<Self> {
        let figure = |name: &str| {
            let line = meminfo
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            total: figure("MemTotal")?,
            free: figure("MemFree")?,
            available: figure("MemAvailable")?,
        })
    }

    /// How much can be taken now. The kernel takes pages only from those that are free, quietly fewer than it was told; below
    /// its own reserve it begins to make more of them.
    fn step(self, wanted: u64) -> u64 {
        let reserve = self.total.saturating_mul(16).isqrt();
        let room = self
            .free
            .min(self.available.saturating_sub(KEPT / 2))
            .saturating_sub(reserve);
        let step = wanted.min(room).min(STEP);
        step - step % PAGE
    }
}

/// The definition with another size.
fn with_memory(def: &DomainDef, kib: u64, maximum: bool) -> Result<DomainDef> {
    let (max, current) = (def.memory.max_kib, def.memory.current_kib);
    let wrong = |message: String| Err(fault(Code::INVALID_ARG, message));
    let mut after = def.clone();
    match maximum {
        true if kib < current => {
            return wrong(format!(
                "the maximum of {kib} KiB is less than the {current} KiB that it begins with"
            ));
        }
        false if kib > max => return wrong(format!("{kib} KiB are more than the maximum, {max} KiB")),
        true => after.memory.max_kib = kib,
        false => after.memory.current_kib = kib,
    }
    startable(def, after.renumbered()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_the_kernel_tells_them() {
        let told =
            "\nMemTotal:          53448 kB\nMemFree:           38672 kB\nMemAvailable:   37600 kB\nBuffers: 0 kB\n";
        let spare = Spare::read(told).unwrap();
        assert_eq!((spare.total, spare.free, spare.available), (53448, 38672, 37600));
        for bad in [
            "",
            "MemTotal: 1 kB\nMemFree: 1 kB",
            "MemTotal:\nMemFree: x\nMemAvailable: 1 kB",
        ] {
            assert_eq!(Spare::read(bad), None);
        }
    }

    #[test]
    fn a_step_is_never_more_than_what_is_free() {
        let spare = |free, available| Spare {
            total: 53448,
            free,
            available,
        };
        // The kernel's own reserve of this size is 924 KiB.
        assert_eq!(spare(38_672, 37_600).step(100), 100);
        assert_eq!(spare(38_672, 37_600).step(60_000), STEP);
        assert_eq!(spare(1000, 30_000).step(60_000), 76);
        assert_eq!(spare(900, 30_000).step(60_000), 0);
        assert_eq!(spare(30_000, 5_500).step(60_000), 480);
        assert_eq!(spare(30_000, 4_000).step(60_000), 0);
        assert_eq!(spare(38_672, 37_600).step(3), 0);
    }
}
