//! From a rule in force back to the line that somebody wrote.

use crate::def::lines::Lines;
use crate::filters::Filters;
use crate::ruleset::Origin;
use driver_api::types::inspect::RulePlace;
use driver_api::types::uuid::Uuid;
use std::collections::HashMap;

/// Looks places up, each filter printed at most once.
#[derive(Debug)]
pub struct Places<'a> {
    tables: Vec<&'a Filters>,
    known: HashMap<Uuid, Option<Known>>,
}

#[derive(Debug)]
struct Known {
    name: String,
    lines: Vec<Lines>,
}

impl<'a> Places<'a> {
    /// Looks in these tables, in their order.
    #[must_use]
    pub fn new(tables: Vec<&'a Filters>) -> Self {
        Self {
            tables,
            known: HashMap::new(),
        }
    }

    /// The place of a rule; of one whose filter is gone or has become shorter since, what is known of it.
    pub fn of(&mut self, origin: Origin) -> RulePlace {
        let Origin { filter: uuid, entry } = origin;
        let known = self.known.entry(uuid).or_insert_with(|| {
            let filter = self.tables.iter().find_map(|table| table.by_uuid(uuid).ok())?;
            Some(Known {
                name: filter.def.name.clone(),
                lines: filter.def.lines(),
            })
        });
        let index = usize::try_from(entry).unwrap_or(usize::MAX);
        let lines = known.as_ref().and_then(|known| known.lines.get(index));
        RulePlace {
            filter: known
                .as_ref()
                .map_or_else(|| uuid.to_string(), |known| known.name.clone()),
            uuid,
            entry,
            line: lines.map_or(0, |lines| lines.first),
            text: lines.map_or_else(String::new, |lines| lines.text.clone()),
        }
    }

    /// The same for a rule that may be the driver's own.
    pub fn maybe(&mut self, origin: Option<Origin>) -> Option<RulePlace> {
        origin.map(|origin| self.of(origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::def::parse::{Mode, parse};

    #[test]
    fn a_rule_leads_to_its_line_as_long_as_there_is_one() {
        let document = "<filter name='f'><rule action='drop' direction='in'><tcp/></rule></filter>";
        let def = parse(document.as_bytes(), Mode::Strict).unwrap().def;
        let uuid = def.uuid;
        let filters = Filters::default().with(def).unwrap().unwrap();
        let nothing = Filters::default();
        let mut places = Places::new(vec![&nothing, &filters]);
        let found = places.of(Origin { filter: uuid, entry: 0 });
        assert_eq!((found.filter.as_str(), found.line), ("f", 3));
        assert_eq!(
            found.text,
            "<rule action='drop' direction='in' priority='500'>\n  <tcp/>\n</rule>"
        );
        let gone = places.of(Origin { filter: uuid, entry: 1 });
        assert_eq!((gone.filter.as_str(), gone.line, gone.text.as_str()), ("f", 0, ""));
        let other = Uuid::from_bytes([9; 16]);
        let unknown = places.of(Origin {
            filter: other,
            entry: 0,
        });
        assert_eq!((unknown.filter, unknown.line), (other.to_string(), 0));
        assert_eq!(places.maybe(None), None);
    }
}
