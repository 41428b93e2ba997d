//! What becomes of packets: each `tests/packets/*.case` names filters and packets with their fates, which both the
//! simulator and the kernel must give.
//!
//! ```text
//! = what the section shows
//! NAME=VALUE ...                   variables; the guest's MAC is there already
//! <rule ...>...</rule>             rules of one filter, or whole filters, of which the last is bound
//! FATE PACKET                      pass, drop, reject or held; the packet in words (see `simulate::describe`)
//! FATE then PACKET                 on the connections of the packets before
//! # a remark
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a panic is a verdict"
)]

#[path = "../wire/mod.rs"]
mod wire;

use nwfilter_driver::compile::{Compiled, compile};
use nwfilter_driver::def::address::Mac;
use nwfilter_driver::def::parse::{Mode, parse};
use nwfilter_driver::def::protocol::PROTOCOLS;
use nwfilter_driver::def::vars::Parameters;
use nwfilter_driver::filters::Filters;
use nwfilter_driver::kernel::{Failure, Kernel, Options};
use nwfilter_driver::ruleset::{Desired, PortRules};
use nwfilter_driver::simulate::{Connections, Rules, Way, describe, run};
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::{GUEST_PORT, HOST_MAC, Seen, Wire, need_root};

const GUEST: &str = "52:54:00:00:00:01";

struct Packet {
    line: usize,
    fate: String,
    /// It belongs to the packets before it.
    then: bool,
    way: Way,
    frame: Vec<u8>,
}

struct Section {
    title: String,
    parameters: Parameters,
    filters: String,
    packets: Vec<Packet>,
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packets");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "case"))
        .collect();
    files.sort();
    assert!(files.len() > 10, "the cases are missing");
    files
}

