//! A scripted host: it answers a client's calls in the order written down, and nothing else.

use lockstep::rpc::codec::Procedure;
use lockstep::rpc::codec::domain::DomainRef;
use lockstep::rpc::codec::event::{LifecycleEvent, Message, Subject, subject};
use lockstep::rpc::error::RemoteError;
use lockstep::rpc::frame::{self, Frame};
use lockstep::rpc::header::{Header, KEEPALIVE_PING, KEEPALIVE_PONG, Kind, Status};
use lockstep::rpc::xdr::{self, Xdr};
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use tempfile::TempDir;

/// What the scripted host does next.
pub(crate) enum Step {
    /// Wait for a call of this procedure and answer it.
    Answer(u32, Vec<u8>),
    /// Wait for a call of this procedure and refuse it.
    Refuse(u32, Vec<u8>),
    /// Answer calls of the first procedure, however many, and then one of the second.
    Until([(u32, Vec<u8>); 2]),
    /// Send an event, as this procedure.
    Event(u32, Vec<u8>),
    /// Ask for a sign of life and wait for it.
    Ping,
    /// Send console bytes for the last call; none is the end.
    Say(Vec<u8>),
    /// Wait for console bytes.
    Hear(Vec<u8>),
    /// Wait for the client's goodbye to the console and answer it.
    Finish,
    /// Hang up.
    Close,
}

/// The answer to procedure `P`.
pub(crate) fn answer<P: Procedure>(ret: &P::Ret) -> Step {
    Step::Answer(P::NUMBER, xdr::encode(ret).unwrap())
}

/// The answer to procedure `P`, however often it is asked, until `Q` is.
pub(crate) fn until<P: Procedure, Q: Procedure>(ret: &P::Ret, last: &Q::Ret) -> Step {
    Step::Until([
        (P::NUMBER, xdr::encode(ret).unwrap()),
        (Q::NUMBER, xdr::encode(last).unwrap()),
    ])
}

/// A refusal of procedure `P`.
pub(crate) fn refuse<P: Procedure>(code: u32, text: &str) -> Step {
    use driver_api::error::{Code, Error, Origin};
    let error = RemoteError::from(&Error::new(Code(code), Origin::NONE, text));
    Step::Refuse(P::NUMBER, xdr::encode(&error).unwrap())
}

/// A lifecycle event.
pub(crate) fn lifecycle(dom: &DomainRef, event: i32, detail: i32) -> Step {
    let dom = dom.clone();
    happening(subject::LIFECYCLE, LifecycleEvent { dom, event, detail })
}

/// An event of any kind.
pub(crate) fn happening(subject: Subject, event: impl Xdr) -> Step {
    Step::Event(subject.numbered, xdr::encode(&Message { callback: 0, event }).unwrap())
}

/// A guest on the wire.
pub(crate) fn guest(name: &str, id: i32) -> DomainRef {
    let uuid = "c7a5fdbd-edaf-9455-926a-d65c16db1809".parse().unwrap();
    let name = name.to_owned();
    DomainRef { name, uuid, id }
}

/// A scripted host at its socket below a root of its own.
pub(crate) struct Script {
    root: TempDir,
    host: JoinHandle<()>,
}

impl Script {
    /// Opens the socket and plays the steps for the one client that comes.
    pub(crate) fn start(steps: Vec<Step>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run/lockstep");
        std::fs::create_dir_all(&run).unwrap();
        let listener = UnixListener::bind(run.join("libvirt-sock")).unwrap();
        let host = std::thread::spawn(move || Player::new(listener.accept().unwrap().0).play(steps));
        Self { root, host }
    }

    /// The command with these arguments, for this host.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        command(self.root.path(), arguments)
    }

    /// Waits until every step is played; fails when one was not.
    pub(crate) fn finish(self) {
        self.host.join().unwrap();
    }

    /// Runs the command to its end against these steps.
    pub(crate) fn run(steps: Vec<Step>, arguments: &[&str]) -> Output {
        let script = Self::start(steps);
        let output = script.command(arguments).output().unwrap();
        script.finish();
        output
    }

    /// Starts the command with pipes on all sides.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }
}

/// The command with these arguments and no environment that would change what it does.
pub(crate) fn command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.arg("--root").arg(root).args(arguments).stdin(Stdio::null());
    for name in ["LIBVIRT_DEFAULT_URI", "LOCKSTEP_LOG", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

struct Player {
    client: UnixStream,
    last: Header,
}

impl Player {
    fn new(client: UnixStream) -> Self {
        Self {
            client,
            last: Header::call(0, 0),
        }
    }

    fn play(mut self, steps: Vec<Step>) {
        self.reply(66, Status::Ok, &encoded(&[0_i32]));
        self.reply(1, Status::Ok, &[]);
        for step in steps {
            match step {
                Step::Answer(number, body) => self.reply(number, Status::Ok, &body),
                Step::Refuse(number, body) => self.reply(number, Status::Error, &body),
                Step::Until(answers) => self.until(&answers),
                Step::Event(number, body) => self.send(&Header::event(number), &body),
                Step::Ping => {
                    self.send(&Header::keepalive(KEEPALIVE_PING), &[]);
                    assert_eq!(self.receive().header, Header::keepalive(KEEPALIVE_PONG));
                }
                Step::Say(bytes) => self.send(&self.last.answer(Kind::Stream, Status::Continue), &bytes),
                Step::Hear(bytes) => self.hear(&bytes),
                Step::Finish => {
                    assert_eq!(self.receive().header, self.last.answer(Kind::Stream, Status::Ok));
                    self.send(&self.last.answer(Kind::Stream, Status::Ok), &[]);
                }
                Step::Close => return,
            }
        }
        // A client that asks for more than was written down is a finding.
        let more = Frame::read(&mut self.client);
        assert!(matches!(more, Ok(None) | Err(_)), "unexpected {more:?}");
    }

    fn receive(&mut self) -> Frame {
        Frame::read(&mut self.client).unwrap().expect("the client left early")
    }

    fn reply(&mut self, number: u32, status: Status, body: &[u8]) {
        let call = self.receive();
        assert_eq!(
            (call.header.kind, call.header.procedure),
            (Kind::Call, number.cast_signed())
        );
        self.last = call.header;
        self.send(&call.header.answer(Kind::Reply, status), body);
    }

    fn until(&mut self, answers: &[(u32, Vec<u8>); 2]) {
        loop {
            let call = self.receive();
            let called = |(number, _): &(u32, Vec<u8>)| number.cast_signed() == call.header.procedure;
            let at = answers.iter().position(called).expect("a call of one of the two");
            self.last = call.header;
            self.send(&call.header.answer(Kind::Reply, Status::Ok), &answers[at].1);
            if at == 1 {
                return;
            }
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let mut heard = Vec::new();
        while heard.len() < bytes.len() {
            let frame = self.receive();
            assert_eq!(frame.header, self.last.answer(Kind::Stream, Status::Continue));
            heard.extend(frame.payload);
        }
        assert_eq!(heard, bytes);
    }

    fn send(&self, header: &Header, body: &[u8]) {
        (&self.client).write_all(&frame::encode(header, body).unwrap()).unwrap();
    }
}

fn encoded(list: &[i32]) -> Vec<u8> {
    let mut out = Vec::new();
    u32::try_from(list.len()).unwrap().encode(&mut out).unwrap();
    list.iter().for_each(|item| item.encode(&mut out).unwrap());
    out
}
