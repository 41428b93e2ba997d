//! The verb `nwfilter-test`: what a filter would do with packets, without a port and without the kernel.

use super::Session;
use super::exit::{Context, Failure};
use super::frame::{Frames, summary};
use super::inspect::{place_cells, place_json, verdict_cell};
use super::output::{Cell, remark};
use crate::rpc::codec::inspect::FRAMES_MAX;
use clap::{Args, Subcommand, ValueEnum};
use driver_api::types::inspect::{TestFrame, TestOutcome, TestRequest};
use serde_json::{Value, json};

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show what a filter would do with packets, and which rule decides
    NwfilterTest(Options),
}

/// What `nwfilter-test` takes.
#[derive(Args, Debug)]
pub struct Options {
    /// The filter: its name or UUID
    filter: String,
    /// Packets in their order: a capture file (pcap, pcapng), hexadecimal digits, or words like 'tcp src=10.0.0.1 dst=10.0.0.2 dport=22'
    #[arg(value_name = "PACKET|PCAP", required = true)]
    packets: Vec<String>,
    /// The value of a variable; a name given several times is a list
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = assignment)]
    parameters: Vec<(String, String)>,
    /// The guest's MAC address: the variable MAC, and the sender of packets in words
    #[arg(long)]
    mac: Option<String>,
    /// Which way all packets go, seen from the guest; without it, those that another MAC than the guest's sent go in
    #[arg(long, value_enum)]
    direction: Option<Direction>,
    /// Show every rule that a packet matched on its way, not only the one that decided
    #[arg(long)]
    path: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Direction {
    In,
    Out,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "write a parameter as 'NAME=VALUE'".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Verb {
    pub(super) fn perform(self, session: &Session) -> Result<(), Failure> {
        let Self::NwfilterTest(options) = self;
        options.perform(session)
    }
}

impl Options {
    fn perform(self, session: &Session) -> Result<(), Failure> {
        let out = session.out;
        let request = self.request()?;
        let frames = request.frames.clone();
        let outcomes =
            (session.connect()?.filter_test(request)).context(|| format!("cannot test filter '{}'", self.filter))?;
        if outcomes.len() != frames.len() {
            let text = format!("{} verdicts came for {} packets", outcomes.len(), frames.len());
            return Err(Failure::Other(text));
        }
        let all = frames.iter().zip(&outcomes).enumerate();
        if out.is_json() {
            return out.json(
                &all.map(|(i, (frame, outcome))| outcome_json(i, frame, outcome))
                    .collect(),
            );
        }
        let rows: Vec<Vec<Cell>> = all
            .flat_map(|(i, (frame, outcome))| self.rows(i, frame, outcome))
            .collect();
        out.table(&["No.", "Way", "Packet", "Verdict", "Filter", "Line", "Rule"], &rows)
    }

    fn request(&self) -> Result<TestRequest, Failure> {
        let mut parameters = self.parameters.clone();
        let mac = self
            .mac
            .as_deref()
            .map(summary::mac)
            .transpose()
            .map_err(Failure::Usage)?;
        if let Some(text) = self
            .mac
            .as_ref()
            .filter(|_| parameters.iter().all(|(name, _)| name != "MAC"))
        {
            parameters.push(("MAC".to_owned(), text.to_ascii_lowercase()));
        }
        let mut frames = Vec::new();
        for packet in &self.packets {
            let given = Frames::read(packet, mac, self.direction == Some(Direction::In))?;
            if given.cut > 0 {
                remark(format_args!(
                    "'{packet}': {} packets were cut when they were captured",
                    given.cut
                ));
            }
            let out = |bytes: &[u8]| match (self.direction, mac) {
                (Some(direction), _) => direction == Direction::Out,
                (None, Some(mac)) => bytes.get(6..12) == Some(&mac[..]),
                (None, None) => true,
            };
            frames.extend(given.frames.into_iter().map(|bytes| TestFrame {
                out: out(&bytes),
                bytes,
            }));
        }
        if frames.len() > FRAMES_MAX {
            let text = format!(
                "{} packets are too many: at most {FRAMES_MAX} in one test",
                frames.len()
            );
            return Err(Failure::Usage(text));
        }
        Ok(TestRequest {
            filter: self.filter.clone(),
            parameters,
            frames,
        })
    }

    fn rows(&self, index: usize, frame: &TestFrame, outcome: &TestOutcome) -> Vec<Vec<Cell>> {
        let decided = outcome.steps.last();
        let [filter, line, text] = place_cells(decided.and_then(|step| step.place.as_ref()));
        let head = vec![
            (index + 1).into(),
            way(frame).into(),
            summary::of(&frame.bytes).into(),
            verdict_cell(outcome.verdict.name()),
            filter,
            line,
            text,
        ];
        let mut rows = vec![head];
        if self.path {
            rows.extend(outcome.steps.iter().map(|step| {
                let [filter, line, text] = place_cells(step.place.as_ref());
                let chain = format!("  {}", step.chain);
                vec![
                    "".into(),
                    "".into(),
                    chain.into(),
                    verdict_cell(&step.verdict),
                    filter,
                    line,
                    text,
                ]
            }));
        }
        rows
    }
}

fn way(frame: &TestFrame) -> &'static str {
    if frame.out { "out" } else { "in" }
}

fn outcome_json(index: usize, frame: &TestFrame, outcome: &TestOutcome) -> Value {
    let steps = outcome
        .steps
        .iter()
        .map(|step| json!({ "chain": step.chain, "verdict": step.verdict, "place": place_json(step.place.as_ref()) }));
    let decided = outcome.steps.last().and_then(|step| step.place.as_ref());
    json!({
        "number": index + 1, "direction": way(frame), "packet": summary::of(&frame.bytes),
        "verdict": outcome.verdict.name(), "decided": place_json(decided), "steps": steps.collect::<Vec<_>>(),
    })
}
