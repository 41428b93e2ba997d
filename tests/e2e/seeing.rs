//! What people are shown of filters in force: counters, rules, verdicts, traces, each with the line that somebody wrote.

use conformance::case::Case;
use conformance::host::Host;
use conformance::need::Need::{Root, Virsh};
use conformance::net::{Net, Tap, frame, udp};
use conformance::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "seeing_counters_name_the_rule_and_its_line",
        needs: &[Root, Virsh],
        run: counted,
    },
    Case {
        name: "seeing_a_port_with_its_tree_values_and_doubtful_rules",
        needs: &[Root, Virsh],
        run: shown,
    },
    Case {
        name: "seeing_a_test_says_what_the_kernel_does",
        needs: &[Root, Virsh],
        run: tested,
    },
    Case {
        name: "seeing_a_trace_until_its_client_ends",
        needs: &[Root, Virsh],
        run: traced,
    },
    Case {
        name: "seeing_the_state_and_reloading_it",
        needs: &[Root, Virsh],
        run: reloaded,
    },
];

const GUEST: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const OTHER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
const OWN: [u8; 4] = [10, 0, 0, 1];
const SPOOFED: [u8; 4] = [10, 0, 0, 9];

/// Drops what does not come from the guest's own address.
const FILTER: &str = "<filter name='own-address' chain='ipv4'>
  <uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55335</uuid>
  <rule action='accept' direction='out' priority='100'>
    <ip srcipaddr='$IP'/>
  </rule>
  <rule action='drop' direction='out' priority='200'/>
</filter>";
/// The line of the last rule in what `nwfilter-dumpxml` prints.
const LINE: usize = 6;

/// A guest's tap and another one on a bridge, and a host that filters the first.
struct Lab {
    net: Net,
    guest: Tap,
    other: Tap,
    host: Host,
}

impl Lab {
    fn new() -> Self {
        let net = Net::unshare();
        net.bridge("br0");
        let (guest, other) = (net.tap("tap0", Some("br0")), net.tap("tap1", Some("br0")));
        let host = Host::start();
        Self {
            net,
            guest,
            other,
            host,
        }
    }

    fn define(&self, document: &str) {
        let file = self.host.document(document);
        let _out = self.host.lockstep(&["nwfilter-define", &file.to_string_lossy()]).ok();
    }

    /// Binds a filter to a port.
    fn bind(&self, port: &str, filter: &str) {
        let file = self.host.document(&format!(
            "<filterbinding><owner><name>vm1</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></owner>\
             <portdev name='{port}'/><mac address='02:00:00:00:00:01'/><filterref filter='{filter}'>\
             <parameter name='IP' value='10.0.0.1'/></filterref></filterbinding>"
        ));
        let path = file.to_string_lossy();
        let _out = self.host.lockstep(&["nwfilter-binding-create", &path]).ok();
    }

    /// Whether the guest's packet from this address arrives.
    fn passes(&self, from: [u8; 4]) -> bool {
        let frame = packet(from);
        self.guest.send(&frame);
        self.other.got(&frame)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.host.lockstep(&[&["--output", "json"], arguments].concat()).ok();
        serde_json::from_str(&text).expect("JSON")
    }
}

fn packet(from: [u8; 4]) -> Vec<u8> {
    let packet = udp((from, 1000), ([10, 0, 0, 2], 53), b"long enough for a frame");
    frame(OTHER, GUEST, 0x0800, &packet)
}

