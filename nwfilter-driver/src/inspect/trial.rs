//! A test of a filter: packets sent past its rules without a kernel.

use super::place::Places;
use crate::binding::validate::MAC;
use crate::compile::compile;
use crate::def::address::Mac;
use crate::def::vars::{Parameters, is_value, is_variable};
use crate::filters::Filters;
use crate::simulate::{Connections, Fate, Outcome, Rules, Step, Way, describe, pcap, run};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::inspect::{PacketFate, PacketSource, PacketWay, TestOutcome, TestRequest, TestStep};
use driver_api::types::uuid::Uuid;

/// The most packets of one test, so that the answer fits into one message.
pub const MAX_PACKETS: usize = 4096;
/// So many rules are asked at most in one test, reckoned as if every packet were asked by all: about a second.
pub const MAX_RULES: usize = 20_000_000;

/// The guest's address where the request names none.
const GUEST: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);

fn refuse<T>(code: Code, message: impl Into<String>) -> Result<T> {
    Err(Error::new(code, Origin::NWFILTER, message))
}

/// What becomes of the request's packets.
///
/// # Errors
/// 62 for an unknown filter, 8 for parameters and packets that can not be, and what the compiler says.
pub fn test(filters: &Filters, request: &TestRequest) -> Result<Vec<TestOutcome>> {
    let by_uuid = || filters.by_uuid(request.filter.parse::<Uuid>().ok()?).ok();
    let Some(filter) = filters.by_name(&request.filter).or_else(by_uuid) else {
        let text = format!("there is no filter '{}' to test", request.filter.escape_debug());
        return refuse(Code::NO_NWFILTER, text);
    };
    let (parameters, guest) = parameters(request)?;
    let compiled = compile(filters, &filter.def.name, &parameters)?;
    let slots = compiled.fill(&parameters)?;
    let rules = Rules {
        program: &compiled.program,
        slots: &slots,
    };
    let packets = packets(request, guest)?;
    let count: usize = compiled.program.chains.values().map(Vec::len).sum();
    if count.saturating_mul(packets.len()) > MAX_RULES {
        let text = format!(
            "{} packets past {count} rules are too much for one test: at most {MAX_RULES} questions are asked",
            packets.len()
        );
        return refuse(Code::INVALID_ARG, text);
    }
    let mut places = Places::new(vec![filters]);
    let mut connections = Connections::default();
    let outcomes = packets.into_iter().map(|(way, frame)| {
        let outcome = run(rules, way, &frame, &mut connections);
        told(way, frame, outcome, &mut places)
    });
    Ok(outcomes.collect())
}

fn parameters(request: &TestRequest) -> Result<(Parameters, Mac)> {
    let mut parameters = Parameters::new();
    for (name, value) in &request.parameters {
        if !is_variable(name) || !is_value(value) {
            let (name, value) = (name.escape_debug(), value.escape_debug());
            let text = format!("parameter '{name}' of the test can not have the value '{value}'");
            return refuse(Code::INVALID_ARG, text);
        }
        parameters.entry(name.clone()).or_default().push(value.clone());
    }
    let given = parameters
        .entry(MAC.to_owned())
        .or_insert_with(|| vec![GUEST.to_string()]);
    match given.as_slice() {
        [mac] => match Mac::read(mac) {
            Some(guest) => Ok((parameters, guest)),
            None => refuse(Code::INVALID_ARG, format!("'{mac}' is no MAC address of a guest")),
        },
        _ => refuse(Code::INVALID_ARG, "the guest of a test has one MAC address"),
    }
}

/// All packets with their ways.
fn packets(request: &TestRequest, guest: Mac) -> Result<Vec<(Way, Vec<u8>)>> {
    let asked = request.way.map(way_of);
    let mut packets = Vec::new();
    for source in &request.packets {
        match source {
            PacketSource::Words(words) => {
                let (way, frame) = describe::packet(words, guest)?;
                packets.push((asked.unwrap_or(way), frame));
            }
            PacketSource::Capture(bytes) => {
                let way = |frame: &[u8]| match frame.get(6..12) == Some(&guest.0[..]) {
                    true => Way::Out,
                    false => Way::In,
                };
                let frames = pcap::frames(bytes)?.into_iter();
                packets.extend(frames.map(|frame| (asked.unwrap_or_else(|| way(&frame)), frame)));
            }
        }
        if packets.len() > MAX_PACKETS {
            let text = format!("more than {MAX_PACKETS} packets in one test: cut the capture");
            return refuse(Code::INVALID_ARG, text);
        }
    }
    Ok(packets)
}

const fn way_of(way: PacketWay) -> Way {
    match way {
        PacketWay::Out => Way::Out,
        PacketWay::In => Way::In,
        PacketWay::ToHost => Way::ToHost,
        PacketWay::FromHost => Way::FromHost,
    }
}