fn sections(file: &Path) -> Vec<Section> {
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    let mut sections: Vec<Section> = Vec::new();
    for (number, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
        let line = line.trim();
        if let Some(title) = line.strip_prefix("= ") {
            sections.push(Section {
                title: format!("{name}: {title}"),
                parameters: Parameters::from([("MAC".to_owned(), vec![GUEST.to_owned()])]),
                filters: String::new(),
                packets: Vec::new(),
            });
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let section = sections.last_mut().expect("a file begins with '= '");
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        match first {
            "pass" | "drop" | "reject" | "held" => {
                let packet = packet(number + 1, first, rest).unwrap_or_else(|error| panic!("{name}: {line}: {error}"));
                section.packets.push(packet);
            }
            _ if line.starts_with('<') => section.filters += &format!("{line}\n"),
            _ => {
                for (name, value) in line.split(' ').filter_map(|word| word.split_once('=')) {
                    section
                        .parameters
                        .entry(name.to_owned())
                        .or_default()
                        .push(value.to_owned());
                }
            }
        }
    }
    sections
}

fn packet(line: usize, fate: &str, words: &str) -> driver_api::error::Result<Packet> {
    let (then, words) = match words.strip_prefix("then ") {
        Some(words) => (true, words),
        None => (false, words),
    };
    let (way, mut frame) = describe::packet(words, Mac::read(GUEST).unwrap())?;
    // The neighbour that descriptions know is the host here.
    let host = Mac::read(HOST_MAC).unwrap().0;
    let at = match way {
        Way::ToHost => Some(0..6),
        Way::FromHost => Some(6..12),
        Way::Out | Way::In => None,
    };
    if let Some(at) = at.filter(|at| frame[at.clone()] == describe::NEIGHBOUR.0) {
        frame[at].copy_from_slice(&host);
    }
    Ok(Packet {
        line,
        fate: fate.to_owned(),
        then,
        way,
        frame,
    })
}

impl Section {
    fn compiled(&self) -> Compiled {
        let documents = match self.filters.contains("<filter ") {
            true => self.filters.clone(),
            false => format!("<filter name='top'>{}</filter>", self.filters),
        };
        let mut table = Filters::default();
        let mut top = String::new();
        for document in documents
            .split_inclusive("</filter>")
            .filter(|text| text.contains("<filter "))
        {
            let parsed = parse(document.trim().as_bytes(), Mode::Strict);
            let def = parsed.unwrap_or_else(|error| panic!("{}: {error}", self.title)).def;
            top.clone_from(&def.name);
            table = table.with(def).unwrap().unwrap();
        }
        compile(&table, &top, &self.parameters).unwrap_or_else(|error| panic!("{}: {error}", self.title))
    }

    fn wrong(&self, packet: &Packet, is: &str) -> Option<String> {
        let Packet { line, fate, .. } = packet;
        (fate != is).then(|| format!("{}, line {line}: {is} instead of {fate}", self.title))
    }

    fn simulated(&self) -> Vec<String> {
        let compiled = self.compiled();
        let slots = compiled.fill(&self.parameters).unwrap();
        let rules = Rules {
            program: &compiled.program,
            slots: &slots,
        };
        let mut connections = Connections::default();
        let one = |packet: &Packet| {
            if !packet.then {
                connections = Connections::default();
            }
            let outcome = run(rules, packet.way, &packet.frame, &mut connections);
            self.wrong(packet, &outcome.fate.to_string())
        };
        self.packets.iter().filter_map(one).collect()
    }

    fn sent(&self, kernel: &Kernel, wire: &mut Wire) -> Vec<String> {
        let compiled = self.compiled();
        let port = PortRules {
            program: "p-00000001".to_owned(),
            slots: compiled.fill(&self.parameters).unwrap(),
        };
        let desired = Desired {
            programs: BTreeMap::from([(port.program.clone(), Arc::clone(&compiled.program))]),
            ports: BTreeMap::from([(GUEST_PORT.to_owned(), port.into())]),
        };
        let installed = kernel.install(&desired).map_err(Failure::into_error);
        installed.unwrap_or_else(|error| panic!("{}: {error}", self.title));
        let one = |packet: &Packet| {
            if !packet.then {
                wire.forget_connections();
            }
            let fate = match wire.send(packet.way, &packet.frame) {
                Seen::Passed => "pass",
                Seen::Rejected => "reject",
                Seen::Nothing if packet.fate == "held" => "held",
                Seen::Nothing => "drop",
                Seen::Refused => "refused",
            };
            self.wrong(packet, fate)
        };
        self.packets.iter().filter_map(one).collect()
    }

    /// Who sends, so that the host can answer.
    fn senders(&self) -> Vec<(IpAddr, String)> {
        let sender = |packet: &Packet| -> Option<(IpAddr, String)> {
            let frame = &packet.frame;
            let address: IpAddr = match frame.get(12..14)? {
                [0x08, 0x00] => (*frame.get(26..)?.first_chunk::<4>()?).into(),
                [0x86, 0xdd] => (*frame.get(22..)?.first_chunk::<16>()?).into(),
                _ => return None,
            };
            let sends = !address.is_multicast() && !address.is_unspecified() && packet.way != Way::FromHost;
            let mac = Mac(*frame.get(6..)?.first_chunk()?);
            sends.then(|| (address, mac.to_string()))
        };
        self.packets.iter().filter_map(sender).collect()
    }
}

#[test]
fn the_simulator_gives_the_fates_that_are_written_down() {
    let wrong: Vec<String> = files()
        .iter()
        .flat_map(|file| sections(file))
        .flat_map(|s| s.simulated())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_kernel_gives_the_fates_that_are_written_down() {
    need_root!();
    // A namespace for each file: the kernel goes on to hold fragments for a while after the last rule that asks for
    // states is gone.
    let sent = |file: &PathBuf| {
        let sections = sections(file);
        let senders: Vec<_> = sections.iter().flat_map(Section::senders).collect();
        Wire::with(&senders, |wire| {
            let kernel = Kernel::open(Options::default()).unwrap();
            let sent = |section: &Section| section.sent(&kernel, wire);
            sections.iter().flat_map(sent).collect::<Vec<String>>()
        })
    };
    let wrong: Vec<String> = files().iter().flat_map(sent).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_protocol_and_attribute_has_a_case() {
    const WITHOUT_VERDICT: [&str; 1] = ["comment"];
    // Sets live outside of the rule set, and are made with a tool of their own.
    const ELSEWHERE: [&str; 2] = ["ipset", "ipsetflags"];
    let all: String = files().iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let mut missing = Vec::new();
    for protocol in PROTOCOLS {
        let elements: Vec<&str> = all
            .split(&format!("<{} ", protocol.name))
            .skip(1)
            .chain(all.split(&format!("<{}/", protocol.name)).skip(1))
            .map(|rest| rest.split('>').next().unwrap_or_default())
            .collect();
        if elements.is_empty() {
            missing.push(protocol.name.to_owned());
        }
        // Attributes that many protocols share are shown for one of each layer.
        if !matches!(
            protocol.name,
            "mac" | "vlan" | "stp" | "arp" | "rarp" | "ip" | "ipv6" | "tcp" | "tcp-ipv6" | "icmp" | "icmpv6"
        ) {
            continue;
        }
        for attribute in protocol.attributes() {
            let needle = format!("{}='", attribute.name);
            let named = elements
                .iter()
                .any(|element| element.split(' ').any(|word| word.starts_with(&needle)));
            if !named && !WITHOUT_VERDICT.contains(&attribute.name) && !ELSEWHERE.contains(&attribute.name) {
                missing.push(format!("{} {}", protocol.name, attribute.name));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}
