//! `Environment`: what variables stand for at one place of a tree of filters.

use crate::def::vars::{Access, Parameters, Selector};
use std::rc::Rc;

/// Who gave a variable its values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Giver {
    /// The port; another port may give others.
    Port,
    /// A reference in the tree; they are the same for all ports.
    Reference,
}

/// The parameters of a port and of all references on the way to a filter. The outer ones count: a reference only gives
/// defaults.
#[derive(Clone, Debug)]
pub struct Environment<'a>(Rc<Layer<'a>>);

#[derive(Debug)]
struct Layer<'a> {
    parameters: &'a Parameters,
    outer: Option<Environment<'a>>,
}

impl<'a> Environment<'a> {
    /// What a port gives to the filter that it is bound to.
    #[must_use]
    pub fn port(parameters: &'a Parameters) -> Self {
        Self(Rc::new(Layer {
            parameters,
            outer: None,
        }))
    }

    /// What a filter sees that is referred to with these parameters.
    #[must_use]
    pub fn within(&self, parameters: &'a Parameters) -> Self {
        if parameters.is_empty() {
            return self.clone();
        }
        Self(Rc::new(Layer {
            parameters,
            outer: Some(self.clone()),
        }))
    }

    /// All values of a variable, at least one.
    #[must_use]
    pub fn values(&self, name: &str) -> Option<(&'a [String], Giver)> {
        let outer = self.0.outer.as_ref();
        if let Some(found) = outer.and_then(|outer| outer.values(name)) {
            return Some(found);
        }
        let values = self.0.parameters.get(name).filter(|values| !values.is_empty())?;
        let giver = if outer.is_some() { Giver::Reference } else { Giver::Port };
        Some((values, giver))
    }

    /// The values that an access goes through: all of them, or the one that it names. `None` when nobody gives it.
    #[must_use]
    pub fn resolve(&self, access: &Access) -> Option<(&'a [String], Giver)> {
        let (values, giver) = self.values(&access.name)?;
        Some((select(values, access.selector)?, giver))
    }

    /// Every variable that has values here, with the values that count.
    #[must_use]
    pub fn all(&self) -> Parameters {
        let mut all = self.0.parameters.clone();
        if let Some(outer) = &self.0.outer {
            all.extend(outer.all());
        }
        all
    }
}

/// The part of a list that a selector means; `None` when the list has no such element.
#[must_use]
pub fn select(values: &[String], selector: Selector) -> Option<&[String]> {
    match selector {
        Selector::Iterator(_) => Some(values).filter(|values| !values.is_empty()),
        Selector::Element(at) => {
            let at = usize::try_from(at).ok()?;
            values.get(at..=at)
        }
    }
}
