//! `Backend`: what a console leads to beside its viewers, opened by the supervisor as the host's user in the host's network.

mod file;
mod socket;
mod telnet;

use super::extras::BackendOrder;
use super::order::{Failure, Step};
use super::outbox::Outbox;
use rustix::event::PollFlags;
use rustix::io::Errno;
use socket::Bound;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use telnet::Telnet;

/// Pauses between calls: the first one, and what it grows to.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));
/// What fits into one frame of an ordinary network with the datagram's headers.
const DATAGRAM: usize = 1400;
/// What is typed at once; a longer datagram is cut.
const CHUNK: usize = 16 * 1024;

/// What of a backend became ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// Somebody calls.
    Listener,
    /// A call is through, or failed.
    Call,
    Input,
    Output,
}

/// Where peers come from.
#[derive(Debug)]
enum Source {
    UnixListener(Bound),
    TcpListener(OwnedFd),
    Unix(PathBuf),
    Tcp(SocketAddr),
    Device(PathBuf),
    /// One for ever.
    Fixed,
}

/// Who is at the other end.
#[derive(Debug)]
enum Peer {
    Stream(OwnedFd),
    Datagrams { socket: OwnedFd, sends: bool },
    Pipes(file::Pipes),
}

impl Peer {
    fn input(&self) -> Option<&OwnedFd> {
        match self {
            Self::Stream(fd) | Self::Datagrams { socket: fd, .. } => Some(fd),
            Self::Pipes(pipes) => pipes.input.as_ref(),
        }
    }

    const fn output(&self) -> Option<&OwnedFd> {
        match self {
            Self::Stream(fd)
            | Self::Datagrams {
                socket: fd,
                sends: true,
            } => Some(fd),
            Self::Datagrams { .. } => None,
            Self::Pipes(pipes) => Some(&pipes.output),
        }
    }
}

/// What one console leads to. A peer that is slow loses bytes; what is said while there is none is not kept.
#[derive(Debug)]
pub(super) struct Backend {
    source: Source,
    speaks_telnet: bool,
    telnet: Option<Telnet>,
    peer: Option<Peer>,
    /// A connection that is being made.
    call: Option<OwnedFd>,
    outbox: Outbox,
    /// When to call again.
    again: Option<Instant>,
    pause: Duration,
}

impl Backend {
    /// Opens what `order` names for console `index`; its addresses are in figures. Who is to be called need not be there yet.
    ///
    /// # Errors
    /// What can not be opened or bound, by its name.
    pub(super) fn open(order: &BackendOrder, index: usize) -> Result<Option<Self>, Failure> {
        let mut telnet = false;
        let mut fixed = None;
        let source = match order {
            BackendOrder::None => return Ok(None),
            BackendOrder::Unix { path, listen: true } => {
                let bound = socket::listen_at(path);
                Source::UnixListener(bound.step(|| format!("listen at '{}' for console {index}", path.display()))?)
            }
            BackendOrder::Unix { path, listen: false } => Source::Unix(path.clone()),
            BackendOrder::Tcp {
                host,
                service,
                listen,
                telnet: speaks,
            } => {
                telnet = *speaks;
                let address = address(host, service)?;
                if *listen {
                    Source::TcpListener(
                        socket::listen_on(&address).step(|| format!("listen at '{address}' for console {index}"))?,
                    )
                } else {
                    Source::Tcp(address)
                }
            }
            BackendOrder::Udp { remote, local } => {
                let at = |(host, service): &(String, String)| {
                    let given = !host.is_empty();
                    given.then(|| address(host, service)).transpose()
                };
                let (remote, local) = (at(remote)?, at(local)?);
                let socket = socket::datagrams(local.as_ref(), remote.as_ref());
                let text = |address: Option<SocketAddr>| address.map_or_else(|| "any".to_owned(), |a| a.to_string());
                fixed = Some(Peer::Datagrams {
                    socket: socket.step(|| {
                        format!(
                            "exchange datagrams of '{}' with '{}' for console {index}",
                            text(local),
                            text(remote)
                        )
                    })?,
                    sends: remote.is_some(),
                });
                Source::Fixed
            }
            BackendOrder::Device { path } => {
                let device =
                    file::device(path).step(|| format!("open the device '{}' for console {index}", path.display()))?;
                fixed = Some(Peer::Stream(device));
                Source::Device(path.clone())
            }
            BackendOrder::Pipe { path } => {
                let pipes =
                    file::pipes(path).step(|| format!("open the pipe '{}' for console {index}", path.display()))?;
                fixed = Some(Peer::Pipes(pipes));
                Source::Fixed
            }
        };
        let mut backend = Self {
            source,
            speaks_telnet: telnet,
            telnet: None,
            peer: fixed,
            call: None,
            outbox: Outbox::silent(),
            again: None,
            pause: PAUSES.0,
        };
        backend.seek();
        Ok(Some(backend))
    }