fn told(way: Way, frame: Vec<u8>, outcome: Outcome, places: &mut Places<'_>) -> TestOutcome {
    let mut step = |step: &Step| TestStep {
        chain: step.chain.to_string(),
        verdict: step.verdict.to_string(),
        place: places.maybe(step.origin),
    };
    TestOutcome {
        frame,
        way: match way {
            Way::Out => PacketWay::Out,
            Way::In => PacketWay::In,
            Way::ToHost => PacketWay::ToHost,
            Way::FromHost => PacketWay::FromHost,
        },
        fate: match outcome.fate {
            Fate::Pass => PacketFate::Accept,
            Fate::Drop => PacketFate::Drop,
            Fate::Reject => PacketFate::Reject,
            Fate::Held => PacketFate::Held,
        },
        decided: outcome.decided.as_ref().map(&mut step),
        path: outcome.path.iter().map(step).collect(),
        notes: outcome.notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::def::parse::{Mode, parse};

    const NO_SPOOF: &str = "<filter name='no-spoof' chain='ipv4'>
  <rule action='accept' direction='out' priority='100'><ip srcipaddr='$IP'/></rule>
  <rule action='drop' direction='out' priority='200'/>
</filter>";

    fn filters() -> Filters {
        let def = parse(NO_SPOOF.as_bytes(), Mode::Strict).unwrap().def;
        Filters::default().with(def).unwrap().unwrap()
    }

    fn request(packets: &[&str]) -> TestRequest {
        TestRequest {
            filter: "no-spoof".to_owned(),
            parameters: vec![("IP".to_owned(), "10.0.0.1".to_owned())],
            way: None,
            packets: packets
                .iter()
                .map(|words| PacketSource::Words((*words).to_owned()))
                .collect(),
        }
    }

    fn capture(frames: &[&[u8]]) -> Vec<u8> {
        let version = [2, 0, 4, 0];
        let length_and_link = [255, 255, 0, 0, 1, 0, 0, 0];
        let mut bytes = [&[0xd4, 0xc3, 0xb2, 0xa1][..], &version, &[0; 8], &length_and_link].concat();
        for frame in frames {
            let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
            bytes.extend([&[0; 8][..], &length, &length, frame].concat());
        }
        bytes
    }

    #[test]
    fn each_packet_is_decided_by_the_line_that_says_so() {
        let packets = [
            "icmp 10.0.0.1 > 10.0.0.2",
            "icmp 10.0.0.9 > 10.0.0.2",
            "in icmp 10.0.0.2 > 10.0.0.1",
        ];
        let outcomes = test(&filters(), &request(&packets)).unwrap();
        let told = |outcome: &TestOutcome| {
            let place = outcome.decided.as_ref().and_then(|step| step.place.clone());
            (outcome.fate, outcome.way, place.map_or(0, |place| place.line))
        };
        let expected = [
            (PacketFate::Accept, PacketWay::Out, 3),
            (PacketFate::Drop, PacketWay::Out, 6),
            (PacketFate::Accept, PacketWay::In, 0),
        ];
        assert_eq!(outcomes.iter().map(told).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn frames_of_a_capture_go_the_way_that_their_sender_tells() {
        let mut asked = request(&["icmp 10.0.0.9 > 10.0.0.2", "in icmp 10.0.0.2 > 10.0.0.1"]);
        let frames: Vec<Vec<u8>> = test(&filters(), &asked).unwrap().into_iter().map(|o| o.frame).collect();
        asked.packets = vec![PacketSource::Capture(capture(&[&frames[0], &frames[1]]))];
        let ways = |request: &TestRequest| -> Vec<PacketWay> {
            test(&filters(), request).unwrap().iter().map(|o| o.way).collect()
        };
        assert_eq!(ways(&asked), [PacketWay::Out, PacketWay::In]);
        asked.way = Some(PacketWay::FromHost);
        assert_eq!(ways(&asked), [PacketWay::FromHost; 2]);
    }

    #[test]
    fn a_test_that_would_take_too_long_is_refused() {
        let rules = "<rule action='continue' direction='out'/>".repeat(5000);
        let document = format!("<filter name='no-spoof'>{rules}</filter>");
        let def = parse(document.as_bytes(), Mode::Strict).unwrap().def;
        let filters = Filters::default().with(def).unwrap().unwrap();
        let error = test(&filters, &request(&["stp"; 4096])).unwrap_err();
        assert!(error.to_string().contains("too much"), "{error}");
        assert_eq!(test(&filters, &request(&["stp"; 2])).unwrap().len(), 2);
    }

    #[test]
    fn what_can_not_be_tested_is_named() {
        let good = request(&["stp"]);
        let with = |change: &dyn Fn(&mut TestRequest)| {
            let mut request = good.clone();
            change(&mut request);
            test(&filters(), &request).unwrap_err()
        };
        let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (error, code, text) in [
            (with(&|r| r.filter = "x".to_owned()), Code::NO_NWFILTER, "'x'"),
            (with(&|r| r.parameters.clear()), Code::INTERNAL, "$IP"),
            (
                with(&|r| r.parameters = vec![parameter("IP", "a/b")]),
                Code::INVALID_ARG,
                "'a/b'",
            ),
            (
                with(&|r| r.parameters.push(parameter("MAC", "1"))),
                Code::INVALID_ARG,
                "'1'",
            ),
            (
                with(&|r| r.packets = vec![PacketSource::Capture(vec![1])]),
                Code::INVALID_ARG,
                "capture",
            ),
            (
                with(&|r| r.packets = vec![good.packets[0].clone(); 4097]),
                Code::INVALID_ARG,
                "4096",
            ),
        ] {
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
