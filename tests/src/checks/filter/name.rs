//! Names that lead elsewhere: filters stay in the driver's folder whatever they are called.

use super::hostile::settle;
use super::paper::{self, RULE};
use super::view::View;
use crate::bench::Bench;
use crate::check::{Ctx, Expect, Outcome};
use crate::ensure;
use std::path::Path;

/// Names that a folder, a shell or a rule might take for something else.
const NAMES: [&str; 14] = [
    "../escaped",
    "../../../../../../tmp/conformance-escaped",
    "/tmp/conformance-escaped",
    "..",
    ".",
    "a/b",
    ".hidden",
    "-rf",
    "a b",
    "a\u{1b}[31m",
    "&quot;; flush ruleset; #",
    "$(touch /tmp/conformance-escaped)",
    "x&#10;y",
    "*",
];

fn outside(ctx: &Ctx, own: &[&Path]) -> Vec<String> {
    let mut found: Vec<String> = Bench::files(ctx.root())
        .into_keys()
        .filter(|path| !own.iter().any(|own| path.starts_with(own)))
        .map(|path| path.display().to_string())
        .collect();
    found.sort();
    found
}

pub(super) fn names_stay_at_home(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let config = bench.config().clone();
    let own = [
        &*config.conf_dir,
        &*config.state_dir,
        &*config.run_dir,
        &*config.log_dir,
    ];
    let (before, files) = (View::of(&bench)?, outside(ctx, &own));
    for name in NAMES.into_iter().chain(["x".repeat(5000).as_str()]) {
        let what = format!("define_filter of the name {:?}", &name[..name.len().min(60)]);
        if let Ok(brief) = bench.define_filter(&paper::filter(name, ctx.uuid(1), RULE)) {
            let found = bench.filters().succeeds("filters")?;
            let listed = found
                .iter()
                .any(|filter| filter.uuid == brief.uuid && filter.name == brief.name);
            ensure!(listed, "{what}: expected the filter on the list, found {found:?}");
        }
        let now = outside(ctx, &own);
        ensure!(
            now == files,
            "{what}: expected no file outside the driver's folders, found {now:?}"
        );
        for path in ["/tmp/conformance-escaped", "/tmp/conformance-escaped.xml"] {
            ensure!(
                !Path::new(path).exists(),
                "{what}: expected no file outside the driver's folders, found '{path}'"
            );
        }
        settle(&bench, &before, &what)?;
    }
    Ok(())
}
