//! The catalogue: every check of the suite in the order of reports.

use crate::check::Check;
use crate::checks;

/// The groups of checks, in order.
const GROUPS: &[&[Check]] = &[
    checks::abi::CHECKS,
    checks::version::CHECKS,
    checks::contract::define::CHECKS,
    checks::contract::document::CHECKS,
    checks::contract::lookup::CHECKS,
    checks::contract::start::CHECKS,
    checks::contract::create::CHECKS,
    checks::contract::stop::CHECKS,
    checks::contract::pause::CHECKS,
    checks::contract::undefine::CHECKS,
    checks::contract::marks::CHECKS,
    checks::contract::events::CHECKS,
    checks::contract::refusal::CHECKS,
    checks::contract_more::console::CHECKS,
    checks::contract_more::metadata::CHECKS,
    checks::contract_more::devices::CHECKS,
    checks::contract_more::resources::CHECKS,
    checks::contract_more::stats::CHECKS,
    checks::contract_more::control::CHECKS,
    checks::state::CHECKS,
    checks::locks::CHECKS,
    checks::faults::CHECKS,
    checks::concurrency::CHECKS,
    checks::fuzz::CHECKS,
    checks::leaks::CHECKS,
    checks::conduct::CHECKS,
    checks::persistence::CHECKS,
    checks::logging::CHECKS,
    checks::shutdown::CHECKS,
    checks::filter::CHECKS,
    checks::filter::graph::CHECKS,
    checks::filter::locking::CHECKS,
    checks::filter::keeping::CHECKS,
    checks::filter::racing::CHECKS,
    checks::filter::hostile::CHECKS,
    checks::binding::CHECKS,
    checks::binding::guest::CHECKS,
    checks::binding::racing::CHECKS,
    checks::inspect::CHECKS,
    checks::inspect::trace::CHECKS,
    checks::wire::look::CHECKS,
    checks::wire::domain::CHECKS,
    checks::wire::protocol::CHECKS,
    checks::wire::filter::CHECKS,
];

/// Every check.
pub fn all() -> impl Iterator<Item = &'static Check> {
    GROUPS.iter().flat_map(|group| group.iter())
}

/// The check with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_of_one_shape() {
        let mut seen = HashSet::new();
        for check in all() {
            assert!(seen.insert(check.id), "{} is there twice", check.id);
            let (group, number) = check.id.split_once('-').unwrap();
            assert!(group.chars().all(|c| c.is_ascii_uppercase()), "{}", check.id);
            assert!(
                number.len() == 3 && number.chars().all(|c| c.is_ascii_digit()),
                "{}",
                check.id
            );
        }
    }

    #[test]
    fn every_check_says_what_why_and_how_to_mend() {
        for check in all() {
            for text in [check.title, check.why, check.fix] {
                assert!(text.len() > 10, "{}: '{text}' says too little", check.id);
            }
            assert!(
                check.clause.contains('.'),
                "{}: '{}' is no clause",
                check.id,
                check.clause
            );
            assert!(!check.title.ends_with('.'), "{}: a title is no sentence", check.id);
        }
    }
}
