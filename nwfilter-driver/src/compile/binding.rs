//! `Binding`: what each variable of one rule is, a slot of the port or a value compiled in.

use super::place;
use crate::def::kind::Kind;
use crate::def::value::{Refusal, Value};
use crate::def::vars::{Access, Parameters};
use crate::def::{Field, Match, Term};
use crate::expand::tuples::{Source, Together, Uneven};
use crate::expand::{Giver, Placed, refuse};
use driver_api::error::{Code, Error, Result};

/// The greatest width of a key in the kernel, and of the port's name in it.
const MAX_KEY: usize = 64;
const NAME: usize = 16;

/// Variables of a rule that advance together, and what becomes of them.
#[derive(Debug)]
pub(super) struct Group {
    /// The variables.
    pub together: Together,
    /// One slot holds all combinations; else each combination makes rules of its own.
    pub whole: bool,
    /// For each column whether some value of it is compiled in.
    pub literal: Vec<bool>,
    /// The combinations of the port that is compiled for.
    pub tuples: Vec<Vec<String>>,
}

/// All variables of a rule.
#[derive(Debug)]
pub(super) struct Binding {
    /// Those that advance together, in the order in which the rule names them.
    pub groups: Vec<Group>,
}

/// One choice of a combination for each group that is not whole.
#[derive(Debug)]
pub(super) struct Choice<'b> {
    binding: &'b Binding,
    picks: Vec<usize>,
}

/// What a field is compared with.
#[derive(Debug)]
pub(super) enum Bound {
    /// A value that all ports share.
    Value(Value),
    /// A column of a group, which the port fills.
    Slot {
        /// The group.
        group: usize,
        /// The column.
        column: usize,
    },
}

impl Binding {
    /// Looks at all variables of a rule.
    ///
    /// # Errors
    /// 1 when variables that advance together have not equally many values.
    pub(super) fn new(placed: &Placed<'_>, parameters: &Parameters) -> Result<Self> {
        let mut groups: Vec<Together> = Vec::new();
        let Some(matches) = &placed.rule.matches else {
            return Ok(Self { groups: Vec::new() });
        };
        for (_, access) in variables(matches) {
            let Some((values, giver)) = placed.environment.values(&access.name) else {
                continue;
            };
            let source = match giver {
                Giver::Port => Source::Port(access.clone()),
                Giver::Reference => Source::Values(access.clone(), values.to_vec()),
            };
            match groups.iter_mut().find(|group| group.takes(access)) {
                Some(group) if group.columns.contains(&source) => {}
                Some(group) => group.columns.push(source),
                None => groups.push(Together { columns: vec![source] }),
            }
        }
        let groups = groups
            .into_iter()
            .map(|together| Group::new(placed, matches, together, parameters))
            .collect::<Result<_>>()?;
        Ok(Self { groups })
    }

    fn counts(&self) -> impl Iterator<Item = usize> {
        let count = |group: &Group| if group.whole { 1 } else { group.tuples.len() };
        self.groups.iter().map(count)
    }

    /// How many combinations there are of the groups that are not whole.
    pub(super) fn count(&self) -> usize {
        self.counts().fold(1, usize::saturating_mul)
    }

    /// Each of these combinations; the group that the rule names first runs fastest.
    pub(super) fn choices(&self) -> impl Iterator<Item = Choice<'_>> {
        (0..self.count()).map(|mut number| {
            let picks = self
                .counts()
                .map(|count| {
                    let pick = number % count;
                    number /= count;
                    pick
                })
                .collect();
            Choice { binding: self, picks }
        })
    }
}

impl Binding {
    /// Whether a negated field goes through more than one value.
    pub(super) fn negates_several(&self, placed: &Placed<'_>) -> bool {
        let Some(matches) = &placed.rule.matches else {
            return false;
        };
        variables(matches)
            .filter(|(field, _)| field.negated)
            .any(|(_, access)| {
                let group = self.groups.iter().find(|group| group.together.takes(access));
                group.is_some_and(|group| group.tuples.len() > 1)
            })
    }
}

impl Group {
    fn new(placed: &Placed<'_>, matches: &Match, together: Together, parameters: &Parameters) -> Result<Self> {
        let tuples = together
            .tuples(parameters)
            .map_err(|why| uneven(&why, &place(placed)))?
            .into_iter()
            .map(|tuple| tuple.into_iter().map(str::to_owned).collect())
            .collect();
        let fields: Vec<&Field> = variables(matches)
            .filter(|(_, access)| together.takes(access))
            .map(|(field, _)| field)
            .collect();
        let widths: Option<Vec<usize>> = fields.iter().map(|field| width(matches, field)).collect();
        let fits = widths.is_some_and(|widths| {
            let key: usize = widths.iter().map(|width| width.next_multiple_of(4)).sum();
            NAME + key <= MAX_KEY
        });
        let port = together.columns.iter().any(|column| matches!(column, Source::Port(_)));
        let whole = port && fits && fields.iter().all(|field| !field.negated);
        let literal = together
            .columns
            .iter()
            .map(|column| {
                let of_reference = matches!(column, Source::Values(..));
                let shapes = |field: &&Field| {
                    let here = matches!(&field.term, Term::Variable(access) if access == column.access());
                    here && width(matches, field).is_none()
                };
                !whole && (of_reference || fields.iter().any(shapes))
            })
            .collect();
        Ok(Self {
            together,
            whole,
            literal,
            tuples,
        })
    }
}

