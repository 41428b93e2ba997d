//! What our tables hold, read back from the kernel as the same values that they were made of.

use super::change::Check;
use super::image::Image;
use super::lower;
use super::names::TABLE;
use super::object::{ChainObject, RuleObject, SetObject, TableObjects};
use crate::nft::object::{PlacedRule, kind};
use crate::nft::wire::Writer;
use crate::nft::{Chain, Element, Family, Rule, Set, Socket, Table};
use std::io;

/// All that our tables hold.
pub(super) fn image(socket: &mut Socket) -> io::Result<Image> {
    let mut image = Image::default();
    for family in Family::ALL {
        if let Some(table) = table(socket, family)? {
            image.tables.insert(family, table);
        }
    }
    Ok(image)
}

fn table(socket: &mut Socket, family: Family) -> io::Result<Option<TableObjects>> {
    let tables = socket.list(Some(family), kind::GETTABLE, |_| {}, Table::decode)?;
    // A table that sleeps is as good as none.
    if !tables.iter().any(|table| table.name == TABLE && !table.dormant) {
        return Ok(None);
    }
    let mut objects = TableObjects::default();
    let named = |w: &mut Writer| w.text(1, TABLE);
    for chain in socket.list(Some(family), kind::GETCHAIN, named, Chain::decode)? {
        if chain.table == TABLE {
            let object = ChainObject {
                base: chain.base,
                rules: Vec::new(),
            };
            objects.chains.insert(chain.name, object);
        }
    }
    for placed in socket.list(Some(family), kind::GETRULE, named, Rule::decode)? {
        if placed.table == TABLE
            && let Some(chain) = objects.chains.get_mut(&placed.chain)
        {
            chain.rules.push(rule(placed.rule));
        }
    }
    for set in socket.list(Some(family), kind::GETSET, named, Set::decode)? {
        if set.table == TABLE {
            // What rules add themselves is no part of what they mean.
            let elements = match set.evaluated {
                Some(_) => Vec::new(),
                None => elements(socket, family, &set.name)?,
            };
            let elements = elements.into_iter().map(|element| (element.key, element.verdict));
            let object = SetObject {
                elements: elements.collect(),
                set,
            };
            objects.sets.insert(object.set.name.clone(), object);
        }
    }
    Ok(Some(objects))
}

/// The families in which there is a table of our name.
pub(super) fn families(socket: &mut Socket) -> io::Result<Vec<Family>> {
    socket.list(
        None,
        kind::GETTABLE,
        |_| {},
        |message| {
            let family = Family::from_number(message.family())?;
            (Table::decode(message)?.name == TABLE).then_some(family)
        },
    )
}

/// All elements of a set.
pub(super) fn elements(socket: &mut Socket, family: Family, set: &str) -> io::Result<Vec<Element>> {
    let body = |w: &mut Writer| {
        w.text(1, TABLE);
        w.text(2, set);
    };
    let lists = socket.list(Some(family), kind::GETSETELEM, body, Element::decode_list)?;
    Ok(lists.into_iter().flatten().collect())
}

/// The rules of a chain with their handles and counts.
pub(super) fn rules(socket: &mut Socket, family: Family, chain: &str) -> io::Result<Vec<PlacedRule>> {
    let body = |w: &mut Writer| {
        w.text(1, TABLE);
        w.text(2, chain);
    };
    let mut rules = socket.list(Some(family), kind::GETRULE, body, Rule::decode)?;
    // A kernel that does not narrow the list gives more than was asked for.
    rules.retain(|placed| placed.table == TABLE && placed.chain == chain);
    Ok(rules)
}

fn rule(rule: Rule) -> RuleObject {
    RuleObject {
        origin: rule.comment.as_deref().and_then(lower::origin),
        rule,
    }
}

/// The first object of a change that the kernel does not hold as it was meant.
pub(super) fn deviation(socket: &mut Socket, check: &Check<'_>) -> io::Result<Option<String>> {
    for (family, name, object) in &check.chains {
        let found = rules(socket, *family, name)?;
        let same = found
            .iter()
            .map(|placed| &placed.rule)
            .eq(object.rules.iter().map(|rule| &rule.rule));
        if !same {
            return Ok(Some(format!("chain '{name}'")));
        }
    }
    for (family, set, wanted) in &check.elements {
        for part in crate::nft::batch::parts(wanted) {
            let body = |w: &mut Writer| Element::encode_list(part, TABLE, set, w);
            let found = socket.get(Some(*family), kind::GETSETELEM, body, Element::decode_list)?;
            if !found.iter().flatten().eq(part.iter()) {
                return Ok(Some(format!("the elements of set '{set}'")));
            }
        }
    }
    Ok(None)
}
