//! People list tables by nft, and so do other programs by its library, which aborts over what it can not take apart.

use super::*;
use crate::compile::compile;
use crate::def::parse::{Mode, parse};
use crate::def::vars::Parameters;
use crate::filters::Filters;
use std::path::Path;
use std::process::Command;

fn listed() {
    let output = Command::new("nft").args(["list", "ruleset"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // It says so of every table with a match of xtables.
    let warnings = said
        .lines()
        .filter(|line| !line.is_empty() && !line.contains("is managed by iptables-nft"));
    assert!(output.status.success() && warnings.count() == 0, "{said}");
}

#[test]
fn keys_of_any_width() {
    in_own_network(|| {
        let kernel = Kernel::open(Options::default()).unwrap();
        for widths in [vec![1, 2, 4, 16], vec![6, 6, 6, 6, 6], vec![3, 8], vec![12, 9]] {
            let mut program = stateful();
            program.slots[0].widths = widths;
            kernel.install(&desired(program, 2)).unwrap();
            listed();
        }
    });
}

/// The golden programs, which have every attribute of every protocol.
#[test]
fn programs_of_every_protocol() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let documents: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "xml"))
        .collect();
    assert!(documents.len() > 10);
    in_own_network(|| {
        let has_sets = Command::new("ipset")
            .args(["create", "probe", "hash:ip"])
            .status()
            .is_ok_and(|done| done.success());
        let kernel = Kernel::open(Options::default()).unwrap();
        for path in documents {
            let document = std::fs::read_to_string(&path).unwrap();
            let mut parameters = Parameters::new();
            for word in document.lines().next().unwrap().split_whitespace() {
                if let Some((name, value)) = word.split_once('=') {
                    parameters.entry(name.to_owned()).or_default().push(value.to_owned());
                }
            }
            let def = parse(document.as_bytes(), Mode::Strict).unwrap().def;
            let name = def.name.clone();
            let table = Filters::default().with(def).unwrap().unwrap();
            let compiled = compile(&table, &name, &parameters).unwrap();
            let rules = PortRules {
                program: "p-1".to_owned(),
                slots: compiled.fill(&parameters).unwrap(),
            };
            let desired = Desired {
                programs: BTreeMap::from([("p-1".to_owned(), Arc::clone(&compiled.program))]),
                ports: BTreeMap::from([("port0".to_owned(), Arc::new(rules))]),
            };
            for set in predicate::IpSets::names(&[&desired]) {
                let _there_already = Command::new("ipset")
                    .args(["create", "-exist", set, "hash:ip,port"])
                    .status();
            }
            if !has_sets && predicate::IpSets::names(&[&desired]).next().is_some() {
                continue;
            }
            kernel
                .install(&desired)
                .unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
            listed();
        }
    });
}
