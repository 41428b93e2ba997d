//! Golden programs: each `tests/programs/NAME.xml` compiles to `NAME.rules`, with the parameters that its first line gives.
//!
//! To write the expected files anew run with `UPDATE_GOLDEN=1` and read the difference.

#![allow(clippy::unwrap_used, reason = "test code: a panic is a verdict")]

use nwfilter_driver::compile::{Compiled, compile};
use nwfilter_driver::def::parse::{Mode, parse};
use nwfilter_driver::def::vars::Parameters;
use nwfilter_driver::filters::Filters;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "xml"))
        .collect();
    paths.sort();
    paths
}

/// What `<!-- NAME=value NAME=value -->` on the first line gives.
fn parameters(document: &str) -> Parameters {
    let first = document.lines().next().unwrap_or_default();
    let mut parameters = Parameters::new();
    for word in first.split_whitespace() {
        if let Some((name, value)) = word.split_once('=').filter(|_| first.starts_with("<!--")) {
            parameters.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    parameters
}

/// The program as text, then what the port has in its slots, then the warnings.
fn printed(compiled: &Compiled, parameters: &Parameters) -> String {
    let mut text = compiled.program.to_string();
    for (number, elements) in compiled.fill(parameters).unwrap().iter().enumerate() {
        let elements: Vec<String> = elements
            .iter()
            .map(|element| element.iter().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        writeln!(text, "slot {number} = {}", elements.join(" ")).unwrap();
    }
    for warning in &compiled.warnings {
        writeln!(text, "warning: {warning}").unwrap();
    }
    // Filters without a UUID get a new one each time.
    let uuid = |line: &str| match line.split_once("  # ") {
        Some((rule, origin)) => format!("{rule}  # {}\n", &origin[37..]),
        None => format!("{line}\n"),
    };
    text.lines().map(uuid).collect()
}

#[test]
fn golden_filters_compile_to_what_is_written_down() {
    let inputs = folder("tests/programs");
    assert!(inputs.len() > 10, "the golden filters are missing");
    let mut wrong = Vec::new();
    for input in inputs {
        let document = fs::read_to_string(&input).unwrap();
        let parameters = parameters(&document);
        let def = parse(document.as_bytes(), Mode::Strict).unwrap().def;
        let name = def.name.clone();
        let filters = Filters::default().with(def).unwrap().unwrap();
        let compiled = compile(&filters, &name, &parameters).unwrap();
        assert!(compiled.fits(&parameters), "{name}");
        let actual = printed(&compiled, &parameters);
        let path = input.with_extension("rules");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &actual).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if expected != actual {
            wrong.push(format!("{}\nexpected\n{expected}\nactual\n{actual}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_shipped_filters_and_the_examples_compile() {
    let mut filters = Filters::default();
    let mut names = Vec::new();
    for path in folder("filters").into_iter().chain(folder("../examples/filters")) {
        let def = parse(&fs::read(&path).unwrap(), Mode::Strict).unwrap().def;
        names.push(def.name.clone());
        filters = filters.with(def).unwrap().unwrap();
    }
    assert!(names.len() > 24, "filters are missing");
    let given = "<!-- MAC=52:54:00:12:34:56 IP=192.0.2.10 IPV6=2001:db8::1 DHCPSERVER=192.0.2.1 \
                 GATEWAY_MAC=52:54:00:aa:bb:cc OPEN=80 -->";
    let given = parameters(given);
    for name in names {
        let mut parameters = given.clone();
        if name.starts_with("allow-dhcpv6") {
            // Both families' filters name their server alike.
            parameters.insert("DHCPSERVER".to_owned(), vec!["2001:db8::2".to_owned()]);
        }
        let compiled = compile(&filters, &name, &parameters).unwrap();
        assert_eq!(
            compiled.fill(&parameters).unwrap().len(),
            compiled.program.slots.len(),
            "{name}"
        );
        assert!(compiled.filters.contains(&name));
    }
}
