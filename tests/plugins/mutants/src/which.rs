//! Which mutant is on.

use driver_api::error::{Code, Error, Origin, Result};
use std::sync::OnceLock;

/// The variable that names it; without it the driver is the reference.
pub(super) const VARIABLE: &str = "LOCKSTEP_MUTANT";

static NAME: OnceLock<String> = OnceLock::new();

/// Every mutant that is switched here.
const TABLE: &str = include_str!("../../../mutants.toml");

pub(super) fn name() -> &'static str {
    NAME.get_or_init(|| std::env::var(VARIABLE).unwrap_or_default())
}

/// Whether this mutant is on.
pub(super) fn on(mutant: &str) -> bool {
    name() == mutant
}

/// Refuses a name that is none: a gate that asks for it would see the reference pass.
pub(super) fn check() -> Result<()> {
    let name = name();
    if name.is_empty() || TABLE.contains(&format!("name = \"{name}\"\n")) {
        return Ok(());
    }
    let message = format!("there is no mutant '{name}': tests/mutants.toml lists them");
    Err(Error::new(Code::INVALID_ARG, Origin::NONE, message))
}
