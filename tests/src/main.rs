//! The `conformance` binary: runs the suite on a plug-in, lists the checks, explains one.

use clap::{Args, Parser, Subcommand, ValueEnum};
use conformance::catalogue;
use conformance::check::Check;
use conformance::profile;
use conformance::runner::guard::Walls;
use conformance::runner::outcome::exit;
use conformance::runner::plan::Selection;
use conformance::runner::report::{human, json, junit, tap};
use conformance::runner::{Options, Session};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Tests a Lockstep driver: whether it keeps every rule that the host and other drivers rely on.
#[derive(Debug, Parser)]
#[command(name = "conformance", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the checks on a plug-in. Exit codes: 0 pass, 1 failures or given up, 2 nothing ran, 3 a profile is not met or
    /// the time was over, 128 and the number of a signal that ended it.
    Run(Box<Run>),
    /// Lists the checks.
    List {
        /// Only those of this profile.
        #[arg(long)]
        profile: Option<String>,
    },
    /// Says what a check is about, why its rule exists and how a driver that breaks it is mended.
    Explain {
        /// The check's id, or a clause of the book.
        id: String,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// The plug-in's file.
    #[arg(required_unless_present = "uri")]
    plugin: Option<PathBuf>,
    /// Speak to the daemon at this URI, in place of loading a plug-in: only what can be asked over a socket is tried.
    #[arg(long, value_name = "URI", conflicts_with = "plugin")]
    uri: Option<String>,
    /// The host's binary, for checks of the wire (default: this program has the host in it).
    #[arg(long, value_name = "FILE")]
    lockstep: Option<PathBuf>,
    /// Documents, options and timings for this driver (default: `<plugin>.conformance.toml` beside it, else built in).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only the checks of this profile; may be given several times.
    #[arg(long, value_name = "NAME")]
    profile: Vec<String>,
    /// Only checks with this in their id, clause or title; may be given several times.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Not this check, or none of this group; may be given several times.
    #[arg(long, value_name = "ID")]
    skip: Vec<String>,
    /// Begins all that is random here: the same seed gives the same run.
    #[arg(long)]
    seed: Option<u64>,
    /// How many checks at once, 1 to 64 (default: one for each processor).
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=64))]
    jobs: Option<u64>,
    /// How many seconds one check may take.
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Gives the run up after so many checks that hung; 0: never.
    #[arg(long, default_value_t = 5, value_name = "CHECKS")]
    give_up: usize,
    /// How many seconds the whole run may take.
    #[arg(long, default_value_t = 3600, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    deadline: u64,
    /// What separates the checks from this machine (default: the best that it gives to this user).
    #[arg(long, value_parser = ["full", "user", "group"])]
    walls: Option<String>,
    /// How the report is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Counts what a driver should do, and does not, as a failure.
    #[arg(long)]
    strict: bool,
    /// Leaves the checks' folders where they are, and says where.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// TAP.
    Tap,
    /// JUnit's XML.
    Junit,
    /// One JSON document.
    Json,
}

fn main() -> ExitCode {
    // Before anything else: a supervisor or a check's process stays as small as it starts.
    if let Some(code) = conformance::entry() {
        return code;
    }
    let done = match Cli::parse().command {
        Command::Run(asked) => run(*asked),
        Command::List { profile } => list(profile.as_deref()),
        Command::Explain { id } => explain(&id),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::from(exit::CANNOT_RUN)
        }
    }
}

type Done = Result<ExitCode, Box<dyn std::error::Error>>;

fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Whether each of these words means a check.
fn known(words: &[String], option: &str, means: fn(&str, &Check) -> bool) -> Result<(), String> {
    for word in words {
        if !catalogue::all().any(|check| means(word, check)) {
            return Err(format!(
                "{option} '{word}' fits no check ('conformance list' shows them with their clauses and titles)"
            ));
        }
    }
    Ok(())
}

