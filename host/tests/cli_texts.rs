//! Texts that the command line prints about itself, and the pages of the documentation that repeat them.
//!
//! With `LOCKSTEP_UPDATE_DOCS=1` the pages are written anew instead of compared.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail a test as the tests do"
)]

use clap::Command;
use clap_complete::Shell;
use lockstep::cli::exit::EXITS;
use lockstep::cli::{command, complete};
use lockstep::config::{Config, print};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Replaces what stands between the two marks of a page by `text`, or compares it.
fn page(name: &str, text: &str) {
    let (begin, end) = ("<!-- generated: begin -->\n", "<!-- generated: end -->\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(begin).unwrap();
    let (old, tail) = rest.split_once(end).unwrap();
    if std::env::var_os("LOCKSTEP_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{begin}{text}{end}{tail}")).unwrap();
    } else {
        assert_eq!(
            old, text,
            "docs/{name} is out of date; LOCKSTEP_UPDATE_DOCS=1 cargo test writes it anew"
        );
    }
}

fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| !verb.is_hide_set())
}

#[test]
fn docs_cli_shows_every_verb_option_and_exit_code() {
    let mut root = command();
    root.build();
    let mut text = String::from("## Exit codes\n\n| code | when |\n| --- | --- |\n");
    for exit in EXITS {
        writeln!(text, "| {} | {} |", exit.code, exit.doc).unwrap();
    }
    text.push_str("\n## Options of every verb\n\n");
    options(&mut text, &root, true);
    for verb in verbs(&root).filter(|verb| verb.get_name() != "help") {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(text, "\n## {}\n\n{about}.\n", verb.get_name()).unwrap();
        let usage = verb.clone().render_usage().to_string();
        writeln!(text, "    {}\n", usage.trim_start_matches("Usage: ")).unwrap();
        options(&mut text, verb, false);
    }
    page("cli.md", &text);
}

fn options(text: &mut String, command: &Command, global: bool) {
    let shown = |arg: &&clap::Arg| !arg.is_hide_set() && arg.is_global_set() == global && arg.get_id() != "help";
    for arg in command.get_arguments().filter(shown) {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        writeln!(text, "- `{arg}`: {help}").unwrap();
    }
}

#[test]
fn docs_config_shows_every_key() {
    let defaults = Config::for_root(&PathBuf::from("/")).unwrap();
    page("config.md", &format!("```toml\n{}```\n", print::commented(&defaults)));
}

#[test]
fn completion_knows_every_verb_and_option_in_three_shells() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = String::from_utf8(complete::script(shell)).unwrap();
        let root = command();
        for verb in verbs(&root) {
            assert!(script.contains(verb.get_name()), "{shell}: {}", verb.get_name());
            for option in verb.get_opts().filter_map(clap::Arg::get_long) {
                assert!(script.contains(option), "{shell}: {} --{option}", verb.get_name());
            }
        }
    }
}

#[test]
fn help_of_every_verb_says_what_it_is_for() {
    let mut root = command();
    root.build();
    for verb in verbs(&root) {
        assert!(verb.get_about().is_some(), "{}", verb.get_name());
        for arg in verb.get_arguments().filter(|arg| !arg.is_hide_set()) {
            assert!(arg.get_help().is_some(), "{} {arg}", verb.get_name());
        }
    }
    let help = root.render_long_help().to_string();
    for exit in EXITS {
        assert!(help.contains(&format!("{:>3}  {}", exit.code, exit.doc)), "{help}");
    }
}

#[test]
fn exit_codes_differ() {
    let mut codes: Vec<u8> = EXITS.iter().map(|exit| exit.code).collect();
    codes.dedup();
    assert_eq!(codes.len(), EXITS.len());
}
