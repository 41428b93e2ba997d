//! Verbs that look at network filters in force: status, what is on a port, counters; and reload.

use super::Session;
use super::exit::{Context, Failure};
use super::filter::Port;
use super::output::{Cell, Colour, Output, harmless};
use clap::Subcommand;
use driver_api::types::inspect::{PortCounters, PortView, RulePlace};
use serde_json::{Map, Value, json};

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show how network filters are kept in force on this machine
    NwfilterStatus,
    /// Show what is in force on a port: its filters, their variables, the rules
    NwfilterShow(Port),
    /// Show how often each rule on a port matched, and where it is written
    NwfilterCounters {
        /// Which port.
        #[command(flatten)]
        port: Port,
        /// Leave out rules that never matched
        #[arg(long)]
        matched: bool,
    },
    /// Have the host read all filters and bindings anew and bring every port to what they say
    NwfilterReload,
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let out = session.out;
        match self {
            Self::NwfilterStatus => {
                let facts = session.connect()?.filter_status()?;
                if out.is_json() {
                    return out.json(&pairs(&facts));
                }
                let facts = facts.iter().map(|(name, value)| (name.as_str(), value.clone()));
                out.pairs(&facts.collect::<Vec<_>>())
            }
            Self::NwfilterShow(port) => {
                let view = session.connect()?.filter_port(port.word())?;
                if out.is_json() {
                    return out.json(&view_json(&view));
                }
                out.raw(&view_text(&view))
            }
            Self::NwfilterCounters { port, matched } => {
                let mut counters = session.connect()?.filter_counters(port.word())?;
                counters.rules.retain(|rule| !matched || rule.packets > 0);
                if out.is_json() {
                    return out.json(&counters_json(&counters));
                }
                show_counters(out, port.word(), &counters, session.common.quiet)
            }
            Self::NwfilterReload => {
                let reloaded = session.connect()?.reload_filters();
                reloaded.context(|| "cannot reload the network filters".to_owned())?;
                out.done("Network filters reloaded", &json!({ "done": "reloaded" }))
            }
        }
    }
}

fn show_counters(out: Output, port: &str, counters: &PortCounters, quiet: bool) -> Result<(), Failure> {
    let row = |rule: &driver_api::types::inspect::RuleCount| {
        let verdict = verdict_cell(&rule.verdict);
        let [filter, line, text] = place_cells(rule.place.as_ref());
        let chain = rule.chain.as_str().into();
        vec![
            rule.packets.into(),
            rule.bytes.into(),
            chain,
            verdict,
            filter,
            line,
            text,
        ]
    };
    let heads = ["Packets", "Bytes", "Chain", "Verdict", "Filter", "Line", "Rule"];
    out.table(&heads, &counters.rules.iter().map(row).collect::<Vec<_>>())?;
    let others: Vec<String> = counters.ports.iter().filter(|other| *other != port).cloned().collect();
    if quiet || others.is_empty() {
        return Ok(());
    }
    out.line(format_args!("counted together with {}", harmless(&others.join(", "))))
}

/// A verdict in its colour.
pub(super) fn verdict_cell(verdict: &str) -> Cell {
    match verdict {
        "accept" => Cell::coloured(verdict, Colour::Green),
        "drop" => Cell::coloured(verdict, Colour::Red),
        "reject" => Cell::coloured(verdict, Colour::Yellow),
        other => other.into(),
    }
}

/// Filter, line and text of a rule; a dash each where no user wrote it.
pub(super) fn place_cells(place: Option<&RulePlace>) -> [Cell; 3] {
    let Some(place) = place else {
        return ["-".into(), "-".into(), "-".into()];
    };
    let line = if place.line == 0 {
        "gone".to_owned()
    } else {
        place.line.to_string()
    };
    [place.filter.as_str().into(), line.into(), flat(&place.text).into()]
}

/// Where a rule is written, for programs.
pub(super) fn place_json(place: Option<&RulePlace>) -> Value {
    place.map_or(Value::Null, |place| {
        json!({
            "filter": place.filter, "uuid": place.uuid.to_string(), "entry": place.entry, "line": place.line,
            "text": place.text,
        })
    })
}

/// An element of several lines on one.
fn flat(text: &str) -> String {
    text.lines().map(str::trim).collect()
}

