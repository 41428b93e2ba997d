//! Hostile and broken input: frames, documents, names and state files; the host answers, sets aside, and lives.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::Virsh;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "frames_broken_host_lives",
        needs: &[Virsh],
        run: frames,
    },
    Case {
        name: "documents_hostile_are_refused_clearly",
        needs: &[Virsh],
        run: documents,
    },
    Case {
        name: "names_that_are_no_file_names_are_refused",
        needs: &[Virsh],
        run: names,
    },
    Case {
        name: "state_files_damaged_are_set_aside",
        needs: &[Virsh],
        run: state_files,
    },
];

fn alive(host: &Host) {
    assert_eq!(host.virsh(&["list", "--all"]).ok().trim(), "");
}

/// Sends bytes and closes the writing side; gives what the host answers until it closes.
fn send(host: &Host, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(host.socket()).expect("the host listens");
    let _refused = stream.write_all(bytes);
    let _refused = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    answer
}

fn header(length: u32, words: [u32; 6]) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    for word in words {
        bytes.extend(word.to_be_bytes());
    }
    bytes
}

fn frames() {
    let host = Host::start();
    let remote = 0x2000_8086;
    let frames: Vec<Vec<u8>> = vec![
        vec![],
        vec![0],
        vec![0, 0, 0, 0],
        vec![0, 0, 0, 3],
        vec![0xff; 64],
        33_554_433_u32.to_be_bytes().to_vec(),
        header(28, [remote, 1, 66, 0, 0, 0])[..20].to_vec(),
        header(4096, [remote, 1, 66, 0, 0, 0]),
        header(28, [0xdead_beef, 1, 66, 0, 0, 0]),
        header(28, [remote, 9, 66, 0, 0, 0]),
        header(28, [remote, 1, 9999, 0, 0, 0]),
        header(28, [remote, 1, 66, 77, 0, 88]),
        header(28, [remote, 1, 1, 0, 0, 0]),
        // A string that says it is four gigabytes long.
        [
            header(36, [remote, 1, 1, 0, 0, 0]),
            1_u32.to_be_bytes().to_vec(),
            u32::MAX.to_be_bytes().to_vec(),
        ]
        .concat(),
        // A stream packet for a stream that was never opened.
        header(28, [remote, 1, 201, 3, 5, 2]),
    ];
    for frame in frames {
        let _answer = send(&host, &frame);
        alive(&host);
    }
    // An unknown procedure is answered, not dropped.
    let mut stream = UnixStream::connect(host.socket()).expect("the host listens");
    stream
        .write_all(&header(28, [remote, 1, 9999, 0, 0, 0]))
        .expect("the host reads");
    let mut answer = [0; 28];
    stream.read_exact(&mut answer).expect("the host answers");
    assert_eq!(answer[24..28], 1_u32.to_be_bytes(), "the answer's status is an error");
}

fn documents() {
    let host = Host::start();
    let deep = format!("<domain type='uml'>{}", "<a>".repeat(10_000));
    let big = format!(
        "<domain type='uml'><name>big</name><description>{}</description></domain>",
        "x".repeat(10 << 20)
    );
    let entities =
        "<!DOCTYPE domain [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><domain type='uml'><name>&b;</name></domain>";
    for (what, document) in [
        ("empty", String::new()),
        ("text", "hello".to_owned()),
        ("truncated", "<domain type='uml'><name>x".to_owned()),
        ("mismatched", "<domain type='uml'></name>".to_owned()),
        ("other root", "<network/>".to_owned()),
        ("other type", "<domain type='kvm'><name>x</name></domain>".to_owned()),
        ("no name", "<domain type='uml'/>".to_owned()),
        ("deep", deep),
        ("big", big),
        ("entities", entities.to_owned()),
    ] {
        let message = host
            .virsh(&["define", &host.document(&document).to_string_lossy()])
            .fails();
        assert!(
            message.contains("error:") && !message.contains("unknown"),
            "{what}: {message}"
        );
        alive(&host);
    }
}

fn names() {
    let host = Host::start();
    let long = "n".repeat(64);
    for name in ["../escape", "a/b", "new\nline", "", &long] {
        let message = host
            .virsh(&["define", &host.document(&Document::new(name).xml()).to_string_lossy()])
            .fails();
        assert!(message.contains("name"), "'{name}': {message}");
        alive(&host);
    }
    for name in ["with blank", "umlaut-\u{e4}", "'quoted'", "semi;colon", &"n".repeat(63)] {
        host.define(&Document::new(&name.replace('\'', "&apos;")).xml());
        assert_eq!(host.virsh(&["list", "--all", "--name"]).ok().trim(), name);
        let _out = host.virsh(&["undefine", name]).ok();
        alive(&host);
    }
}

fn state_files() {
    let mut host = Host::start();
    for name in ["whole", "half", "noise", "unreadable"] {
        host.define(&Document::new(name).xml());
    }
    host.kill();
    let dir = host.root().join("etc/lockstep/uml");
    let file = |name: &str| {
        fs::read_dir(&dir)
            .expect("definitions have a folder")
            .flatten()
            .map(|entry| entry.path())
            .find(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("<name>{name}</name>"))))
            .expect("each definition has a file")
    };
    let (half, noise, unreadable) = (file("half"), file("noise"), file("unreadable"));
    let text = fs::read(&half).unwrap();
    fs::write(&half, &text[..text.len() / 2]).unwrap();
    fs::write(&noise, [0xff, 0xfe, 0x00, 0x01]).unwrap();
    fs::remove_file(&unreadable).unwrap();
    fs::create_dir(&unreadable).unwrap();
    host.serve();
    let listed = host.virsh(&["list", "--all", "--name"]).ok();
    assert_eq!(listed.trim(), "whole", "{}", host.log());
    for path in [half, noise] {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(host.log().contains(&name), "'{name}' is not named in the log");
        let kept = fs::read_dir(&dir).unwrap().flatten().any(|e| {
            let other = e.file_name().to_string_lossy().into_owned();
            other != name && other.starts_with(&name)
        });
        assert!(kept, "'{name}' was not kept aside");
    }
}
