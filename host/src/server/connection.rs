//! `Connection`: reads one client's frames, starts its calls, writes what is answered, and ends it for one of few reasons.

use super::client::Client;
use super::gate::{self, Verdict};
use super::keepalive::Pulse;
use super::limits::Limits;
use super::outbox::Hold;
use super::pump;
use super::service::{Answer, Call, Service};
use super::source::Source;
use super::streams::Streams;
use super::wire::{self, Incoming};
use super::workers::Workers;
use crate::limited_event;
use crate::rpc::codec::connect::OPEN_READ_ONLY;
use crate::rpc::error::RemoteError;
use crate::rpc::frame;
use crate::rpc::header::{Header, KEEPALIVE_PING, KEEPALIVE_PONG, KEEPALIVE_PROGRAM, Kind, Status};
use crate::rpc::procs::Proc;
use crate::rpc::xdr;
use driver_api::error::{Code, Error, Origin, Result};
use parking_lot::Mutex;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tracing::Level;

/// Calls that are read ahead of the running ones, so that pings behind them are seen.
const READ_AHEAD: usize = 16;

/// How long the last frames of a connection that ends in good order may take to be written.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// What all connections share.
pub(super) struct Shared {
    pub(super) service: Arc<dyn Service>,
    pub(super) workers: Workers,
    pub(super) limits: Limits,
    /// Becomes the drain time when the server stops.
    pub(super) stop: watch::Receiver<Option<Duration>>,
}

/// One client's connection.
pub(super) struct Connection {
    client: Arc<Client>,
    shared: Arc<Shared>,
    streams: Arc<Streams>,
    pulse: Pulse,
    /// One permit per call that runs or whose answer is not written yet.
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    unopened: Mutex<Option<OwnedSemaphorePermit>>,
}

/// A call that was read and not started.
type Pending = (Incoming, OwnedSemaphorePermit);

/// Why a connection ends.
enum End {
    /// The client hung up.
    HungUp,
    /// The client closed it in good order.
    Closed,
    /// What it sent can not be read.
    Broken(io::Error),
    /// It does not read what it is sent.
    Slow,
    /// It does not answer pings.
    Silent,
    /// It was not opened in time.
    NeverOpened,
    /// The server stops.
    Drain(Duration),
}

impl Connection {
    pub(super) fn new(client: Arc<Client>, shared: Arc<Shared>, unopened: OwnedSemaphorePermit) -> Arc<Self> {
        let limits = &shared.limits;
        let bytes = usize::try_from(limits.bytes_per_client).unwrap_or(usize::MAX);
        Arc::new(Self {
            streams: Arc::default(),
            pulse: Pulse::new(limits.keepalive_interval, limits.keepalive_count),
            calls: Arc::new(Semaphore::new(permits(limits.calls_per_client))),
            bytes: Arc::new(Semaphore::new(bytes.max(frame::BODY_MAX))),
            unopened: Mutex::new(Some(unopened)),
            client,
            shared,
        })
    }

    /// Serves the client until it is gone and none of its calls runs any more.
    pub(super) async fn serve(self: Arc<Self>, socket: UnixStream) {
        let (read, write) = socket.into_split();
        let mut writer = tokio::spawn(wire::write_all(Arc::clone(&self.client), write));
        let (queue, pending) = mpsc::channel(READ_AHEAD);
        let mut stop = self.shared.stop.clone();
        let end = tokio::select! {
            end = self.read(read, queue) => end,
            () = Arc::clone(&self).dispatch(pending) => End::Closed,
            () = self.client.outbox.overflowed() => End::Slow,
            () = self.pulse.watch(|| self.send_keepalive(KEEPALIVE_PING)) => End::Silent,
            () = self.not_opened_in_time() => End::NeverOpened,
            within = stop.wait_for(Option::is_some) => End::Drain(within.ok().and_then(|it| *it).unwrap_or_default()),
        };
        self.log(&end);
        if let End::Drain(within) = end {
            // Each permit comes back when its answer is written, so all of them mean that nothing is left to say.
            drop(tokio::time::timeout(within, self.no_call()).await);
        }
        if matches!(end, End::Drain(_) | End::Closed) {
            self.client.outbox.finish();
            drop(tokio::time::timeout(FLUSH_WITHIN, &mut writer).await);
        }
        writer.abort();
        self.client.outbox.close();
        self.streams.clear();
        *self.unopened.lock() = None;
        self.no_call().await;
        self.shared.service.closed(&self.client);
    }