fn counted() {
    let lab = Lab::new();
    lab.define(FILTER);
    lab.bind("tap0", "own-address");
    assert!(lab.passes(OWN) && !lab.passes(SPOOFED) && !lab.passes(SPOOFED));
    let counters = lab.json(&["nwfilter-counters", "tap0"]);
    let rules = counters["rules"].as_array().expect("rules");
    let of = |verdict: &str| rules.iter().find(|rule| rule["verdict"] == verdict).expect("a rule");
    assert_eq!(
        (&of("accept")["packets"], &of("drop")["packets"]),
        (&1.into(), &2.into())
    );
    let place = &of("drop")["place"];
    assert_eq!(
        (&place["filter"], &place["line"]),
        (&"own-address".into(), &LINE.into())
    );
    // The line is that of what stock virsh prints.
    let xml = lab.host.virsh(&["nwfilter-dumpxml", "own-address"]).ok();
    let line = xml.lines().nth(LINE - 1).expect("so many lines").trim();
    assert_eq!(place["text"], line);
    let table = lab.host.lockstep(&["nwfilter-counters", "tap0", "--matched"]).ok();
    assert!(table.contains("own-address") && table.contains(line), "{table}");
    // Looking is allowed to who may only look.
    let uri = lab.host.uri().replace("libvirt-sock", "libvirt-sock-ro");
    let look = |verb: &str| {
        let mut command = lab.host.command(lab.host.program());
        command
            .args(["-c", &uri, verb, "tap0"])
            .output()
            .expect("lockstep runs")
    };
    assert!(look("nwfilter-counters").status.success());
    assert_eq!(look("nwfilter-trace").status.code(), Some(6));
    let unknown = lab.host.lockstep(&["nwfilter-counters", "tap8"]).fails();
    assert!(unknown.contains("'tap8'"), "{unknown}");
}

fn shown() {
    let lab = Lab::new();
    lab.define(FILTER);
    lab.define(
        "<filter name='top'><filterref filter='own-address'/>\
         <rule action='reject' direction='in'><mac srcmacaddr='02:00:00:00:00:07'/></rule></filter>",
    );
    lab.bind("tap0", "top");
    let view = lab.json(&["nwfilter-show", "tap0"]);
    assert_eq!((&view["state"], &view["owner"]), (&"in force".into(), &"vm1".into()));
    let names: Vec<_> = view["tree"]
        .as_array()
        .expect("a tree")
        .iter()
        .map(|node| &node["filter"])
        .collect();
    assert_eq!(names, ["top", "own-address"]);
    assert_eq!(view["parameters"]["IP"], "10.0.0.1");
    let rules = view["rules"].as_array().expect("rules");
    let text = |rule: &Value| rule["text"].as_str().unwrap_or_default().to_owned();
    assert!(
        rules.iter().any(|rule| text(rule).contains("ip saddr 10.0.0.1 accept")),
        "{view:#}"
    );
    let reject = rules
        .iter()
        .find(|rule| text(rule).ends_with("reject"))
        .expect("a rule that rejects");
    assert!(
        reject["note"]
            .as_str()
            .is_some_and(|note| note.contains("can not be rejected")),
        "{view:#}"
    );
    lab.bind("tap7", "own-address");
    let absent = lab.json(&["nwfilter-show", "tap7"]);
    assert_eq!(absent["state"], "in force; there is no such device now");
    let people = lab.host.lockstep(&["nwfilter-show", "tap0"]).ok();
    assert!(
        people.contains("own-address (chain ipv4)") && people.contains("# own-address:6"),
        "{people}"
    );
}

fn tested() {
    let lab = Lab::new();
    lab.define(FILTER);
    lab.bind("tap0", "own-address");
    let words = ["udp 10.0.0.1:1000 > 10.0.0.2:53", "udp 10.0.0.9:1000 > 10.0.0.2:53"];
    let arguments = [
        "nwfilter-test",
        "own-address",
        words[0],
        words[1],
        "--param",
        "IP=10.0.0.1",
    ];
    let outcomes = lab.json(&arguments);
    let fate = |at: usize| outcomes[at]["fate"] == "accept";
    assert_eq!(
        (fate(0), fate(1)),
        (lab.passes(OWN), lab.passes(SPOOFED)),
        "{outcomes:#}"
    );
    assert_eq!(outcomes[1]["decided"]["place"]["line"], LINE, "{outcomes:#}");
    // The same frames out of a capture, where the sender tells the way.
    let capture = lab.host.root().join("frames.pcap");
    let mut bytes = vec![
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0,
    ];
    for frame in [packet(OWN), packet(SPOOFED)] {
        let length = u32::try_from(frame.len()).expect("a short frame").to_le_bytes();
        bytes.extend([&[0; 8][..], &length, &length, &frame].concat());
    }
    std::fs::write(&capture, bytes).expect("a capture can be written");
    let path = capture.to_string_lossy();
    let arguments = [
        "nwfilter-test",
        "own-address",
        &path,
        "--param",
        "IP=10.0.0.1",
        "--mac",
        "02:00:00:00:00:01",
    ];
    let captured = lab.json(&arguments);
    let fates: Vec<_> = captured
        .as_array()
        .expect("a list")
        .iter()
        .map(|o| &o["fate"])
        .collect();
    assert_eq!(fates, ["accept", "drop"]);
    let missing = lab.host.lockstep(&["nwfilter-test", "own-address", words[0]]).fails();
    assert!(missing.contains("$IP"), "{missing}");
}

