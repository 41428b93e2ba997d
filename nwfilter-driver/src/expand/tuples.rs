//! `Together`: variables of one rule that advance together, and the combinations of values that they go through.

use super::environment::select;
use crate::def::vars::{Access, Parameters, Selector};
use std::collections::HashSet;

/// Where a variable of a rule has its values from, kept when the definitions are gone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// The port gives them.
    Port(Access),
    /// A reference gave these.
    Values(Access, Vec<String>),
}

impl Source {
    /// The variable as the rule writes it.
    #[must_use]
    pub const fn access(&self) -> &Access {
        match self {
            Self::Port(access) | Self::Values(access, _) => access,
        }
    }

    /// The values for a port; `None` when it does not give them.
    #[must_use]
    pub fn values<'a>(&'a self, port: &'a Parameters) -> Option<&'a [String]> {
        match self {
            Self::Port(access) => select(port.get(&access.name)?, access.selector),
            Self::Values(access, values) => select(values, access.selector),
        }
    }
}

/// Variables that advance together: those with one iterator, or a single access to an element.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Together {
    /// Each variable once.
    pub columns: Vec<Source>,
}

/// Why there are no combinations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Uneven {
    /// Nobody gives this one.
    Missing(Access),
    /// Two that advance together have so many values each.
    Lengths((Access, usize), (Access, usize)),
}

impl Together {
    /// Whether an access belongs here.
    #[must_use]
    pub fn takes(&self, access: &Access) -> bool {
        self.columns.iter().any(|column| {
            let column = column.access();
            match access.selector {
                Selector::Iterator(_) => column.selector == access.selector,
                Selector::Element(_) => column == access,
            }
        })
    }

    /// The combinations, one value of each column, in the order of the lists and each once.
    ///
    /// # Errors
    /// A variable has no values, or two have not equally many.
    pub fn tuples<'a>(&'a self, port: &'a Parameters) -> Result<Vec<Vec<&'a str>>, Uneven> {
        let mut lists: Vec<&[String]> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let values = column.values(port);
            lists.push(values.ok_or_else(|| Uneven::Missing(column.access().clone()))?);
        }
        let Some(first) = lists.first() else {
            return Ok(Vec::new());
        };
        if let Some(at) = lists.iter().position(|list| list.len() != first.len()) {
            let lengths = |at: usize| (self.columns[at].access().clone(), lists[at].len());
            return Err(Uneven::Lengths(lengths(0), lengths(at)));
        }
        let mut seen = HashSet::new();
        let mut tuples = Vec::with_capacity(first.len());
        for at in 0..first.len() {
            let tuple: Vec<&str> = lists.iter().map(|list| list[at].as_str()).collect();
            if seen.insert(tuple.clone()) {
                tuples.push(tuple);
            }
        }
        Ok(tuples)
    }
}
