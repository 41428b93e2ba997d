//! `nwfilter.inspect/1`: what is in force on ports, verdicts without a kernel, and traces; since version 1.3.

use super::interface::Table;
use super::lock::Call;
use super::record::{all, each_of, maybe, maybe_of, named, octets, record, word, words, yes};
use super::root::Obj;
use super::value::{Fault, Pair, flag, pairs, text, texts, unsound};
use crate::error::{Error, Result};
use crate::types::inspect::{
    PacketFate, PacketSource, PacketWay, PortCounters, PortView, RuleCount, RulePlace, RuleView, TestOutcome,
    TestRequest, TestStep, TraceBatch, TraceStep, TreeNode,
};
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};

fn numbered<T: Copy>(all: [T; 4], number: u32) -> Result<T> {
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    all.get(index)
        .copied()
        .ok_or_else(|| unsound("a number that stands for nothing"))
}

fn fate(fate: PacketFate) -> u32 {
    fate as u32
}

fn fate_of(number: u32) -> Result<PacketFate> {
    numbered(PacketFate::ALL, number)
}

fn way(way: PacketWay) -> u32 {
    way as u32
}

fn way_of(number: u32) -> Result<PacketWay> {
    numbered(PacketWay::ALL, number)
}

fn any_way(any: Option<PacketWay>) -> ROption<u32> {
    any.map(way).into()
}

fn any_way_of(number: ROption<u32>) -> Result<Option<PacketWay>> {
    number.into_option().map(way_of).transpose()
}

/// `PacketSource` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct SourceRecord {
    /// Whether `bytes` are a capture rather than words.
    pub capture: u32,
    /// The words or the capture.
    pub bytes: RVec<u8>,
}

impl From<PacketSource> for SourceRecord {
    fn from(source: PacketSource) -> Self {
        match source {
            PacketSource::Words(words) => Self {
                capture: 0,
                bytes: words.into_bytes().into(),
            },
            PacketSource::Capture(bytes) => Self {
                capture: 1,
                bytes: bytes.into(),
            },
        }
    }
}

impl TryFrom<SourceRecord> for PacketSource {
    type Error = Error;

    fn try_from(record: SourceRecord) -> Result<Self> {
        let bytes = record.bytes.into_vec();
        if record.capture != 0 {
            return Ok(Self::Capture(bytes));
        }
        String::from_utf8(bytes)
            .map(Self::Words)
            .map_err(|error| unsound("words that are not UTF-8").because(error))
    }
}

record! {
    PlaceRecord of RulePlace {
        filter: RString = word, text;
        uuid: Uuid = Uuid::from, Ok::<Uuid, Error>;
        entry: u32 = u32::from, Ok::<u32, Error>;
        line: u32 = u32::from, Ok::<u32, Error>;
        text: RString = word, text;
    }
    TreeRecord of TreeNode {
        level: u32 = u32::from, Ok::<u32, Error>;
        filter: RString = word, text;
        exists: u32 = flag, yes;
        chain: RString = word, text;
        parameters: RVec<Pair> = named, pairs;
    }
    RuleRecord of RuleView {
        chain: RString = word, text;
        text: RString = word, text;
        place: ROption<PlaceRecord> = maybe, maybe_of;
        note: RString = word, text;
    }
    ViewRecord of PortView {
        port: RString = word, text;
        filter: RString = word, text;
        mac: RString = word, text;
        owner: RString = word, text;
        state: RString = word, text;
        program: RString = word, text;
        parameters: RVec<Pair> = named, pairs;
        learned: RVec<RString> = words, texts;
        tree: RVec<TreeRecord> = all, each_of;
        rules: RVec<RuleRecord> = all, each_of;
    }
    CountRecord of RuleCount {
        chain: RString = word, text;
        verdict: RString = word, text;
        packets: u64 = u64::from, Ok::<u64, Error>;
        bytes: u64 = u64::from, Ok::<u64, Error>;
        place: ROption<PlaceRecord> = maybe, maybe_of;
    }
    CountersRecord of PortCounters {
        ports: RVec<RString> = words, texts;
        rules: RVec<CountRecord> = all, each_of;
    }
    TestRecord of TestRequest {
        filter: RString = word, text;
        parameters: RVec<Pair> = named, pairs;
        way: ROption<u32> = any_way, any_way_of;
        packets: RVec<SourceRecord> = all, each_of;
    }
    TestStepRecord of TestStep {
        chain: RString = word, text;
        verdict: RString = word, text;
        place: ROption<PlaceRecord> = maybe, maybe_of;
    }
    OutcomeRecord of TestOutcome {
        frame: RVec<u8> = RVec::from, octets;
        way: u32 = way, way_of;
        fate: u32 = fate, fate_of;
        decided: ROption<TestStepRecord> = maybe, maybe_of;
        path: RVec<TestStepRecord> = all, each_of;
        notes: RVec<RString> = words, texts;
    }
    TraceRecord of TraceStep {
        packet: u32 = u32::from, Ok::<u32, Error>;
        chain: RString = word, text;
        verdict: RString = word, text;
        place: ROption<PlaceRecord> = maybe, maybe_of;
        headers: RVec<u8> = RVec::from, octets;
    }
    BatchRecord of TraceBatch {
        steps: RVec<TraceRecord> = all, each_of;
        lost: u64 = u64::from, Ok::<u64, Error>;
    }
}