/// A trace of the guest's port, and its lines.
fn trace(lab: &Lab) -> (Child, Receiver<String>) {
    let mut command = lab.host.command(lab.host.program());
    command
        .arg("-c")
        .arg(lab.host.uri())
        .args(["--output", "json", "nwfilter-trace", "tap0"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("lockstep runs");
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, receiver) = channel();
    let _reader = std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (child, receiver)
}

fn traced() {
    let lab = Lab::new();
    lab.define(FILTER);
    lab.bind("tap0", "own-address");
    let is_traced = || lab.net.ruleset().contains("lockstep_trace");
    let (mut child, lines) = trace(&lab);
    let dropped = until("a dropped packet is traced to its rule", || {
        let _passed = lab.passes(SPOOFED);
        let steps = lines
            .try_iter()
            .map(|line| serde_json::from_str::<Value>(&line).expect("JSON"));
        steps.into_iter().find(|step| step["verdict"] == "drop")
    });
    assert_eq!(dropped["place"]["line"], LINE, "{dropped:#}");
    assert_eq!(dropped["chain"], "frame-out ipv4", "{dropped:#}");
    assert!(is_traced());
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal can be sent");
    assert!(child.wait().expect("it ends").success());
    assert!(!is_traced(), "{}", lab.net.ruleset());
    // A client that can not say goodbye leaves no trace for long.
    let (mut child, _lines) = trace(&lab);
    until("the port is traced again", || is_traced().then_some(()));
    child.kill().expect("it can be killed");
    let _status = child.wait().expect("it ends");
    until("the trace is over", || (!is_traced()).then_some(()));
    // One that loses its binding ends with it.
    let (mut child, _lines) = trace(&lab);
    until("the port is traced once more", || is_traced().then_some(()));
    let _out = lab.host.lockstep(&["nwfilter-binding-delete", "tap0"]).ok();
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    assert!(!is_traced());
}

fn reloaded() {
    let lab = Lab::new();
    lab.define(FILTER);
    lab.bind("tap0", "own-address");
    let status = lab.json(&["nwfilter-status"]);
    let plan = status["state plan"].as_str().unwrap_or_default();
    assert!(plan.starts_with("mark") || plan.starts_with("conntrack"), "{status:#}");
    assert_eq!(
        (&status["ports"], &status["quarantined"]),
        (&"1".into(), &"none".into())
    );
    assert_eq!(status["tables lockstep_nwfilter"], "as they should be");
    let file = lab.host.root().join("etc/lockstep/nwfilter/own-address.xml");
    let before = std::fs::read_to_string(&file).expect("the filter's file");
    std::fs::write(&file, before.replace("'$IP'", "'10.0.0.9'")).expect("it can be written");
    assert!(lab.passes(OWN) && !lab.passes(SPOOFED));
    let _out = lab.host.lockstep(&["nwfilter-reload"]).ok();
    assert!(!lab.passes(OWN) && lab.passes(SPOOFED));
    // What can not be read changes nothing.
    std::fs::write(&file, "<filter").expect("it can be written");
    let message = lab.host.lockstep(&["nwfilter-reload"]).fails();
    assert!(message.contains("own-address.xml"), "{message}");
    assert!(!lab.passes(OWN) && lab.passes(SPOOFED));
    assert!(
        lab.host
            .virsh(&["nwfilter-dumpxml", "own-address"])
            .ok()
            .contains("10.0.0.9")
    );
}
