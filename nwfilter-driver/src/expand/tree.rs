//! `Branch`: the tree of references with what each level sees, to be shown to people.

use super::{Step, walk};
use crate::def::vars::Parameters;
use crate::filters::Filters;
use driver_api::error::Result;
use driver_api::types::uuid::Uuid;

/// One filter in the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Branch {
    /// Its name.
    pub filter: String,
    /// Its UUID.
    pub uuid: Uuid,
    /// How many references lead to it: 0 for the filter that is bound.
    pub level: usize,
    /// What the reference to it gives.
    pub given: Parameters,
    /// Every variable that has values here, with those that count.
    pub environment: Parameters,
    /// How many rules it has of its own.
    pub rules: usize,
}

/// The tree of `top` in the order in which it is expanded, a filter as often as it is referred to.
///
/// # Errors
/// As [`super::expand`].
pub fn tree(table: &Filters, top: &str, parameters: &Parameters) -> Result<Vec<Branch>> {
    let mut branches: Vec<Branch> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut visit = |step: Step<'_>| {
        match step {
            Step::Enter(def, by, environment) => {
                open.push(branches.len());
                branches.push(Branch {
                    filter: def.name.clone(),
                    uuid: def.uuid,
                    level: open.len() - 1,
                    given: by.map(|by| by.parameters.clone()).unwrap_or_default(),
                    environment: environment.all(),
                    rules: 0,
                });
            }
            Step::Rule(_) => {
                if let Some(branch) = open.last().and_then(|at| branches.get_mut(*at)) {
                    branch.rules += 1;
                }
            }
            Step::Leave => {
                open.pop();
            }
        }
        Ok(true)
    };
    walk(table, top, parameters, &mut visit)?;
    Ok(branches)
}
