//! Hostile input: documents, names, numbers and UUIDs that no friend would send.

mod names;
mod texts;

use super::domains::VIRT;
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::checks::domains::{BAD_DOCUMENT, either, expect_calm, expect_state, expect_words, remove};
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Result};
use driver_api::types::domain::{DomainBrief, State};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "FUZZ-001",
        title: "a document that is cut off anywhere is refused, and nothing changes",
        clause: "input.hostile",
        why: "Connections break in the middle of a document.",
        fix: "Parse the whole document before you use any of it; `kit::xml::parse` does.",
        run: texts::cut_off,
        ..VIRT
    },
    Check {
        id: "FUZZ-002",
        title: "documents with random changes are refused or defined as they are printed",
        clause: "input.hostile",
        why: "What nobody thought of is met by somebody. The seed repeats the document.",
        fix: "No `unwrap`, indexing or plain arithmetic on what came from outside.",
        run: texts::changed_at_random,
        ..VIRT
    },
    Check {
        id: "FUZZ-003",
        title: "elements that are nested without end are refused",
        clause: "input.hostile",
        why: "A parser that calls itself for each level runs out of stack, and the host ends with it.",
        fix: "Limit the depth (`Limits::depth` of `kit::xml`).",
        run: texts::nested,
        ..VIRT
    },
    Check {
        id: "FUZZ-004",
        title: "entities and document types are refused: nothing is read, nothing grows",
        clause: "input.hostile",
        why: "An external entity reads the host's files into a definition; ten lines of internal ones fill its memory.",
        fix: "Know no document type and no entity but XML's five; `kit::xml::parse` does.",
        run: texts::entities,
        ..VIRT
    },
    Check {
        id: "FUZZ-005",
        title: "huge documents are answered in time",
        clause: "input.hostile",
        why: "A document of some megabytes must cost what reading it costs, not its square.",
        fix: "Limit bytes, elements and attributes; compare no element with every other one.",
        run: texts::huge,
        ..VIRT
    },
    Check {
        id: "FUZZ-006",
        title: "numbers that are too large, negative or none are refused, or kept as they are",
        clause: "input.hostile",
        why: "A product that overflows gives a guest of 0 bytes, or ends the call with a panic.",
        fix: "`parse::<u64>()`, `checked_mul`, and a range.",
        run: texts::numbers,
        ..VIRT
    },
    Check {
        id: "FUZZ-007",
        title: "what may be there once and is there twice is refused, or read one way everywhere",
        clause: "input.hostile",
        why: "Two readers that take another one of two names let a client pass a check under a false one.",
        fix: "Refuse the second one, or take the first everywhere.",
        run: texts::twice,
        ..VIRT
    },
    Check {
        id: "FUZZ-010",
        title: "a name leaves no folder: no file of it lies outside of the driver's own",
        clause: "input.names",
        why: "Whoever may define a domain must not choose the file that is written.",
        fix: "Name files by the UUID, or refuse `/`, `.` and `..` in names.",
        run: names::stay_inside,
        ..VIRT
    },
    Check {
        id: "FUZZ-011",
        title: "a name that is taken is found under itself, printed and taken back; the others are refused",
        clause: "input.names",
        why: "A domain that can be defined and not be named any more can not be removed.",
        fix: "Refuse control characters and empty names with 27; keep all others byte by byte.",
        run: names::found_as_given,
        ..VIRT
    },
    Check {
        id: "FUZZ-012",
        title: "UUIDs in odd forms are refused, or mean the same everywhere",
        clause: "input.hostile",
        why: "Two spellings of one UUID must not be two domains.",
        fix: "Parse with `Uuid::from_str`, print with `Display`; refuse the UUID of zeros.",
        run: names::uuids,
        ..VIRT
    },
    Check {
        id: "FUZZ-013",
        title: "look-ups, flags and numbers of any value are answered",
        clause: "input.hostile",
        why: "Arguments come from clients as they are.",
        fix: "Answer `None` or the code for what there is not; never index or cast by an argument.",
        run: names::arguments,
        ..VIRT
    },
    Check {
        id: "FUZZ-014",
        title: "hostile device elements and notes are refused, and nothing changes",
        clause: "input.hostile",
        needs: &["virt.lifecycle/1", "virt.devices/1"],
        why: "They come by another way than documents, to the same parser, one hopes.",
        fix: "Parse elements with `kit::xml::parse`, with the same limits.",
        run: texts::devices,
        ..VIRT
    },
];

/// What a hostile definition may be refused with.
fn refusals() -> Vec<Code> {
    either(BAD_DOCUMENT, &[Code::INVALID_ARG, Code::OPERATION_FAILED])
}

/// How long one answer may take, however large the input: far more than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries one hostile definition. If it is refused that must be with a proper code, in words; if it is taken the domain
/// must be whole, print a document that can be defined again, and go away.
fn try_define(bench: &Bench, what: &str, document: &str) -> Outcome<bool> {
    let began = Instant::now();
    let answer = bench.define(document);
    let taken = began.elapsed();
    ensure!(
        taken < PATIENCE,
        "{what}: expected an answer within {PATIENCE:?}, found one after {taken:?}"
    );
    judge(bench, what, answer)
}

fn judge(bench: &Bench, what: &str, answer: Result<DomainBrief>) -> Outcome<bool> {
    let brief = match answer {
        Ok(brief) => brief,
        Err(error) => {
            expect_words(&error, what)?;
            Err::<(), _>(error).fails_with(&refusals(), what)?;
            return Ok(false);
        }
    };
    let found = expect_state(bench, brief.uuid, State::Shutoff, what)?;
    ensure_eq!(found, brief, "{what}: by_uuid, beside what define answered");
    let printed = bench
        .dump_xml(brief.uuid, 0)
        .succeeds(format_args!("dump_xml after {what}"))?;
    bench
        .define(&printed)
        .succeeds(format_args!("define of what dump_xml printed after {what}"))?;
    let again = bench.dump_xml(brief.uuid, 0).succeeds("dump_xml")?;
    ensure_eq!(again, printed, "{what}: dump_xml after define of what it printed");
    remove(bench, brief.uuid)?;
    Ok(true)
}

/// After all that, a good definition is as welcome as before, and nothing is left of the bad ones.
fn expect_service(ctx: &Ctx, bench: &Bench) -> Outcome {
    let left = bench.list().succeeds("list")?;
    ensure!(
        left.is_empty(),
        "list after hostile input: expected no domain, found {left:?}"
    );
    bench
        .define(&ctx.domain(1))
        .succeeds("define of a good document after hostile input")?;
    expect_state(
        bench,
        ctx.uuid(1),
        State::Shutoff,
        "define of a good document after hostile input",
    )?;
    bench.undefine(ctx.uuid(1)).succeeds("undefine")?;
    expect_calm(bench)
}

/// Every path below a folder but those below `except`.
fn paths(folder: &Path, except: &[&Path]) -> Outcome<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .map_err(|error| Failure::new(format!("the suite can not read '{}': {error}", folder.display())))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if except.contains(&path.as_path()) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path.clone());
            }
            found.insert(path);
        }
    }
    Ok(found)
}
