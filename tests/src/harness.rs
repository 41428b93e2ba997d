//! The suite as `cargo test`: one entry a check, for a driver's own `tests/conformance.rs` with `harness = false`.
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     conformance::harness(&conformance::harness::library("foo_driver"), conformance::runner::Options::default())
//! }
//! ```

use crate::check::{Reason, Verdict};
use crate::runner::outcome::Outcome;
use crate::runner::plan::Planned;
use crate::runner::report::cause;
use crate::runner::{Options, Session, child, guard};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// The argument that makes this program a host.
pub(crate) const HOST: &str = "__host";

/// Runs what this program was started for by itself: a supervisor, a host, a cell, a guard or a check. Must be the first thing in
/// `main` of a program that runs checks; [`harness`] does it.
#[must_use]
pub fn entry() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next()?;
    let rest = || {
        arguments
            .map(|rest| rest.to_string_lossy().into_owned())
            .collect::<Vec<String>>()
    };
    match first.to_str()? {
        lockstep::supervisor::child::ARGUMENT => Some(lockstep::supervisor::child::main()),
        child::ARGUMENT => Some(child::main()),
        // A host for checks of the wire: the host's own command line.
        HOST => Some(lockstep::cli::main(std::env::args_os().skip(1))),
        guard::CELL => Some(guard::cell(&rest())),
        guard::GUARD => Some(guard::guard(&rest())),
        _ => None,
    }
}

/// The library of the package whose test this is: beside the test itself, where cargo has just built it. The folder above
/// may hold an older one: `cargo test --test NAME` puts no library there.
#[must_use]
pub fn library(name: &str) -> PathBuf {
    let file = format!("lib{}.so", name.replace('-', "_"));
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.with_file_name(&file);
    if beside.exists() {
        return beside;
    }
    let above = program.ancestors().nth(2).unwrap_or(Path::new("."));
    above.join(file)
}

/// Runs the suite on one plug-in as a test program: lists, filters and reports as cargo's own tests do. A check that is
/// skipped is shown as ignored, with its reason.
#[must_use]
pub fn harness(plugin: &Path, options: Options) -> ExitCode {
    if let Some(code) = entry() {
        return code;
    }
    let session = match Session::open(plugin, &options) {
        Ok(session) => Arc::new(session),
        Err(error) => {
            eprintln!("conformance: {error}");
            return ExitCode::from(crate::runner::outcome::exit::CANNOT_RUN);
        }
    };
    eprintln!("conformance: seed {}", session.seed());
    let plan = session.plan(&options.selection);
    let failed = Failures::default();
    let trials = plan
        .checks
        .into_iter()
        .map(|planned| trial(&session, &failed, planned))
        .collect();
    let arguments = Arguments::from_args();
    let code = libtest_mimic::run(&arguments, trials).exit_code();
    let failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cause) = cause::shared(&failed) {
        eprint!("conformance: {}", cause.told());
    }
    code
}

/// What failed, for what is said at the end.
type Failures = Arc<Mutex<Vec<Outcome>>>;

fn trial(session: &Arc<Session>, failures: &Failures, planned: Planned) -> Trial {
    let (session, failures) = (Arc::clone(session), Arc::clone(failures));
    let check = planned.check;
    let skipped = planned.skip.as_ref().map(|(reason, _)| format!("skipped: {reason}"));
    let name = format!("{} {}", check.id, check.title);
    let trial = Trial::test(name, move || {
        let outcome = session.try_one(&planned);
        match &outcome.verdict {
            Verdict::Passed => Ok(()),
            // A test that did not run because the run was given up is none that went well.
            Verdict::Skipped {
                reason: Reason::Stopped,
                text,
            } => Err(Failed::from(format!("not tried: {text}"))),
            // Told as passed: cargo's tests know no skip at run time; the reason is shown.
            Verdict::Skipped { reason, text } => {
                eprintln!("{}: skipped ({reason}): {text}", check.id);
                Ok(())
            }
            Verdict::Failed { .. } if outcome.is_warning() => {
                eprintln!("{}", crate::runner::report::human::line(&outcome));
                Ok(())
            }
            Verdict::Failed { .. } => {
                let failed = Failed::from(crate::runner::report::human::line(&outcome));
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(outcome);
                Err(failed)
            }
        }
    });
    match skipped {
        Some(kind) => trial.with_kind(kind).with_ignored_flag(true),
        None => trial.with_kind(check.level.to_string()),
    }
}
