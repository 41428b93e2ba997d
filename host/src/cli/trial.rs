//! The verb `nwfilter-test`: what a filter would do with packets, without a port and without the kernel.

use super::Session;
use super::exit::{Context, Failure};
use super::inspect::{place_cells, place_json, verdict_cell};
use super::output::Cell;
use super::summary;
use crate::rpc::codec::inspect::CAPTURE_MAX;
use clap::{Args, Subcommand, ValueEnum};
use driver_api::types::inspect::{PacketSource, PacketWay, TestOutcome, TestRequest, TestStep};
use serde_json::{Value, json};
use std::path::Path;

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
    /// Packets in their order: capture files, or words like 'tcp 10.0.0.1:40000 > 10.0.0.2:22 syn' and 'hex BYTES'
    #[arg(value_name = "PACKET|PCAP", required = true)]
    packets: Vec<String>,
    /// The value of a variable; a name given several times is a list
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = assignment)]
    parameters: Vec<(String, String)>,
    /// The guest's MAC address, which is also the variable MAC
    #[arg(long)]
    mac: Option<String>,
    /// Which way all packets go; without it words tell, and in captures what the guest's MAC address sent goes out
    #[arg(long, value_enum)]
    direction: Option<Direction>,
    /// Show every rule that a packet matched on its way, not only the one that decided
    #[arg(long)]
    path: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Direction {
    Out,
    In,
    ToHost,
    FromHost,
}

impl From<Direction> for PacketWay {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Out => Self::Out,
            Direction::In => Self::In,
            Direction::ToHost => Self::ToHost,
            Direction::FromHost => Self::FromHost,
        }
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "write a parameter as 'NAME=VALUE'".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A file's bytes, else the words themselves.
fn source(packet: &str) -> Result<PacketSource, Failure> {
    let path = Path::new(packet);
    // A single word with a dot or slash is meant as a file, though it may not be there.
    let named = packet.contains(['.', '/']) && !packet.contains(char::is_whitespace);
    if !named && !path.is_file() {
        return Ok(PacketSource::Words(packet.to_owned()));
    }
    let bytes = std::fs::read(path).context(|| format!("cannot read '{packet}'"))?;
    if bytes.len() > CAPTURE_MAX {
        let text = format!(
            "'{packet}' has {} bytes, a capture to test at most {CAPTURE_MAX}",
            bytes.len()
        );
        return Err(Failure::Usage(text));
    }
    Ok(PacketSource::Capture(bytes))
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let Self::NwfilterTest(options) = self;
        let out = session.out;
        let request = options.request()?;
        let outcomes =
            (session.connect()?.filter_test(request)).context(|| format!("cannot test filter '{}'", options.filter))?;
        if out.is_json() {
            return out.json(&outcomes.iter().map(document).collect());
        }
        let rows = outcomes.iter().enumerate();
        let rows: Vec<Vec<Cell>> = rows.flat_map(|(i, outcome)| options.rows(i + 1, outcome)).collect();
        out.table(&["No.", "Way", "Packet", "Fate", "Filter", "Line", "Rule"], &rows)
    }
}

impl Options {
    fn request(&self) -> Result<TestRequest, Failure> {
        let mut parameters = self.parameters.clone();
        if let Some(mac) = &self.mac {
            parameters.retain(|(name, _)| name != "MAC");
            parameters.push(("MAC".to_owned(), mac.to_ascii_lowercase()));
        }
        Ok(TestRequest {
            filter: self.filter.clone(),
            parameters,
            way: self.direction.map(Into::into),
            packets: self
                .packets
                .iter()
                .map(|packet| source(packet))
                .collect::<Result<_, _>>()?,
        })
    }

    fn rows(&self, number: usize, outcome: &TestOutcome) -> Vec<Vec<Cell>> {
        let place = outcome.decided.as_ref().and_then(|step| step.place.as_ref());
        let [filter, line, text] = place_cells(place);
        let (way, packet) = (outcome.way.name().into(), summary::of(&outcome.frame).into());
        let fate = verdict_cell(outcome.fate.name());
        let mut rows = vec![vec![number.into(), way, packet, fate, filter, line, text]];
        if self.path {
            rows.extend(outcome.path.iter().map(|step| {
                let [filter, line, text] = place_cells(step.place.as_ref());
                let chain = format!("  {}", step.chain).into();
                vec![
                    "".into(),
                    "".into(),
                    chain,
                    verdict_cell(&step.verdict),
                    filter,
                    line,
                    text,
                ]
            }));
        }
        let note = |note: &String| vec!["".into(), "".into(), format!("  {note}").into()];
        rows.extend(outcome.notes.iter().map(note));
        rows
    }
}

fn document(outcome: &TestOutcome) -> Value {
    let step = |step: &TestStep| json!({ "chain": step.chain, "verdict": step.verdict, "place": place_json(step.place.as_ref()) });
    json!({
        "direction": outcome.way.name(), "packet": summary::of(&outcome.frame), "fate": outcome.fate.name(),
        "decided": outcome.decided.as_ref().map(step), "path": outcome.path.iter().map(step).collect::<Vec<_>>(),
        "notes": outcome.notes,
    })
}