    async fn no_call(&self) {
        drop(self.calls.acquire_many(self.shared.limits.calls_per_client).await);
    }

    fn log(&self, end: &End) {
        let (client, peer) = (self.client.id(), self.client.peer());
        match end {
            End::HungUp | End::Closed | End::Drain(_) => tracing::debug!(client, "client gone"),
            // A client can bring these about as often as it likes.
            End::Broken(error) => {
                limited_event!(Level::WARN, client, pid = peer.pid, uid = peer.uid, %error, "client dropped");
            }
            End::Slow => {
                limited_event!(
                    Level::WARN,
                    client,
                    pid = peer.pid,
                    "client dropped: it does not read its events"
                );
            }
            End::Silent => {
                limited_event!(
                    Level::WARN,
                    client,
                    pid = peer.pid,
                    "client dropped: it does not answer pings"
                );
            }
            End::NeverOpened => {
                limited_event!(
                    Level::WARN,
                    client,
                    pid = peer.pid,
                    "client dropped: it opens no connection"
                );
            }
        }
    }

    async fn not_opened_in_time(&self) {
        tokio::time::sleep(self.shared.limits.open_within).await;
        if self.client.opened() {
            std::future::pending::<()>().await;
        }
    }

    async fn read(&self, socket: OwnedReadHalf, queue: mpsc::Sender<Pending>) -> End {
        let mut socket = BufReader::new(Source(socket));
        loop {
            match wire::read(&mut socket, &self.bytes).await {
                Ok(Some((incoming, bytes))) => {
                    self.pulse.heard();
                    match self.sort(incoming) {
                        Ok(Some(call)) => {
                            if queue.send((call, bytes)).await.is_err() {
                                return End::Closed;
                            }
                        }
                        Ok(None) => (),
                        Err(error) => return End::Broken(error),
                    }
                }
                Ok(None) => return End::HungUp,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return End::HungUp,
                Err(error) => return End::Broken(error),
            }
        }
    }