impl Choice<'_> {
    /// The combination that is meant, for groups that are not whole.
    pub(super) fn pick(&self, group: usize) -> Option<usize> {
        let whole = self.binding.groups.get(group)?.whole;
        self.picks.get(group).copied().filter(|_| !whole)
    }

    /// The group itself.
    pub(super) fn group(&self, group: usize) -> &Together {
        &self.binding.groups[group].together
    }

    /// What a field is compared with.
    ///
    /// # Errors
    /// 1 when the variable's value is not what the attribute wants.
    pub(super) fn bound(&self, placed: &Placed<'_>, matches: &Match, field: &Field) -> Result<Bound> {
        let access = match &field.term {
            Term::Value(value) => return Ok(Bound::Value(value.clone())),
            Term::Variable(access) => access,
        };
        let nowhere = || {
            let message = format!("{}: {access} has no value", place(placed));
            refuse(Code::INTERNAL, message)
        };
        let groups = &self.binding.groups;
        let group = groups
            .iter()
            .position(|group| group.together.takes(access))
            .ok_or_else(nowhere)?;
        let columns = &groups[group].together.columns;
        let column = columns
            .iter()
            .position(|column| column.access() == access)
            .ok_or_else(nowhere)?;
        let of_port = groups[group].whole || matches!(columns[column], Source::Port(_));
        if of_port && width(matches, field).is_some() {
            return Ok(Bound::Slot { group, column });
        }
        let tuple = self.picks.get(group).and_then(|pick| groups[group].tuples.get(*pick));
        let text = tuple.and_then(|tuple| tuple.get(column)).ok_or_else(nowhere)?;
        let kind = &field.attribute.kind;
        read(kind, text, access, &place(placed), field.attribute.name).map(Bound::Value)
    }
}

/// The fields that a rule compares with variables.
fn variables(matches: &Match) -> impl Iterator<Item = (&Field, &Access)> {
    matches.fields.iter().filter_map(|field| match &field.term {
        Term::Variable(access) if field.attribute.kind != Kind::Comment => Some((field, access)),
        _ => None,
    })
}

/// How many bytes of a key a field takes if the port fills it; `None` if only a value that is known can be compiled: one
/// end of a range, a mask, an address with a mask that is not known.
fn width(matches: &Match, field: &Field) -> Option<usize> {
    let name = field.attribute.name;
    let completed = |other: &Field| {
        let mask = matches!(other.attribute.kind, Kind::MacMask | Kind::V4Mask | Kind::V6Mask);
        let known = mask && matches!(other.term, Term::Value(_));
        // A code completes its type but is a value by itself.
        other.attribute.completes == Some(name) && other.attribute.name != "code" && !known
    };
    // Type and code are negated together.
    let pair = field.negated && matches!(name, "type" | "code") && matches.protocol.name != "stp";
    let end = field.attribute.completes.is_some() && name != "code";
    if pair || end || matches.fields.iter().any(completed) {
        return None;
    }
    match &field.attribute.kind {
        Kind::Mac => Some(6),
        Kind::V4 => Some(4),
        Kind::V6 => Some(16),
        Kind::Number { max, .. } if !matches!(name, "connlimit-above" | "option") => Some(match max {
            0..=0xff => 1,
            0x100..=0xffff => 2,
            _ => 4,
        }),
        _ => None,
    }
}

/// Reads a variable's value.
pub(super) fn read(kind: &Kind, text: &str, access: &Access, place: &str, attribute: &str) -> Result<Value> {
    let why = match kind.read(text) {
        Ok(value) => return Ok(value),
        Err(Refusal::Illegal(wanted)) => format!("{wanted} is wanted"),
        Err(Refusal::Doubtful(_, why)) => format!("it {why}"),
    };
    let message = format!("{place}: value '{text}' of {access} is no '{attribute}': {why}");
    Err(refuse(Code::INTERNAL, message))
}

/// Says why variables have no combinations.
pub(super) fn uneven(why: &Uneven, place: &str) -> Error {
    let message = match why {
        Uneven::Missing(access) => format!("{place}: no value is given for {access}"),
        Uneven::Lengths((one, ones), (other, others)) => format!(
            "{place}: {one} has {ones} values and {other} has {others}, but they advance together: give them equally \
             many, or another iterator to one of them"
        ),
    };
    refuse(Code::INTERNAL, message)
}
