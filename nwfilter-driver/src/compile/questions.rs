//! `Questions`: the conditions of one rule at one hook, collected.

use super::binding::{Bound, Choice};
use super::place;
use super::slot::{Encoding, Part, Recipes};
use crate::def::kind::Kind;
use crate::def::value::Value;
use crate::def::{Field, Match};
use crate::expand::{Placed, refuse};
use crate::ruleset::{Base, Condition, Hook, Load, SlotKey, Test};
use driver_api::error::{Code, Error, Result};
use std::collections::BTreeMap;

/// Collects the conditions of one rule.
#[derive(Debug)]
pub(super) struct Questions<'p> {
    placed: &'p Placed<'p>,
    matches: Option<&'p Match>,
    choice: &'p Choice<'p>,
    conditions: Vec<Condition>,
    /// Two ways to go on, never both.
    either: Option<[Vec<Condition>; 2]>,
    /// What is asked after the rest, since it needs what the rest made sure of.
    last: Vec<Condition>,
    /// Parts of slots by their group.
    parts: BTreeMap<usize, Vec<(SlotKey, Part)>>,
    /// Slots of a single part each: group, key, part, negated.
    single: Vec<(usize, SlotKey, Part, bool)>,
    never: bool,
}

impl<'p> Questions<'p> {
    pub(super) fn new(placed: &'p Placed<'p>, choice: &'p Choice<'p>) -> Self {
        Self {
            placed,
            matches: placed.rule.matches.as_ref(),
            choice,
            conditions: Vec::new(),
            either: None,
            last: Vec::new(),
            parts: BTreeMap::new(),
            single: Vec::new(),
            never: false,
        }
    }

