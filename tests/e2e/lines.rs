//! Consoles and serial lines that lead somewhere: sockets, addresses, pipes and files, several at once.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::net::Net;
use conformance::wait;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "lines_of_all_kinds_lead_where_the_document_says",
        needs: &[Root, Uml, Virsh],
        run: all_kinds,
    },
    Case {
        name: "lines_to_an_address_that_is_taken_fail_the_start_by_name",
        needs: &[Root, Uml, Virsh],
        run: taken,
    },
    Case {
        name: "lines_logged_begin_anew_only_where_asked",
        needs: &[Root, Uml, Virsh],
        run: logs,
    },
];

/// Every line of the guest answers what is typed there with its own name.
const ECHO: &str = "for line in tty1 tty2 ttyS0 ttyS1 ttyS3; do
      (stty -echo; while read -r word; do echo \"$line heard $word\"; done) </dev/$line >/dev/$line 2>/dev/null &
    done; echo listening; sleep 1000";

fn until_listening(host: &Host, name: &str) {
    wait::until("the guest listens", || {
        host.console_log(name).contains("listening").then_some(())
    });
}

/// Types a word and waits for the answer.
fn hears(mut input: impl Write, output: impl std::io::Read, word: &str, line: &str) {
    input
        .write_all(format!("{word}\n").as_bytes())
        .expect("the line takes input");
    let wanted = format!("{line} heard {word}");
    let answered = BufReader::new(output)
        .split(b'\n')
        // The telnet protocol's own bytes are no text.
        .map(|line| String::from_utf8_lossy(&line.expect("the line gives output")).into_owned())
        .any(|line| line.trim_end().ends_with(&wanted));
    assert!(answered, "'{line}' ended without '{wanted}'");
}

fn all_kinds() {
    let _net = Net::unshare();
    let host = Host::start();
    let socket = host.root().join("con1.sock");
    let pipe = host.root().join("pipe");
    for end in ["in", "out"] {
        let path = format!("{}.{end}", pipe.display());
        let made = std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .expect("mkfifo runs");
        assert!(made.success());
    }
    let outside = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("there is a loopback");
    let port = |address: std::net::SocketAddr| address.port();
    let devices = format!(
        "<console type='unix'><source mode='bind' path='{}'/></console>\
         <console type='tcp'><source mode='bind' host='127.0.0.1' service='4001'/><protocol type='telnet'/></console>\
         <serial type='tcp'><source mode='connect' host='127.0.0.1' service='{}'/></serial>\
         <serial type='udp'><source mode='connect' host='127.0.0.1' service='{}'/><source mode='bind' host='127.0.0.1' service='4002'/></serial>\
         <serial type='null'/>\
         <serial type='pipe'><source path='{}'/></serial>",
        socket.display(),
        port(outside.local_addr().expect("it has one")),
        port(datagrams.local_addr().expect("it has one")),
        pipe.display()
    );
    host.define(&Document::new("vm1").running(ECHO).device(&devices).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let (called, _) = outside.accept().expect("the guest's line calls");
    until_listening(&host, "vm1");

    let unix = UnixStream::connect(&socket).expect("it is listened at");
    hears(&unix, &unix, "one", "tty1");
    let telnet = TcpStream::connect("127.0.0.1:4001").expect("it is listened at");
    hears(&telnet, &telnet, "two", "tty2");
    hears(&called, &called, "three", "ttyS0");
    datagrams
        .send_to(b"four\n", "127.0.0.1:4002")
        .expect("loopback carries it");
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("ttyS1 heard four") {
        let mut datagram = [0; 2048];
        let (count, _) = datagrams.recv_from(&mut datagram).expect("the guest answers");
        said.extend_from_slice(&datagram[..count]);
    }
    let end = |name: &str| format!("{}.{name}", pipe.display());
    let input = std::fs::OpenOptions::new()
        .write(true)
        .open(end("in"))
        .expect("it is read");
    let output = std::fs::File::open(end("out")).expect("it is written");
    hears(input, output, "five", "ttyS3");

    let shown = host.virsh(&["dumpxml", "vm1"]).ok();
    for alias in [
        "console0", "console1", "console2", "serial0", "serial1", "serial2", "serial3",
    ] {
        assert!(
            shown.contains(&format!("<alias name='{alias}'/>")),
            "no '{alias}' in {shown}"
        );
    }
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(!socket.exists(), "the socket goes with its guest");
}

fn taken() {
    let _net = Net::unshare();
    let host = Host::start();
    let _other = TcpListener::bind("127.0.0.1:4001").expect("there is a loopback");
    let line = |service: &str| {
        format!("<serial type='tcp'><source mode='bind' host='127.0.0.1' service='{service}'/></serial>")
    };
    for (name, service, words) in [
        ("vm1", "4001", "127.0.0.1"),
        ("vm2", "no-such-service", "no-such-service"),
    ] {
        host.define(&Document::new(name).device(&line(service)).xml());
        let message = host.virsh(&["start", name]).fails();
        assert!(message.contains(words), "{message}");
        assert!(host.supervisors().is_empty());
    }
}

fn logs() {
    let host = Host::start();
    let log = |name: &str| host.root().join(name);
    let serial = |path: &Path, append: &str| {
        format!(
            "<serial type='file'><source path='{}' append='{append}'/></serial>",
            path.display()
        )
    };
    let devices = format!(
        "{}{}<serial type='pty'><log file='{}' append='off'/></serial>",
        serial(&log("kept"), "on"),
        serial(&log("cut"), "off"),
        log("beside").display()
    );
    let script = "for k in 0 1 2; do echo line $k of this run >/dev/ttyS$k; done; echo all-said; sleep 1000";
    host.define(&Document::new("vm1").running(script).device(&devices).xml());
    for run in 1..=2 {
        let _out = host.virsh(&["start", "vm1"]).ok();
        wait::until("the guest has said all", || {
            (host.console_log("vm1").matches("all-said").count() == run).then_some(())
        });
        let times = |name: &str, words: &str| {
            let text = std::fs::read_to_string(log(name)).unwrap_or_default();
            text.matches(words).count()
        };
        wait::until("the logs have all", || {
            let kept = times("kept", "line 0 of this run") == run;
            (kept && times("cut", "line 1 of this run") == 1 && times("beside", "line 2 of this run") == 1)
                .then_some(())
        });
        let _out = host.virsh(&["destroy", "vm1"]).ok();
    }
}