    /// What it waits for; `room` is whether the guest can be typed at.
    pub(super) fn interests(&self, room: bool) -> Vec<(Part, BorrowedFd<'_>, PollFlags)> {
        let mut list = Vec::new();
        if let Some(peer) = &self.peer {
            if let Some(input) = peer.input() {
                let flags = if room { PollFlags::IN } else { PollFlags::empty() };
                list.push((Part::Input, input.as_fd(), flags));
            }
            if let Some(output) = peer.output().filter(|_| !self.outbox.is_empty()) {
                list.push((Part::Output, output.as_fd(), PollFlags::OUT));
            }
            return list;
        }
        if let Some(call) = &self.call {
            list.push((Part::Call, call.as_fd(), PollFlags::OUT));
        }
        // One at a time: the next one waits in the queue of the kernel.
        match &self.source {
            Source::UnixListener(Bound { socket, .. }) | Source::TcpListener(socket) => {
                list.push((Part::Listener, socket.as_fd(), PollFlags::IN));
            }
            _ => {}
        }
        list
    }

    /// When it has something to do though nothing happens.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.again
    }

    /// Calls again when it is time.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.again.take_if(|again| *again <= now).is_some() {
            self.seek();
        }
    }

    /// Does what became possible; what was typed.
    pub(super) fn handle(&mut self, part: Part) -> Vec<u8> {
        match part {
            Part::Listener => {
                if let Source::UnixListener(Bound { socket, .. }) | Source::TcpListener(socket) = &self.source
                    && let Ok(peer) = socket::accept(socket)
                {
                    self.meet(peer, true);
                }
            }
            Part::Call => {
                if let Some(call) = self.call.take() {
                    match rustix::net::sockopt::socket_error(&call) {
                        Ok(Ok(())) => self.meet(call, false),
                        _ => self.wait(),
                    }
                }
            }
            Part::Input => return self.read(),
            Part::Output => self.flush(),
        }
        Vec::new()
    }

    /// What the guest says.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        if self.peer.as_ref().is_some_and(|peer| peer.output().is_some()) {
            if self.telnet.is_some() {
                self.outbox.push(&Telnet::encode(chunk));
            } else {
                self.outbox.push(chunk);
            }
            self.flush();
        }
    }

    /// Looks for a peer where it is for this side to do so.
    fn seek(&mut self) {
        if self.peer.is_some() || self.call.is_some() {
            return;
        }
        let found = match &self.source {
            Source::UnixListener(_) | Source::TcpListener(_) | Source::Fixed => return,
            Source::Unix(path) => socket::call_at(path),
            Source::Device(path) => file::device(path),
            Source::Tcp(address) => match socket::call(address) {
                Ok(call) => return self.call = Some(call),
                Err(e) => Err(e),
            },
        };
        match found {
            Ok(peer) => self.meet(peer, false),
            Err(_) => self.wait(),
        }
    }

    fn meet(&mut self, peer: OwnedFd, called: bool) {
        self.peer = Some(Peer::Stream(peer));
        self.pause = PAUSES.0;
        if self.speaks_telnet && called {
            let (telnet, greeting) = Telnet::server();
            self.telnet = Some(telnet);
            self.outbox.push(&greeting);
            self.flush();
        } else if self.speaks_telnet {
            self.telnet = Some(Telnet::client());
        }
    }

    fn wait(&mut self) {
        self.again = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSES.1);
    }

    /// The peer is gone; the next one hears nothing of what was meant for it.
    fn part(&mut self) {
        if matches!(self.peer, Some(Peer::Stream(_))) {
            self.peer = None;
            self.telnet = None;
            self.outbox.clear();
            if !matches!(self.source, Source::UnixListener(_) | Source::TcpListener(_)) {
                self.wait();
            }
        }
    }

    fn read(&mut self) -> Vec<u8> {
        let Some(input) = self.peer.as_ref().and_then(Peer::input) else {
            return Vec::new();
        };
        let mut chunk = [0_u8; CHUNK];
        let count = match rustix::io::read(input, &mut chunk) {
            Ok(0) => {
                // An empty datagram is none; anything else has ended.
                self.part();
                return Vec::new();
            }
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Vec::new(),
            // Of a datagram: nobody was there to take the last one.
            Err(_) => {
                self.part();
                return Vec::new();
            }
        };
        let Some(telnet) = &mut self.telnet else {
            return chunk[..count].to_vec();
        };
        let mut replies = Vec::new();
        let typed = telnet.decode(&chunk[..count], &mut replies);
        self.outbox.push(&replies);
        self.flush();
        typed
    }

    fn flush(&mut self) {
        let Some((peer, output)) = self.peer.as_ref().and_then(|peer| Some((peer, peer.output()?))) else {
            return;
        };
        let datagrams = matches!(peer, Peer::Datagrams { .. });
        let flushed = self.outbox.flush(|chunk| {
            let piece = if datagrams {
                &chunk[..chunk.len().min(DATAGRAM)]
            } else {
                chunk
            };
            match rustix::io::write(output, piece) {
                // It is lost, as datagrams are when nobody is there to take them.
                Err(e) if datagrams && e != Errno::AGAIN && e != Errno::INTR => Ok(piece.len()),
                written => written.map_err(io::Error::from),
            }
        });
        if flushed.is_err() {
            self.part();
        }
    }
}

fn address(host: &str, service: &str) -> Result<SocketAddr, Failure> {
    match (host.parse(), service.parse()) {
        (Ok(host), Ok(port)) => Ok(SocketAddr::new(host, port)),
        _ => Err(Failure::new(format!(
            "understand the address '{host}' with port '{service}'"
        ))),
    }
}
