//! Golden filters: each `tests/golden/NAME.xml` prints as `NAME.out.xml`, or is refused as `NAME.error` says.
//!
//! `NAME` beginning with `compat-` is read in compat mode; what it let pass stands in `NAME.doubts`. To write the
//! expected files anew run with `UPDATE_GOLDEN=1` and read the difference.

use nwfilter_driver::def::check_round_trip;
use nwfilter_driver::def::parse::{Mode, parse};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn golden_filters_print_or_are_refused_as_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut inputs: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "xml") && !path.to_string_lossy().ends_with(".out.xml"))
        .collect();
    inputs.sort();
    let mut wrong = Vec::new();
    assert!(inputs.len() > 20, "the golden filters are missing");
    for input in inputs {
        let compat = input.file_name().unwrap().to_string_lossy().starts_with("compat-");
        let mode = if compat { Mode::Compat } else { Mode::Strict };
        let document = fs::read(&input).unwrap();
        check_round_trip(&document);
        let (printed, doubts, error) = match parse(&document, mode) {
            Ok(parsed) => {
                let doubts = parsed
                    .doubts
                    .iter()
                    .map(|doubt| format!("{doubt}\n"))
                    .collect::<String>();
                (
                    Some(parsed.def.to_string()),
                    Some(doubts).filter(|d| !d.is_empty()),
                    None,
                )
            }
            Err(error) => {
                let (code, origin) = (error.code().0, error.origin().0);
                (None, None, Some(format!("code {code} of origin {origin}: {error}\n")))
            }
        };
        for (extension, actual) in [("out.xml", printed), ("doubts", doubts), ("error", error)] {
            let path = input.with_extension(extension);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                match &actual {
                    Some(text) => fs::write(&path, text).unwrap(),
                    None => drop(fs::remove_file(&path)),
                }
            }
            let expected = fs::read_to_string(&path).ok();
            if expected != actual {
                wrong.push(format!(
                    "{}\n  expected {expected:?}\n  actual   {actual:?}",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_example_filters_are_accepted_and_printed_as_they_stand() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/filters");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let parsed = parse(text.as_bytes(), Mode::Strict).unwrap();
        let uuid = format!("  <uuid>{}</uuid>\n", parsed.def.uuid);
        assert_eq!(parsed.def.to_string().replace(&uuid, ""), text, "{}", path.display());
        assert_eq!(path.file_stem().unwrap().to_str(), Some(parsed.def.name.as_str()));
        seen += 1;
    }
    assert!(seen > 1, "the example filters are missing");
}
