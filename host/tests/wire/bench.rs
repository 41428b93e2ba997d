//! A host with an in-memory service, and a client that says exactly what a test wants.

use driver_api::error::{Code, Error, Origin, Result as CallResult};
use driver_api::types::uuid::Uuid;
use lockstep::rpc::codec::Procedure;
use lockstep::rpc::codec::connect::{
    ConnectGetHostname, ConnectGetLibVersion, ConnectGetType, ConnectGetVersion, ConnectOpen, ConnectSupportsFeature,
};
use lockstep::rpc::codec::domain::{DomainCreate, DomainDestroy, DomainLookupByName, DomainOpenConsole, DomainRef};
use lockstep::rpc::error::RemoteError;
use lockstep::rpc::frame::{self, Frame};
use lockstep::rpc::header::{Header, Kind, Status};
use lockstep::rpc::xdr;
use lockstep::server::{Access, Answer, Call, Client, Limits, Listener, Server, Service, StreamAbort, StreamEnd};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Only so that a broken test ends; nothing is asserted about time.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the service tells its test.
#[derive(Debug)]
pub(crate) enum Told {
    Opened(Arc<Client>),
    /// A `DomainCreate` waits to be released.
    Entered,
    Console(UnixStream, StreamAbort),
    Closed(u64),
}

/// Answers a handful of procedures; `DomainCreate` waits until the test releases all of them.
pub(crate) struct Fake {
    told: Mutex<Sender<Told>>,
    released: Mutex<bool>,
    release: Condvar,
}

impl Fake {
    fn tell(&self, what: Told) {
        // The test may have looked its fill.
        drop(self.told.lock().unwrap().send(what));
    }

    pub(crate) fn release(&self) {
        *self.released.lock().unwrap() = true;
        self.release.notify_all();
    }
}

pub(crate) fn domain(name: &str) -> DomainRef {
    DomainRef {
        name: name.to_owned(),
        uuid: Uuid::from_bytes([7; 16]),
        id: -1,
    }
}

impl Service for Fake {
    fn call(&self, call: &Call<'_>) -> CallResult<Answer> {
        match call.proc.number {
            ConnectOpen::NUMBER => {
                let open: ConnectOpen = call.args()?;
                if open.name.as_deref() == Some("none:///") {
                    return Err(Error::new(Code::NO_CONNECT, Origin::RPC, "no driver for 'none:///'"));
                }
                self.tell(Told::Opened(Arc::clone(call.client)));
                Ok(Answer::nothing())
            }
            ConnectGetHostname::NUMBER => Answer::new::<ConnectGetHostname>(&"fake.example".to_owned()),
            ConnectGetType::NUMBER => Answer::new::<ConnectGetType>(&"UML".to_owned()),
            ConnectGetVersion::NUMBER => Answer::new::<ConnectGetVersion>(&6_001_002),
            ConnectGetLibVersion::NUMBER => Answer::new::<ConnectGetLibVersion>(&9_000_000),
            ConnectSupportsFeature::NUMBER => Answer::new::<ConnectSupportsFeature>(&0),
            DomainLookupByName::NUMBER => {
                let args: DomainLookupByName = call.args()?;
                assert_ne!(args.name, "panic", "the test wants this call to panic");
                Answer::new::<DomainLookupByName>(&domain(&args.name))
            }
            DomainCreate::NUMBER => {
                self.tell(Told::Entered);
                let mut released = self.released.lock().unwrap();
                while !*released {
                    released = self.release.wait(released).unwrap();
                }
                Ok(Answer::nothing())
            }
            DomainDestroy::NUMBER => Ok(Answer::nothing()),
            DomainOpenConsole::NUMBER => {
                let (near, far) = UnixStream::pair().unwrap();
                far.set_read_timeout(Some(PATIENCE)).unwrap();
                let (end, abort) = StreamEnd::new(near);
                self.tell(Told::Console(far, abort));
                Ok(Answer::stream(end))
            }
            _ => Err(call.proc.not_supported()),
        }
    }

    fn closed(&self, client: &Arc<Client>) {
        self.tell(Told::Closed(client.id()));
    }
}