    /// A field that the rule has.
    pub(super) fn field(&self, name: &str) -> Option<&'p Field> {
        self.matches?.field(name)
    }

    /// Bytes that must be as given.
    pub(super) fn assert(&mut self, load: Load, bytes: &[u8]) {
        self.bytes(load, None, Test::Equal(bytes.to_vec()), false);
    }

    /// One more condition.
    pub(super) fn push(&mut self, condition: Condition) {
        if !self.conditions.contains(&condition) {
            self.conditions.push(condition);
        }
    }

    /// A condition that is asked behind all that looks at the packet itself.
    pub(super) fn push_last(&mut self, condition: Condition) {
        self.last.push(condition);
    }

    /// Two conditions of which one must hold, given as ways that exclude one another.
    pub(super) fn either(&mut self, ways: [Vec<Condition>; 2]) {
        self.either = Some(ways);
    }

    /// Bytes compared with known ones.
    pub(super) fn bytes(&mut self, load: Load, mask: Option<Vec<u8>>, test: Test, negated: bool) {
        let mask = mask.filter(|mask| mask.iter().any(|byte| *byte != 0xff));
        if mask.as_ref().is_some_and(|mask| mask.iter().all(|byte| *byte == 0)) {
            // A mask that looks at nothing: every frame that has the bytes is equal.
            self.never |= negated;
            return;
        }
        self.push(Condition::Bytes {
            load,
            mask,
            test,
            negated,
        });
    }

    /// A value that must be known now.
    ///
    /// # Errors
    /// 1 when the variable's value is not what the attribute wants.
    pub(super) fn value(&self, field: &Field) -> Result<Value> {
        let matches = self.matches.ok_or_else(|| self.confused(field))?;
        match self.choice.bound(self.placed, matches, field)? {
            Bound::Value(value) => Ok(value),
            Bound::Slot { .. } => Err(self.confused(field)),
        }
    }

    /// The number of a field.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub(super) fn number(&self, field: &Field) -> Result<u32> {
        match self.value(field)? {
            Value::Number { value, .. } => Ok(value),
            _ => Err(self.confused(field)),
        }
    }

    pub(super) fn confused(&self, field: &Field) -> Error {
        let message = format!("{}: '{}' can not be compiled", place(self.placed), field.attribute.name);
        refuse(Code::INTERNAL, message)
    }

    /// A rule whose attributes can not be true together.
    pub(super) fn contradicts(&self, field: &Field, why: &str) -> Error {
        let message = format!(
            "{}: '{}' of the rule contradicts other attributes: {why}",
            place(self.placed),
            field.attribute.name
        );
        refuse(Code::INTERNAL, message)
    }

    /// A condition whose answer is known for every frame.
    pub(super) const fn decided(&mut self, holds: bool) {
        self.never |= !holds;
    }

    /// A field that is compared as it is.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub(super) fn exact(&mut self, field: &Field, load: Load) -> Result<()> {
        self.shifted(field, load, 0, None)
    }

    /// A field that is compared within a wider one: moved up by so many bits, and the mask tells where it stands.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub(super) fn shifted(&mut self, field: &Field, load: Load, shift: u8, mask: Option<Vec<u8>>) -> Result<()> {
        let matches = self.matches.ok_or_else(|| self.confused(field))?;
        let encoding = Encoding {
            width: load.len(),
            shift,
            mask: mask.filter(|mask| mask.iter().any(|byte| *byte != 0xff)),
        };
        match self.choice.bound(self.placed, matches, field)? {
            Bound::Value(value) => {
                let bytes = encoding.encode(&value).ok_or_else(|| self.confused(field))?;
                self.bytes(load, encoding.mask, Test::Equal(bytes), field.negated);
            }
            Bound::Slot { group, column } => {
                if encoding
                    .mask
                    .as_ref()
                    .is_some_and(|mask| mask.iter().all(|byte| *byte == 0))
                {
                    self.never |= field.negated;
                    return Ok(());
                }
                let key = SlotKey {
                    load,
                    mask: encoding.mask.clone(),
                };
                let part = Part {
                    column,
                    kind: field.attribute.kind,
                    attribute: field.attribute.name,
                    encoding,
                };
                match self.choice.pick(group) {
                    None => self.parts.entry(group).or_default().push((key, part)),
                    Some(_) => self.single.push((group, key, part, field.negated)),
                }
            }
        }
        Ok(())
    }

    /// A number with an end that may not be given.
    ///
    /// # Errors
    /// As [`Self::value`]; 1 when the range is empty.
    pub(super) fn range(&mut self, name: &str, end: &str, load: Load) -> Result<()> {
        let Some(start) = self.field(name) else {
            return Ok(());
        };
        let Some(end) = self.field(end) else {
            return self.exact(start, load);
        };
        let (negated, end) = (start.negated, end.attribute.name);
        let test = self.test(name, end)?;
        self.bytes(load, None, test, negated);
        Ok(())
    }

    /// What a field with an end that may not be given is compared with, if that is known.
    ///
    /// # Errors
    /// As [`Self::range`].
    pub(super) fn test(&self, name: &str, end: &str) -> Result<Test> {
        let field = |name: &str| self.field(name);
        let Some(start) = field(name) else {
            return Err(refuse(
                Code::INTERNAL,
                format!("{}: '{name}' is not there", place(self.placed)),
            ));
        };
        let bytes = |field: &Field| {
            let encoding = Encoding {
                width: width(&field.attribute.kind),
                shift: 0,
                mask: None,
            };
            encoding.encode(&self.value(field)?).ok_or_else(|| self.confused(field))
        };
        let low = bytes(start)?;
        let Some(end) = field(end) else {
            return Ok(Test::Equal(low));
        };
        let high = bytes(end)?;
        if low > high {
            let message = format!(
                "{}: the range from '{}' to '{}' is empty, its end is smaller than its start",
                place(self.placed),
                start.attribute.name,
                end.attribute.name
            );
            return Err(refuse(Code::INTERNAL, message));
        }
        Ok(if low == high {
            Test::Equal(low)
        } else {
            Test::Range(low, high)
        })
    }

    /// A MAC address with a mask that may not be given.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub(super) fn mac(&mut self, name: &str, mask: Option<&str>, base: Base, offset: u8) -> Result<()> {
        let Some(field) = self.field(name) else {
            return Ok(());
        };
        let mask = match mask.and_then(|mask| self.field(mask)) {
            None => None,
            Some(mask) => match self.value(mask)? {
                Value::Mac(mac) => Some(mac.0.to_vec()),
                _ => return Err(self.confused(mask)),
            },
        };
        self.shifted(field, Load::payload(base, offset, 6), 0, mask)
    }

    /// An IP address with a mask that may not be given.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub(super) fn address(&mut self, name: &str, mask: &str, base: Base, offset: u8, width: u8) -> Result<()> {
        let Some(field) = self.field(name) else {
            return Ok(());
        };
        let mask = match self.field(mask) {
            None => None,
            Some(mask) => match self.value(mask)? {
                Value::Prefix(length) => Some(prefix(length, width)),
                _ => return Err(self.confused(mask)),
            },
        };
        self.shifted(field, Load::payload(base, offset, width), 0, mask)
    }

    /// Whether anything is asked yet.
    pub(super) fn count(&self) -> usize {
        let slots = self.single.len() + self.parts.len();
        self.conditions.len() + self.last.len() + slots + usize::from(self.never || self.either.is_some())
    }

    /// The rules' conditions: none when the rule can match nothing.
    pub(super) fn finish(self, hook: Hook, recipes: &mut Recipes) -> Vec<Vec<Condition>> {
        if self.never {
            return Vec::new();
        }
        let mut slots = Vec::new();
        for (group, parts) in self.parts {
            let (keys, parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            let slot = recipes.slot(self.placed, hook, self.choice.group(group), None, parts);
            slots.push(Condition::Slot {
                slot,
                keys,
                negated: false,
            });
        }
        for (group, key, part, negated) in self.single {
            let pick = self.choice.pick(group);
            let slot = recipes.slot(self.placed, hook, self.choice.group(group), pick, vec![part]);
            slots.push(Condition::Slot {
                slot,
                keys: vec![key],
                negated,
            });
        }
        let ways = match self.either {
            None => vec![Vec::new()],
            Some(ways) => ways.into(),
        };
        ways.into_iter()
            .map(|way| {
                let mut conditions = self.conditions.clone();
                conditions.extend(way);
                conditions.extend(slots.iter().cloned());
                conditions.extend(self.last.iter().cloned());
                conditions
            })
            .collect()
    }
}

/// How many bytes a value of this kind has in a frame.
const fn width(kind: &Kind) -> u8 {
    match kind {
        Kind::Mac => 6,
        Kind::V4 => 4,
        Kind::V6 => 16,
        Kind::Number { max: 0..=0xff, .. } => 1,
        Kind::Number {
            max: 0x100..=0xffff, ..
        } => 2,
        _ => 4,
    }
}

/// A mask of `length` ones in so many bytes.
fn prefix(length: u8, width: u8) -> Vec<u8> {
    (0..width)
        .map(|byte| {
            let ones = length.saturating_sub(byte * 8).min(8);
            // Shifting a byte by its whole width is not defined.
            if ones == 0 { 0 } else { 0xff << (8 - ones) }
        })
        .collect()
}
