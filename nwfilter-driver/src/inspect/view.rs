//! A port as it is in force: binding, tree of filters, learned addresses, rules with the port's own values.

use super::note::Noter;
use super::place::Places;
use crate::def::vars::Parameters;
use crate::def::{Entry, FilterDef};
use crate::engine::{Bound, Stage};
use crate::filters::Filters;
use crate::kernel::Facts;
use crate::ruleset::{Condition, Rule, SlotShape};
use driver_api::types::inspect::{PortView, RuleView, TreeNode};
use std::collections::{BTreeSet, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// So many of a port's values are shown in one rule.
const MOST_VALUES: usize = 16;

/// What is known of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// What its kernel can, if it can be asked.
    pub facts: Option<Facts>,
    /// Whether it has the port's device now.
    pub has_device: bool,
}

/// The view of a port; `internal` are the driver's own filters.
#[must_use]
pub fn view(bound: &Bound, filters: &Filters, internal: &Filters, machine: Machine) -> PortView {
    let def = &bound.record.def;
    let mut places = Places::new(vec![filters, internal]);
    let noter = Noter::new(machine.facts);
    let program = &bound.compiled.program;
    let values = bound.compiled.fill(&bound.values).unwrap_or_default();
    let rules = program
        .chains
        .iter()
        .flat_map(|(chain, rules)| rules.iter().map(move |rule| (chain, rule)));
    let rules = rules.map(|(chain, rule)| RuleView {
        chain: chain.to_string(),
        text: with_values(rule, &program.slots, &values),
        place: places.maybe(rule.origin),
        note: noter.note(chain.hook, rule),
    });
    PortView {
        port: def.port.clone(),
        filter: def.filter.clone(),
        mac: def.mac.to_string(),
        owner: def.owner.name.clone(),
        state: state(bound, machine.has_device),
        program: bound.program.clone(),
        parameters: flat(&bound.values),
        learned: bound.record.learned.iter().map(ToString::to_string).collect(),
        tree: tree(filters, &def.filter),
        rules: rules.collect(),
    }
}

fn state(bound: &Bound, has_device: bool) -> String {
    let rules = match (&bound.stage, &bound.lesson) {
        (Stage::Filtered, None) => "in force".to_owned(),
        (Stage::Filtered, Some(_)) => "in force, addresses go on being learned".to_owned(),
        (Stage::Learning, _) => "learning: closed to all but what learning needs".to_owned(),
        (Stage::Closed(why), _) => format!("closed: {why}"),
    };
    if has_device {
        rules
    } else {
        format!("{rules}; there is no such device now")
    }
}

fn flat(parameters: &Parameters) -> Vec<(String, String)> {
    let each = |(name, values): (&String, &Vec<String>)| -> Vec<(String, String)> {
        values.iter().map(|value| (name.clone(), value.clone())).collect()
    };
    parameters.iter().flat_map(each).collect()
}

/// The filters in the order in which references lead to them; what a filter refers to is listed where it comes first.
fn tree(filters: &Filters, top: &str) -> Vec<TreeNode> {
    let mut nodes = Vec::new();
    let mut seen = HashSet::new();
    descend(filters, top, &Parameters::new(), 0, &mut seen, &mut nodes);
    nodes
}

fn descend(
    filters: &Filters,
    name: &str,
    parameters: &Parameters,
    level: u32,
    seen: &mut HashSet<String>,
    nodes: &mut Vec<TreeNode>,
) {
    let def = filters.by_name(name).map(|filter| &filter.def);
    nodes.push(TreeNode {
        level,
        filter: name.to_owned(),
        exists: def.is_some(),
        chain: def.map_or_else(String::new, |def: &FilterDef| def.chain.clone()),
        parameters: flat(parameters),
    });
    // Each filter once, so that many ways to one filter do not make the list endless.
    let Some(def) = def.filter(|_| seen.insert(name.to_owned())) else {
        return;
    };
    for entry in &def.entries {
        if let Entry::Reference(reference) = entry {
            descend(
                filters,
                &reference.filter,
                &reference.parameters,
                level + 1,
                seen,
                nodes,
            );
        }
    }
}