/// A running host; stopped and joined when dropped.
pub(crate) struct Host {
    folder: tempfile::TempDir,
    pub(crate) service: Arc<Fake>,
    told: Receiver<Told>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    pub(crate) fn start() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (tell, told) = channel();
        let service = Arc::new(Fake {
            told: Mutex::new(tell),
            released: Mutex::default(),
            release: Condvar::new(),
        });
        let mut server = Server::new(Arc::clone(&service) as Arc<dyn Service>, limits).unwrap();
        for (name, read_only) in [("rw", false), ("ro", true)] {
            server.add(Listener::bind(&folder.path().join(name), read_only, Access::OWNER).unwrap());
        }
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let stop = async { drop(stopped.await) };
            runtime.block_on(server.run(stop, PATIENCE)).unwrap();
        });
        Self {
            folder,
            service,
            told,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the service tells next.
    pub(crate) fn told(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    /// What the service tells of the next opening, skipping everything else.
    pub(crate) fn told_client(&self) -> Arc<Client> {
        loop {
            if let Told::Opened(client) = self.told() {
                return client;
            }
        }
    }

    pub(crate) fn told_console(&self) -> (UnixStream, StreamAbort) {
        loop {
            if let Told::Console(far, abort) = self.told() {
                return (far, abort);
            }
        }
    }

    pub(crate) fn told_closed(&self) -> u64 {
        loop {
            if let Told::Closed(id) = self.told() {
                return id;
            }
        }
    }

    /// Asks it to stop; does not wait.
    pub(crate) fn ask_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ended = stop.send(());
        }
    }

    /// Waits for its end.
    pub(crate) fn join(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub(crate) fn connect(&self, name: &str) -> Session {
        Session::connect(&self.socket(name))
    }

    /// A client whose connection is open.
    pub(crate) fn open(&self) -> Session {
        let mut session = self.connect("rw");
        session.open(0).unwrap();
        session
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.service.release();
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A client.
pub(crate) struct Session {
    pub(crate) socket: UnixStream,
    serial: u32,
}

impl Session {
    fn connect(path: &Path) -> Self {
        let socket = UnixStream::connect(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, serial: 0 }
    }

    pub(crate) fn send(&mut self, header: &Header, payload: &[u8]) {
        self.socket.write_all(&frame::encode(header, payload).unwrap()).unwrap();
    }

    /// Sends a call with these arguments; its header.
    pub(crate) fn send_call(&mut self, procedure: u32, payload: &[u8]) -> Header {
        let header = Header::call(procedure, self.serial);
        self.serial += 1;
        self.send(&header, payload);
        header
    }

    /// Sends a call; its header.
    pub(crate) fn ask<P: Procedure>(&mut self, args: &P) -> Header {
        self.send_call(P::NUMBER, &xdr::encode(args).unwrap())
    }

    pub(crate) fn stream(&mut self, call: &Header, status: Status, payload: &[u8]) {
        self.send(&call.answer(Kind::Stream, status), payload);
    }

    pub(crate) fn receive(&mut self) -> Frame {
        Frame::read(&mut self.socket).unwrap().expect("the host hung up")
    }

    /// Receives the answer to a call.
    pub(crate) fn answer<P: Procedure>(&mut self, call: &Header) -> Result<P::Ret, Box<RemoteError>> {
        let frame = self.receive();
        assert_eq!((frame.header.serial, frame.header.kind), (call.serial, Kind::Reply));
        match frame.header.status {
            Status::Ok => Ok(xdr::decode(&frame.payload).unwrap()),
            _ => Err(Box::new(xdr::decode(&frame.payload).unwrap())),
        }
    }

    pub(crate) fn call<P: Procedure>(&mut self, args: &P) -> Result<P::Ret, Box<RemoteError>> {
        let header = self.ask(args);
        self.answer::<P>(&header)
    }

    /// Sends a call with any payload; the code and message of its error.
    pub(crate) fn refused(&mut self, procedure: u32, payload: &[u8]) -> (i32, String) {
        let header = self.send_call(procedure, payload);
        let error = self.answer::<DomainDestroy>(&header).unwrap_err();
        (error.code, error.message.unwrap())
    }

    pub(crate) fn open(&mut self, flags: u32) -> Result<(), Box<RemoteError>> {
        self.call(&ConnectOpen {
            name: Some("uml:///system".to_owned()),
            flags,
        })
    }

    /// Whether the connection still works.
    pub(crate) fn assert_alive(&mut self) {
        assert_eq!(self.call(&ConnectGetHostname {}).unwrap(), "fake.example");
    }

    /// Whether the host hung up, whatever it said before.
    pub(crate) fn assert_hung_up(mut self) {
        // A reset says the same as an end.
        if let Err(error) = self.socket.read_to_end(&mut Vec::new()) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
}