fn run(asked: Run) -> Done {
    for name in &asked.profile {
        if !profile::PROFILES.iter().any(|profile| profile.name == name) {
            let known: Vec<&str> = profile::PROFILES.iter().map(|profile| profile.name).collect();
            return Err(format!("there is no profile '{name}'; there are: {}", known.join(", ")).into());
        }
    }
    known(&asked.filter, "--filter", Selection::fits)?;
    known(&asked.skip, "--skip", Selection::leaves_out)?;
    if let Some(file) = asked.lockstep.as_deref().filter(|file| !file.is_file()) {
        return Err(format!("--lockstep '{}': there is no such file", file.display()).into());
    }
    let jobs = asked.jobs.map(usize::try_from).transpose()?;
    let options = Options {
        selection: Selection {
            filter: asked.filter,
            skip: asked.skip,
            profiles: asked.profile,
            wire: false,
        },
        config: asked.config,
        seed: asked.seed,
        jobs: jobs.unwrap_or_else(|| Options::default().jobs),
        timeout: Duration::from_secs(asked.timeout),
        give_up: (asked.give_up > 0).then_some(asked.give_up),
        deadline: Duration::from_secs(asked.deadline),
        interruptible: true,
        keep: asked.keep,
        lockstep: asked.lockstep,
        walls: asked.walls.as_deref().and_then(Walls::named),
    };
    let plugin = asked.plugin.unwrap_or_default();
    let (session, tested) = match &asked.uri {
        Some(uri) => (Session::open_daemon(uri, &options)?, PathBuf::from(uri)),
        None => (Session::open(&plugin, &options)?, plugin),
    };
    let plan = session.plan(&options.selection);
    match asked.format {
        Format::Human => say(&human::head(
            &tested,
            session.facts(),
            session.seed(),
            session.walls().name(),
        ))?,
        Format::Tap => say(&tap::head(plan.checks.len(), session.seed()))?,
        Format::Junit | Format::Json => {}
    }
    let number = AtomicUsize::new(0);
    let run = session.try_all(plan, options.jobs, &|outcome| {
        let number = number.fetch_add(1, Ordering::Relaxed) + 1;
        let line = match asked.format {
            Format::Human => human::line(outcome),
            Format::Tap => tap::line(number, outcome, asked.strict),
            Format::Junit | Format::Json => return,
        };
        // A reader that went away is told of by the end of the report.
        let _told = say(&line);
    });
    match asked.format {
        Format::Human => say(&human::summary(&run))?,
        Format::Tap => say(&tap::foot(&run, asked.strict))?,
        Format::Junit => say(&junit::document(&run, asked.strict))?,
        Format::Json => say(&format!("{:#}\n", json::document(&run, asked.strict)))?,
    }
    if let Some(folder) = session.close() {
        eprintln!("conformance: the checks' folders are in '{}'", folder.display());
    }
    Ok(ExitCode::from(run.exit(asked.strict)))
}

fn list(wanted: Option<&str>) -> Done {
    let mut text = String::new();
    for check in catalogue::all() {
        let profile = profile::of(check).name;
        if wanted.is_none_or(|wanted| wanted == profile) {
            let (id, level, clause, title) = (check.id, check.level.to_string(), check.clause, check.title);
            let root = if check.privileged { " (root)" } else { "" };
            text.push_str(&format!(
                "{id:<9} {level:<6} {profile:<17} {clause:<28} {title}{root}\n"
            ));
        }
    }
    if text.is_empty() {
        let wanted = wanted.unwrap_or_default();
        return Err(format!("no check belongs to a profile '{wanted}'").into());
    }
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn explain(id: &str) -> Done {
    let fits = |check: &&Check| check.id.eq_ignore_ascii_case(id) || check.clause == id;
    let found: Vec<&Check> = catalogue::all().filter(fits).collect();
    if found.is_empty() {
        return Err(format!("no check and no clause is called '{id}' ('conformance list' shows them)").into());
    }
    for check in found {
        let needs = match check.needs {
            [] => String::from("nothing but a driver"),
            needs => needs.join(", "),
        };
        let root = if check.privileged { ", and root" } else { "" };
        say(&format!(
            "{} ({}): {}\n\n  clause   {} (docs/driver-author)\n  profile  {}\n  needs    {needs}{root}\n\n  Why:     {}\n\n  To mend: {}\n\n",
            check.id,
            check.level,
            check.title,
            check.clause,
            profile::of(check).name,
            check.why,
            check.fix
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