/// The rule's text with the port's values in the place of sets.
fn with_values(rule: &Rule, shapes: &[SlotShape], values: &[BTreeSet<Vec<u8>>]) -> String {
    let mut text = rule.to_string();
    let mut slots: Vec<u32> = rule
        .conditions
        .iter()
        .filter_map(|condition| match condition {
            Condition::Slot { slot, .. } => Some(*slot),
            _ => None,
        })
        .collect();
    // From the highest number on: `@slot1` is also the beginning of `@slot10`.
    slots.sort_unstable_by(|a, b| b.cmp(a));
    for slot in slots {
        let at = usize::try_from(slot).unwrap_or(usize::MAX);
        if let (Some(shape), Some(elements)) = (shapes.get(at), values.get(at)) {
            text = text.replace(&format!("@slot{slot}"), &set(shape, elements));
        }
    }
    text
}

fn set(shape: &SlotShape, elements: &BTreeSet<Vec<u8>>) -> String {
    let mut shown: Vec<String> = elements
        .iter()
        .take(MOST_VALUES)
        .map(|element| key(shape, element))
        .collect();
    if elements.len() > MOST_VALUES {
        shown.push(format!("and {} more", elements.len() - MOST_VALUES));
    }
    match shown.as_slice() {
        [only] => only.clone(),
        several => format!("{{ {} }}", several.join(", ")),
    }
}

fn key(shape: &SlotShape, element: &[u8]) -> String {
    let mut rest = element;
    let mut parts = Vec::new();
    for width in &shape.widths {
        let Some((part, more)) = rest.split_at_checked(usize::from(*width)) else {
            break;
        };
        parts.push(value(part));
        rest = more;
    }
    parts.join(" . ")
}

fn value(bytes: &[u8]) -> String {
    match bytes {
        [a, b, c, d] => Ipv4Addr::new(*a, *b, *c, *d).to_string(),
        [_, _, _, _, _, _] => bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .join(":"),
        _ => match <[u8; 16]>::try_from(bytes) {
            Ok(octets) => Ipv6Addr::from(octets).to_string(),
            Err(_) if bytes.len() < 4 => bytes
                .iter()
                .fold(0_u32, |all, byte| all << 8 | u32::from(*byte))
                .to_string(),
            Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::def::parse::{Mode, parse};

    fn filters(documents: &[&str]) -> Filters {
        documents.iter().fold(Filters::default(), |table, document| {
            let def = parse(document.as_bytes(), Mode::Strict).unwrap().def;
            table.with(def).unwrap().unwrap()
        })
    }

    #[test]
    fn the_tree_has_every_filter_and_what_is_missing() {
        let filters = filters(&[
            "<filter name='c' chain='arp'/>",
            "<filter name='b'><filterref filter='c'/><filterref filter='gone'/></filter>",
            "<filter name='a'><filterref filter='b'><parameter name='X' value='1'/></filterref><filterref filter='b'/></filter>",
        ]);
        let nodes = tree(&filters, "a");
        let short: Vec<_> = nodes.iter().map(|n| (n.level, n.filter.as_str(), n.exists)).collect();
        let expected = [
            (0, "a", true),
            (1, "b", true),
            (2, "c", true),
            (2, "gone", false),
            (1, "b", true),
        ];
        assert_eq!(short, expected);
        assert_eq!(nodes[1].parameters, [("X".to_owned(), "1".to_owned())]);
        assert_eq!((nodes[2].chain.as_str(), nodes[3].chain.as_str()), ("arp", ""));
    }

    #[test]
    fn sets_are_shown_as_the_values_that_they_hold() {
        let shape = SlotShape {
            out: true,
            widths: vec![6, 4, 2, 16, 1],
        };
        let mut element = vec![0x52, 0x54, 0, 0, 0, 1, 10, 0, 0, 1, 0, 80];
        element.extend(Ipv6Addr::LOCALHOST.octets());
        element.push(6);
        let one = BTreeSet::from([element]);
        assert_eq!(set(&shape, &one), "52:54:00:00:00:01 . 10.0.0.1 . 80 . ::1 . 6");
        let shape = SlotShape {
            out: true,
            widths: vec![4],
        };
        let many: BTreeSet<Vec<u8>> = (0..18).map(|last| vec![10, 0, 0, last]).collect();
        let text = set(&shape, &many);
        assert!(
            text.starts_with("{ 10.0.0.0, 10.0.0.1,") && text.ends_with(", and 2 more }"),
            "{text}"
        );
    }
}
