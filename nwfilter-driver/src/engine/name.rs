//! Names of programs: kept while filters are redefined, so that a redefinition replaces rules and touches no port. Pure
//! but for the random part of new ones.

use crate::compile::Compiled;
use crate::ruleset::ProgramName;
use driver_api::types::uuid::Uuid;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A port that needs a name for its program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The program; ports share it if it is the same one.
    pub(super) compiled: &'a Arc<Compiled>,
    /// The name of the program that the port had.
    pub(super) old: Option<&'a str>,
}

/// A name for each port. A program that another port has already keeps its name; others take the one that most of their
/// ports had, unless it stays in use or more ports of another program had it.
#[must_use]
pub(super) fn assign(wanted: Vec<Wanted<'_>>, staying: BTreeMap<&str, &Arc<Compiled>>) -> Vec<ProgramName> {
    let mut names: HashMap<*const Compiled, ProgramName> = HashMap::new();
    for (name, compiled) in &staying {
        names.insert(Arc::as_ptr(compiled), (*name).to_owned());
    }
    let mut taken: BTreeSet<String> = staying.keys().map(|name| (*name).to_owned()).collect();
    let mut votes: HashMap<(*const Compiled, &str), (usize, usize)> = HashMap::new();
    for (at, port) in wanted.iter().enumerate() {
        if let Some(old) = port.old {
            let (count, _first) = votes.entry((Arc::as_ptr(port.compiled), old)).or_insert((0, at));
            *count += 1;
        }
    }
    let mut votes: Vec<_> = votes.into_iter().collect();
    // The first port decides between equals, so that the outcome does not depend on addresses in memory.
    votes.sort_by_key(|((_, _), (count, first))| (std::cmp::Reverse(*count), *first));
    for ((program, old), _) in votes {
        if !names.contains_key(&program) && !taken.contains(old) {
            taken.insert(old.to_owned());
            names.insert(program, old.to_owned());
        }
    }
    let mut name = |port: &Wanted<'_>| {
        let name = names.entry(Arc::as_ptr(port.compiled));
        name.or_insert_with(|| fresh(&mut taken)).clone()
    };
    wanted.iter().map(&mut name).collect()
}

/// A name that nobody has. A failing source of random numbers only makes it guessable.
fn fresh(taken: &mut BTreeSet<String>) -> ProgramName {
    let random = Uuid::random().unwrap_or_default();
    let [a, b, c, d, ..] = *random.as_bytes();
    let mut number = u32::from_be_bytes([a, b, c, d]);
    loop {
        let name = format!("p-{number:08x}");
        if taken.insert(name.clone()) {
            return name;
        }
        number = number.wrapping_add(1);
    }
}
