//! `Console`: one `<console>` or `<serial>`: a line of the guest and where its other end is.

use super::rest::Rest;
use driver_api::kit::xml::Element;

/// How many consoles (`con0`...) a UML kernel has.
pub const CONSOLE_COUNT: u32 = 16;
/// How many serial lines (`ssl0`...) a UML kernel has.
pub const SERIAL_COUNT: u32 = 64;

/// One line of a guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Console {
    /// The `type` attribute.
    pub kind: String,
    /// `<source>` as given; a pty has none, since its path is chosen at each start.
    pub source: Option<Element>,
    /// The number of the line: a console's place in the document, or what it was given when it was plugged in; a serial's
    /// `port`.
    pub port: u32,
    /// `<target type>`.
    pub target_type: Option<String>,
    /// What else `<target>` held.
    pub target_rest: Rest,
    /// `<log>`: a file that gets everything the guest writes.
    pub log: Option<Log>,
    /// The user's own alias (`ua-...`).
    pub alias: Option<String>,
    /// Everything else.
    pub rest: Rest,
}

impl Console {
    /// The `path` of `<source>`.
    #[must_use]
    pub fn source_path(&self) -> Option<&str> {
        self.source.as_ref()?.attr("path").filter(|path| !path.is_empty())
    }
}

/// What the other end of a line is, as far as the host has a hand in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End<'a> {
    /// Nothing: the guest writes into the void and never hears.
    Null,
    /// Viewers, and a terminal of the host.
    Pty,
    /// Viewers only.
    Viewers,
    /// A file that gets everything the guest writes.
    File {
        /// Where.
        path: &'a str,
        /// Whether what is there is cut off at the start.
        cut: bool,
    },
    /// A unix socket.
    Unix {
        /// Where.
        path: &'a str,
        /// Whether others connect.
        listen: bool,
    },
    /// A TCP connection.
    Tcp {
        /// An address.
        host: &'a str,
        /// A port.
        service: &'a str,
        /// Whether others connect.
        listen: bool,
        /// Whether telnet is spoken.
        telnet: bool,
    },
    /// Datagrams.
    Udp {
        /// Where they go.
        remote: (&'a str, &'a str),
        /// Where they come in; empty texts leave it to the kernel.
        local: (&'a str, &'a str),
    },
    /// A device of the host.
    Device(&'a str),
    /// A pipe with a name.
    Pipe(&'a str),
}

impl Console {
    /// What the other end is.
    ///
    /// # Errors
    /// In words, what no line of a UML guest can lead to.
    pub fn end(&self) -> Result<End<'_>, String> {
        let path = || {
            self.source_path()
                .ok_or_else(|| format!("type '{}' without a path", self.kind))
        };
        let attribute = |name: &str| self.source.as_ref().and_then(|source| source.attr(name));
        let listen = attribute("mode") == Some("bind");
        Ok(match self.kind.as_str() {
            "null" => End::Null,
            "pty" => End::Pty,
            "stdio" => End::Viewers,
            "file" if self.log.is_some() => {
                return Err("type 'file' with a <log> beside it, one file is enough".to_owned());
            }
            "file" => End::File {
                path: path()?,
                cut: attribute("append") == Some("off"),
            },
            "unix" => End::Unix { path: path()?, listen },
            "tcp" => {
                if attribute("tls") == Some("yes") {
                    return Err("type 'tcp' with tls".to_owned());
                }
                let protocol = self.rest.element("protocol").and_then(|protocol| protocol.attr("type"));
                End::Tcp {
                    host: attribute("host").unwrap_or_default(),
                    service: attribute("service").unwrap_or_default(),
                    listen,
                    telnet: match protocol {
                        None | Some("raw") => false,
                        Some("telnet") => true,
                        Some(protocol) => return Err(format!("type 'tcp' with the protocol '{protocol}'")),
                    },
                }
            }
            "udp" => {
                let ends: Vec<&Element> = self
                    .source
                    .iter()
                    .chain(self.rest.elements.iter().filter(|e| e.name == "source"))
                    .collect();
                let end = |mode: &str| {
                    let end = ends.iter().find(|end| end.attr("mode") == Some(mode));
                    let part = |name| end.and_then(|end| end.attr(name)).unwrap_or_default();
                    (part("host"), part("service"))
                };
                End::Udp {
                    remote: end("connect"),
                    local: end("bind"),
                }
            }
            "dev" => End::Device(path()?),
            "pipe" => End::Pipe(path()?),
            kind => return Err(format!("type '{kind}'")),
        })
    }
}

/// `<log>` of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// The file.
    pub file: String,
    /// The `append` attribute as given.
    pub append: Option<String>,
}

/// What the other end of a line may be, in libvirt's names; which of them can be started is the plan's matter.
pub(super) const KINDS: &[&str] = &[
    "null",
    "vc",
    "pty",
    "dev",
    "file",
    "pipe",
    "stdio",
    "udp",
    "tcp",
    "unix",
    "spicevmc",
    "spiceport",
    "nmdm",
    "qemu-vdagent",
    "dbus",
];

/// The kinds that mean nothing without a path.
pub(super) const KINDS_WITH_PATH: &[&str] = &["dev", "file", "pipe", "unix"];