/// The table behind `nwfilter.inspect/1`; each function is the method of [`crate::driver::Inspect`] of the same name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct InspectV1 {
    pub facts: extern "C" fn(Obj) -> RResult<RVec<Pair>, Fault>,
    pub show_port: extern "C" fn(Obj, RStr<'_>) -> RResult<ViewRecord, Fault>,
    pub counters: extern "C" fn(Obj, RStr<'_>) -> RResult<CountersRecord, Fault>,
    pub test: extern "C" fn(Obj, TestRecord) -> RResult<RVec<OutcomeRecord>, Fault>,
    pub start_trace: extern "C" fn(Obj, RStr<'_>) -> RResult<u64, Fault>,
    pub next_trace: extern "C" fn(Obj, u64) -> RResult<BatchRecord, Fault>,
    pub stop_trace: extern "C" fn(Obj, u64) -> RResult<(), Fault>,
    pub reload: extern "C" fn(Obj, Call) -> RResult<(), Fault>,
}

impl Table for InspectV1 {
    const ID: &'static str = "nwfilter.inspect/1";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> RulePlace {
        RulePlace {
            filter: "f".to_owned(),
            uuid: Uuid::from_bytes([7; 16]),
            entry: 2,
            line: 5,
            text: "<rule/>".to_owned(),
        }
    }

    fn pair(name: &str) -> (String, String) {
        (name.to_owned(), format!("{name} value"))
    }

    #[test]
    fn what_crosses_comes_back_as_it_was() {
        let view = PortView {
            port: "tap0".to_owned(),
            filter: "f".to_owned(),
            mac: "m".to_owned(),
            owner: "o".to_owned(),
            state: "s".to_owned(),
            program: "p".to_owned(),
            parameters: vec![pair("IP")],
            learned: vec!["10.0.0.1".to_owned()],
            tree: vec![TreeNode {
                level: 1,
                filter: "g".to_owned(),
                exists: true,
                chain: "root".to_owned(),
                parameters: vec![pair("A"), pair("B")],
            }],
            rules: vec![RuleView {
                chain: "frame-out".to_owned(),
                text: "drop".to_owned(),
                place: Some(place()),
                note: "n".to_owned(),
            }],
        };
        assert_eq!(PortView::try_from(ViewRecord::from(view.clone())).unwrap(), view);
        let request = TestRequest {
            filter: "f".to_owned(),
            parameters: vec![pair("IP")],
            way: Some(PacketWay::ToHost),
            packets: vec![
                PacketSource::Words("stp".to_owned()),
                PacketSource::Capture(vec![0, 255]),
            ],
        };
        assert_eq!(
            TestRequest::try_from(TestRecord::from(request.clone())).unwrap(),
            request
        );
    }

    #[test]
    fn every_way_and_fate_crosses_and_no_other() {
        for (way, fate) in PacketWay::ALL.into_iter().zip(PacketFate::ALL) {
            let step = TestStep {
                chain: "c".to_owned(),
                verdict: "v".to_owned(),
                place: None,
            };
            let outcome = TestOutcome {
                frame: vec![1, 2, 3],
                way,
                fate,
                decided: Some(step.clone()),
                path: vec![step],
                notes: vec!["n".to_owned()],
            };
            let mut record = OutcomeRecord::from(outcome.clone());
            assert_eq!(TestOutcome::try_from(record.clone()).unwrap(), outcome);
            record.fate = 4;
            assert!(TestOutcome::try_from(record.clone()).is_err());
            (record.fate, record.way) = (0, 4);
            assert!(TestOutcome::try_from(record).is_err());
        }
    }
}
