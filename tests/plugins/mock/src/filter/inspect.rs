//! `nwfilter.inspect/1`: what is in force, and what it does with a packet. There is no kernel, so nothing is counted.

use super::def::{FilterDef, Rule};
use super::packet::Packet;
use super::table::{Set, TreeEntry, tree};
use crate::core::Mock;
use crate::fault::{Part, fault, senseless};
use driver_api::driver::Inspect;
use driver_api::error::{Code, Error, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::inspect::{
    PacketFate, PacketSource, PacketWay, PortCounters, PortView, RuleCount, RulePlace, RuleView, TestOutcome,
    TestRequest, TestStep, TraceBatch, TreeNode,
};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PART: Part = Part::Filter;
/// A trace that nobody asks for this long is over.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many traces run at once.
const MOST_TRACES: usize = 16;

/// A rule of a tree, with the filter that it stands in and the values that hold there.
struct Placed {
    filter: Arc<FilterDef>,
    entry: usize,
    rule: Rule,
    parameters: Vec<(String, String)>,
}

impl Placed {
    fn place(&self) -> RulePlace {
        let text = self.rule.element.to_string().trim_end().to_owned();
        RulePlace {
            filter: self.filter.name.clone(),
            uuid: self.filter.uuid,
            entry: u32::try_from(self.entry).unwrap_or(u32::MAX),
            line: line_of(&self.filter.element.to_string(), self.entry),
            text,
        }
    }

    fn verdict(&self) -> String {
        self.rule.action.clone()
    }
}

/// The line on which the rule or reference number `entry` begins in a printed definition.
fn line_of(document: &str, entry: usize) -> u32 {
    let begins = |line: &&str| {
        ["  <rule ", "  <rule>", "  <filterref "]
            .iter()
            .any(|begin| line.starts_with(begin))
    };
    let mut lines = document.lines().zip(1_u32..).filter(|(line, _)| begins(line));
    lines.nth(entry).map_or(0, |(_, number)| number)
}

/// All rules of a tree, in the order in which they are asked.
fn rules(tree: &[TreeEntry]) -> Vec<Placed> {
    let mut rules = Vec::new();
    for (_, _, filter, parameters) in tree {
        for filter in filter.iter() {
            rules.extend(filter.rules().map(|(entry, rule)| Placed {
                filter: Arc::clone(filter),
                entry,
                rule: rule.clone(),
                parameters: parameters.clone(),
            }));
        }
    }
    rules.sort_by_key(|placed| placed.rule.priority);
    rules
}

impl Inspect for Mock {
    fn facts(&self) -> Result<Vec<(String, String)>> {
        let fact = |name: &str, value: String| (name.to_owned(), value);
        Ok(vec![
            fact(
                "kernel",
                "none: filters are kept in memory and stop no packet".to_owned(),
            ),
            fact("filters", self.filters.set().len().to_string()),
            fact("ports", self.filters.ports().len().to_string()),
        ])
    }

    fn show_port(&self, port: &str) -> Result<PortView> {
        let bound = self.filters.port(port)?;
        let tree = tree(&self.filters.set(), &bound.reference.filter);
        let node = |(level, filter, def, parameters): &TreeEntry| TreeNode {
            level: *level,
            filter: filter.clone(),
            exists: def.is_some(),
            chain: def.as_ref().map_or_else(String::new, |def| def.chain.clone()),
            parameters: parameters.clone(),
        };
        let view = |placed: &Placed| RuleView {
            chain: placed.filter.chain.clone(),
            text: format!("{} {}", placed.rule.direction, placed.rule.action),
            place: Some(placed.place()),
            note: String::new(),
        };
        Ok(PortView {
            port: bound.port.clone(),
            filter: bound.reference.filter.clone(),
            mac: bound.mac.clone(),
            owner: bound.owner.clone(),
            state: "in force, in memory".to_owned(),
            program: String::new(),
            parameters: bound.reference.parameters.clone(),
            learned: Vec::new(),
            rules: rules(&tree).iter().map(view).collect(),
            tree: tree.iter().map(node).collect(),
        })
    }

    fn counters(&self, port: &str) -> Result<PortCounters> {
        let bound = self.filters.port(port)?;
        let count = |placed: &Placed| RuleCount {
            chain: placed.filter.chain.clone(),
            verdict: placed.verdict(),
            packets: 0,
            bytes: 0,
            place: Some(placed.place()),
        };
        Ok(PortCounters {
            ports: vec![bound.port.clone()],
            rules: rules(&tree(&self.filters.set(), &bound.reference.filter))
                .iter()
                .map(count)
                .collect(),
        })
    }

    fn test(&self, request: &TestRequest) -> Result<Vec<TestOutcome>> {
        let set = self.filters.set();
        let name = named(&set, &request.filter)?;
        let rules = rules(&tree(&set, &name));
        let way = request.way.unwrap_or(PacketWay::Out);
        request
            .packets
            .iter()
            .map(|source| outcome(source, way, &rules, &request.parameters))
            .collect()
    }

    fn start_trace(&self, port: &str) -> Result<u64> {
        self.filters.port(port)?;
        let random = Uuid::random()
            .map_err(|error| fault(PART, Code::SYSTEM_ERROR, "cannot make up a number for the trace").because(error))?;
        let [a, b, c, d, e, f, g, h, ..] = *random.as_bytes();
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        self.filters.traces(|traces| {
            traces.retain(|_, (_, asked)| asked.elapsed() < PATIENCE);
            if traces.len() >= MOST_TRACES {
                let message = format!("{MOST_TRACES} traces run already: end one of them first");
                return Err(fault(PART, Code::OPERATION_INVALID, message));
            }
            traces.insert(number, (port.to_owned(), Instant::now()));
            Ok(number)
        })
    }

    fn next_trace(&self, trace: u64) -> Result<TraceBatch> {
        let known = self.filters.traces(|traces| {
            traces.retain(|_, (_, asked)| asked.elapsed() < PATIENCE);
            let entry = traces.get_mut(&trace)?;
            entry.1 = Instant::now();
            Some(())
        });
        match known {
            Some(()) => Ok(TraceBatch {
                steps: Vec::new(),
                lost: 0,
            }),
            None => {
                let message = format!("there is no trace {trace}, or not any more: begin another one");
                Err(fault(PART, Code::OPERATION_INVALID, message))
            }
        }
    }

    fn stop_trace(&self, trace: u64) -> Result<()> {
        self.filters.traces(|traces| traces.remove(&trace));
        Ok(())
    }

    fn reload(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        self.in_service(PART)?;
        self.load_filters(cx)
    }
}

/// The name of the filter that is meant by name or UUID.
fn named(set: &Set, wanted: &str) -> Result<String> {
    let uuid: Option<Uuid> = wanted.parse().ok();
    let found = set
        .get(wanted)
        .or_else(|| set.values().find(|filter| Some(filter.uuid) == uuid));
    let missing = || -> Error {
        fault(
            PART,
            Code::NO_NWFILTER,
            format!("there is no filter '{}'", wanted.escape_debug()),
        )
    };
    found.map(|filter| filter.name.clone()).ok_or_else(missing)
}

fn outcome(source: &PacketSource, way: PacketWay, rules: &[Placed], given: &[(String, String)]) -> Result<TestOutcome> {
    let PacketSource::Words(words) = source else {
        return Err(senseless(
            PART,
            "the mock driver reads packets in words only, no captures",
        ));
    };
    let packet = Packet::read(words)?;
    let leaves = matches!(way, PacketWay::Out | PacketWay::ToHost);
    let (mut path, mut notes, mut decided) = (Vec::new(), Vec::new(), None);
    for placed in rules {
        let direction = placed.rule.direction.as_str();
        if direction != "inout" && (direction == "out") != leaves {
            continue;
        }
        let value = |variable: &str| {
            let all = placed.parameters.iter().chain(given);
            all.filter(|(name, _)| name == variable)
                .map(|(_, value)| value.clone())
                .collect::<Vec<_>>()
        };
        let mut fits = placed.rule.matches.is_empty();
        for element in &placed.rule.matches {
            let (this, unseen) = packet.fits(element, &value);
            fits |= this;
            notes.extend(unseen);
        }
        if !fits {
            continue;
        }
        let step = TestStep {
            chain: placed.filter.chain.clone(),
            verdict: placed.verdict(),
            place: Some(placed.place()),
        };
        path.push(step.clone());
        if matches!(placed.rule.action.as_str(), "accept" | "drop" | "reject") {
            decided = Some(step);
            break;
        }
    }
    let fate = match decided.as_ref().map(|step| step.verdict.as_str()) {
        Some("drop") => PacketFate::Drop,
        Some("reject") => PacketFate::Reject,
        _ => PacketFate::Accept,
    };
    Ok(TestOutcome {
        frame: packet.frame(),
        way,
        fate,
        decided,
        path,
        notes,
    })
}