    /// Deals at once with all but calls, which are given back.
    fn sort(&self, incoming: Incoming) -> io::Result<Option<Incoming>> {
        let header = incoming.header;
        if header.program == KEEPALIVE_PROGRAM {
            if header.procedure == KEEPALIVE_PING {
                self.send_keepalive(KEEPALIVE_PONG);
            }
            return Ok(None);
        }
        match header.kind {
            Kind::Call | Kind::CallWithFds => Ok(Some(incoming)),
            Kind::Stream | Kind::StreamHole => {
                self.streams.packet(incoming);
                Ok(None)
            }
            kind @ (Kind::Reply | Kind::ReplyWithFds | Kind::Message) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a client may not send frames of kind {kind:?}"),
            )),
        }
    }

    fn send_keepalive(&self, procedure: i32) {
        if let Ok(bytes) = frame::encode(&Header::keepalive(procedure), &[]) {
            self.client.outbox.push_bounded(bytes);
        }
    }

    /// Starts calls as permits allow; returns when the client closed the connection in good order.
    async fn dispatch(self: Arc<Self>, mut pending: mpsc::Receiver<Pending>) {
        while let Some((call, bytes)) = pending.recv().await {
            let Ok(permit) = Arc::clone(&self.calls).acquire_owned().await else {
                return;
            };
            let header = call.header;
            match gate::judge(&self.client, &header, &call.payload) {
                Ok(Verdict::Serve(proc)) => drop(self.start(proc, None, call, (permit, bytes))),
                // Nothing may run beside the opening, so its end is waited for.
                Ok(Verdict::Open(proc, flags)) => drop(self.start(proc, Some(flags), call, (permit, bytes)).await),
                Ok(Verdict::Answer(body)) => self.reply(header, Ok(&body), Box::new(permit)),
                Ok(Verdict::KeepAlive(body)) => {
                    self.reply(header, Ok(&body), Box::new(permit));
                    self.pulse.enable();
                }
                Ok(Verdict::Close(body)) => return self.reply(header, Ok(&body), Box::new(permit)),
                Err(error) => self.reply(header, Err(&error), Box::new(permit)),
            }
        }
        // The reader alone knows why there is nothing more.
        std::future::pending().await
    }

    /// Hands a call to the workers; the receiver resolves (with an error) once it is answered.
    fn start(
        self: &Arc<Self>,
        proc: &'static Proc,
        opening: Option<u32>,
        call: Incoming,
        (permit, bytes): (OwnedSemaphorePermit, OwnedSemaphorePermit),
    ) -> oneshot::Receiver<()> {
        let (done, answered) = oneshot::channel();
        let connection = Arc::clone(self);
        let runtime = tokio::runtime::Handle::current();
        let job = move || {
            let header = call.header;
            let result = connection.run(proc, header.serial, &call.payload);
            drop((call, bytes));
            if let (Ok(_), Some(flags)) = (&result, opening) {
                connection.client.set_opened(flags & OPEN_READ_ONLY != 0);
                *connection.unopened.lock() = None;
            }
            connection.answer(&runtime, proc, header, result, permit);
            drop(done);
        };
        self.shared.workers.submit(proc.class, Box::new(job));
        answered
    }

    /// Runs a call on this worker thread; a panic of the service is the call's error and nobody else's.
    fn run(&self, proc: &'static Proc, serial: u32, payload: &[u8]) -> Result<Answer> {
        let client = self.client.id();
        let _span = tracing::debug_span!("call", client, proc = proc.name, serial).entered();
        let call = Call {
            client: &self.client,
            proc,
            serial,
            payload,
        };
        catch_unwind(AssertUnwindSafe(|| self.shared.service.call(&call))).unwrap_or_else(|_| {
            tracing::error!(client, proc = proc.name, serial, "call panicked");
            Err(Error::new(
                Code::INTERNAL,
                Origin::RPC,
                format!("{} failed inside the host: the host's log tells more", proc.function()),
            ))
        })
    }

    fn answer(
        &self,
        runtime: &tokio::runtime::Handle,
        proc: &'static Proc,
        header: Header,
        result: Result<Answer>,
        permit: OwnedSemaphorePermit,
    ) {
        let Answer { body, stream } = match result {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(client = self.client.id(), proc = proc.name, %error, "call failed");
                return self.reply(header, Err(&error), Box::new(permit));
            }
        };
        let Some(end) = stream else {
            return self.reply(header, Ok(&body), Box::new(permit));
        };
        // Known before the reply is sent, since the client may answer it with data at once.
        let Some(outlet) = self.streams.open(&header) else {
            let error = Error::new(
                Code::RPC,
                Origin::STREAMS,
                format!("serial {} belongs to a stream that is still open", header.serial),
            );
            return self.reply(header, Err(&error), Box::new(permit));
        };
        self.reply(header, Ok(&body), Box::new(permit));
        let (client, streams) = (Arc::clone(&self.client), Arc::clone(&self.streams));
        runtime.spawn(pump::run(client, streams, header, outlet, end));
    }

    fn reply(&self, call: Header, result: std::result::Result<&[u8], &Error>, hold: Hold) {
        let failed = |error: &Error| {
            let body = xdr::encode(&RemoteError::from(error)).unwrap_or_default();
            frame::encode(&call.answer(Kind::Reply, Status::Error), &body)
        };
        let bytes = match result {
            Ok(body) => frame::encode(&call.answer(Kind::Reply, Status::Ok), body).or_else(|error| {
                failed(&Error::new(Code::RPC, Origin::RPC, "the result is too large for one message").because(error))
            }),
            Err(error) => failed(error),
        };
        // An error's body is bounded far below a frame, so there always are bytes.
        if let Ok(bytes) = bytes {
            self.client.outbox.push(bytes, hold);
        }
    }
}

/// A limit as a number of permits.
pub(super) fn permits(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
