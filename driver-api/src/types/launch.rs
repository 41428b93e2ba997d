//! A guest process as `spawn/2` starts it, and what can be plugged into it while it runs.

use super::guest::{ConsoleSpec, GuestSpec, VisibleFile};
use super::param::Param;
use std::path::PathBuf;

/// A guest process tree to be started under a supervisor, with everything that goes beyond [`GuestSpec`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Launch {
    /// The program, its files and its consoles.
    pub spec: GuestSpec,
    /// What each console leads to beside its log, its viewers and its pty, in the order of [`GuestSpec::consoles`]; those
    /// without an entry lead nowhere else.
    pub backends: Vec<Backend>,
    /// How many further consoles can be plugged in while it runs ([`Plug::Console`]): their descriptors follow those of
    /// the ordered ones.
    pub spare_consoles: u32,
    /// Its ways into networks. Each [`Link::Tap`] takes the next of the descriptors that come with the order; those left
    /// over are what the guest is born with ([`DESCRIPTOR_FD`](super::guest::DESCRIPTOR_FD)).
    pub links: Vec<Link>,
    /// Programs that run beside it, in a sandbox of the same kind, and end with it.
    pub companions: Vec<Companion>,
    /// What it may use of the machine; names and units as in [`crate::host::Host::limit`].
    pub limits: Vec<Param>,
    /// The user and group that it runs as; one of its own when `None`.
    pub user: Option<(u32, u32)>,
}

/// What a console leads to. Addresses are those of the host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Backend {
    /// Nothing but viewers, log and pty.
    #[default]
    None,
    /// A unix stream socket: made and listened at, or connected to, again whenever the other end goes.
    Unix {
        /// Where it is.
        path: PathBuf,
        /// Whether others connect.
        listen: bool,
    },
    /// A TCP connection: listened for at exactly this address, or made, again whenever the other end goes.
    Tcp {
        /// A numeric address or a name.
        host: String,
        /// A port, by number or name.
        service: String,
        /// Whether others connect.
        listen: bool,
        /// Whether the telnet protocol is spoken.
        telnet: bool,
    },
    /// Datagrams: what the guest says is sent to one address, what comes to the other is typed in.
    Udp {
        /// Where datagrams go.
        remote: (String, String),
        /// Where they are received; empty texts let the kernel choose.
        local: (String, String),
    },
    /// A device of the host, such as a serial line.
    Device {
        /// Where it is.
        path: PathBuf,
    },
    /// A pipe with a name for what the guest says; `PATH.in` and `PATH.out` when there are two, for both ways.
    Pipe {
        /// Where it is.
        path: PathBuf,
    },
}

/// A way into a network. Its name is unique within the guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Link {
    /// A tap of the host, open in the descriptor that came with it. The guest gets it when it opens `/dev/net/tun` and
    /// asks for a tap of this name, as often as it likes, and nothing else.
    Tap {
        /// The device's name.
        name: String,
    },
    /// Frames as UDP datagrams to and from a multicast group: everybody in it is on one wire. The guest connects to the
    /// `SOCK_SEQPACKET` socket `@RUN@/NAME.link` (UML's transport `bess`).
    Multicast {
        /// Its name.
        name: String,
        /// The group, `address:port`.
        group: String,
    },
    /// Frames as UDP datagrams to and from one peer; the guest's end is as with [`Link::Multicast`].
    Udp {
        /// Its name.
        name: String,
        /// Where frames come in, `address:port`.
        local: String,
        /// Where they go, `address:port`.
        remote: String,
    },
    /// Frames to and from a program beside the guest that listens at a `SOCK_SEQPACKET` socket and serves one connection of
    /// it, which is kept whatever the guest does; the guest's end is as with [`Link::Multicast`].
    Program {
        /// Its name.
        name: String,
        /// Where the program listens, such as `@RUN@/net0.stack`.
        socket: String,
    },
}

impl Link {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Tap { name } | Self::Multicast { name, .. } | Self::Udp { name, .. } | Self::Program { name, .. } => {
                name
            }
        }
    }
}

/// A program beside a guest: its user-mode network stack, the server of one of its disks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Companion {
    /// Unique within the guest.
    pub name: String,
    /// The program and its arguments; `@RUN@` is the guest's run folder, which both share.
    pub argv: Vec<String>,
    /// Files of the host that it may open, under their own paths.
    pub files: Vec<VisibleFile>,
    /// A socket in the run folder that it makes when it is ready, such as `@RUN@/net0.link`; the guest is started after
    /// that. Empty to wait for nothing.
    pub ready: String,
    /// Whether it may use the host's network; else it has none.
    pub network: bool,
    /// Whether it is started again when it ends before the guest.
    pub restart: bool,
}

/// Something that is put into a running guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Plug {
    /// A file of the host, under its own path. Shown already, it only may become writable.
    File(VisibleFile),
    /// A console on one of the spare descriptors.
    Console(ConsoleSpec, Backend),
    /// A way into a network; a tap comes with its descriptor.
    Link(Link),
    /// A program beside it.
    Companion(Companion),
}

/// Something that is taken out of a running guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unplug {
    /// A file, by its path; what the guest has open stays open.
    File(PathBuf),
    /// A console, by its alias; its descriptor is spare again.
    Console(String),
    /// A way into a network, by its name. A tap that the guest has open stays so until its device is removed.
    Link(String),
    /// A program beside it, by its name.
    Companion(String),
}

/// Where something is that was put into a running guest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plugged {
    /// Of a console: its place, as in [`ConsoleRef::index`](super::guest::ConsoleRef::index).
    pub index: u32,
    /// Of a console: the guest's descriptor.
    pub descriptor: i32,
    /// Of a console: the pty's path, or empty.
    pub pty: String,
}
