//! What the suite skips without root is on a list, so that nothing is skipped unseen.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::catalogue;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn what_needs_root_is_on_the_list_and_nothing_else() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance-skips.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let listed: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.strip_suffix(" privilege"))
        .collect();
    for check in catalogue::all() {
        assert_eq!(
            check.privileged,
            listed.contains(check.id),
            "{}: 'privileged' and tests/conformance-skips.txt must say the same",
            check.id
        );
    }
}