/// Names with their values as an object; a name given twice has a list.
fn pairs(pairs: &[(String, String)]) -> Value {
    let mut object = Map::new();
    for (name, value) in pairs {
        match object.get_mut(name) {
            None => drop(object.insert(name.clone(), json!(value))),
            Some(Value::Array(list)) => list.push(json!(value)),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Value::Object(object)
}

fn view_json(view: &PortView) -> Value {
    let tree = view.tree.iter().map(|node| {
        json!({
            "level": node.level, "filter": node.filter, "exists": node.exists, "chain": node.chain,
            "parameters": pairs(&node.parameters),
        })
    });
    let rules = view.rules.iter().map(|rule| {
        json!({
            "chain": rule.chain, "text": rule.text, "note": rule.note, "place": place_json(rule.place.as_ref()),
        })
    });
    json!({
        "port": view.port, "filter": view.filter, "mac": view.mac, "owner": view.owner, "state": view.state,
        "program": view.program, "parameters": pairs(&view.parameters), "learned": view.learned,
        "tree": tree.collect::<Vec<_>>(), "rules": rules.collect::<Vec<_>>(),
    })
}

fn counters_json(counters: &PortCounters) -> Value {
    let rules = counters.rules.iter().map(|rule| {
        json!({
            "packets": rule.packets, "bytes": rule.bytes, "chain": rule.chain, "verdict": rule.verdict,
            "place": place_json(rule.place.as_ref()),
        })
    });
    json!({ "ports": counters.ports, "rules": rules.collect::<Vec<_>>() })
}

/// Values of variables as people write them: `IP=10.0.0.1 10.0.0.2`.
fn assigned(pairs: &[(String, String)]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut last = None;
    for (name, value) in pairs {
        match lines.last_mut().filter(|_| last == Some(name)) {
            Some(line) => line.push_str(&format!(" {value}")),
            None => lines.push(format!("{name}={value}")),
        }
        last = Some(name);
    }
    lines
}

fn view_text(view: &PortView) -> String {
    let mut lines = Vec::new();
    for (name, value) in [
        ("Port:", &view.port),
        ("Filter:", &view.filter),
        ("MAC:", &view.mac),
        ("Owner:", &view.owner),
        ("State:", &view.state),
        ("Program:", &view.program),
    ] {
        if !value.is_empty() {
            lines.push(format!("{name:10}{value}"));
        }
    }
    if !view.learned.is_empty() {
        lines.push(format!("{:10}{}", "Learned:", view.learned.join(" ")));
    }
    lines.push(String::new());
    lines.push("Variables".to_owned());
    lines.extend(assigned(&view.parameters).into_iter().map(|line| format!("  {line}")));
    lines.push(String::new());
    lines.push("Filters".to_owned());
    for node in &view.tree {
        let indent = usize::try_from(node.level).unwrap_or(0).saturating_mul(2);
        let mut line = format!("  {:indent$}{}", "", node.filter);
        if node.exists {
            line.push_str(&format!(" (chain {})", node.chain));
        } else {
            line.push_str(" (there is no such filter)");
        }
        for assignment in assigned(&node.parameters) {
            line.push_str(&format!(" {assignment}"));
        }
        lines.push(line);
    }
    lines.push(String::new());
    lines.push("Rules".to_owned());
    let mut chain = None;
    for rule in &view.rules {
        if chain != Some(&rule.chain) {
            lines.push(format!("  {}", rule.chain));
            chain = Some(&rule.chain);
        }
        let mut line = format!("    {}", rule.text);
        if let Some(place) = &rule.place {
            line.push_str(&format!("  # {}:{}", place.filter, place.line));
        }
        if !rule.note.is_empty() {
            line.push_str(&format!("  !! {}", rule.note));
        }
        lines.push(line);
    }
    lines.iter().map(|line| format!("{}\n", harmless(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::types::inspect::{RuleView, TreeNode};
    use driver_api::types::uuid::Uuid;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_name_given_twice_is_a_list() {
        let given = [pair("IP", "10.0.0.1"), pair("IP", "10.0.0.2"), pair("MAC", "m")];
        assert_eq!(pairs(&given), json!({ "IP": ["10.0.0.1", "10.0.0.2"], "MAC": "m" }));
        assert_eq!(assigned(&given), ["IP=10.0.0.1 10.0.0.2", "MAC=m"]);
    }

    #[test]
    fn a_port_is_shown_with_its_tree_and_the_marks_of_its_rules() {
        let place = RulePlace {
            filter: "f".to_owned(),
            uuid: Uuid::from_bytes([1; 16]),
            entry: 0,
            line: 3,
            text: "<rule action='reject'>\n  <tcp/>\n</rule>".to_owned(),
        };
        assert_eq!(flat(&place.text), "<rule action='reject'><tcp/></rule>");
        let node = |level, filter: &str, exists| TreeNode {
            level,
            filter: filter.to_owned(),
            exists,
            chain: "root".to_owned(),
            parameters: vec![],
        };
        let view = PortView {
            port: "tap0".to_owned(),
            filter: "f".to_owned(),
            mac: "m".to_owned(),
            owner: String::new(),
            state: "in force".to_owned(),
            program: "p-1".to_owned(),
            parameters: vec![pair("IP", "10.0.0.1")],
            learned: vec![],
            tree: vec![node(0, "f", true), node(1, "g", false)],
            rules: vec![RuleView {
                chain: "frame-out".to_owned(),
                text: "reject\x1b[2J".to_owned(),
                place: Some(place),
                note: "dropped without a word".to_owned(),
            }],
        };
        let text = view_text(&view);
        assert!(
            text.contains("  f (chain root)\n    g (there is no such filter)\n"),
            "{text}"
        );
        let rule = "    reject\\u{1b}[2J  # f:3  !! dropped without a word\n";
        assert!(text.contains(rule), "{text}");
    }
}
