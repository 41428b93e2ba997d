//! `Target`: which socket a connection goes to and what it asks for there.

use crate::paths::{self, Paths};
use std::path::{Path, PathBuf};

/// Why no target can be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a URI.
    #[error("'{0}' is not a connection URI, write one like 'uml:///system' or 'uml+unix:///system?socket=/path'")]
    NotAUri(String),
    /// A transport that only libvirt's own library has.
    #[error("cannot connect to '{uri}' over {transport}: lockstep speaks to unix sockets only, virsh can do more")]
    Transport {
        /// The URI.
        uri: String,
        /// What stands behind the `+`.
        transport: String,
    },
    /// A machine other than this one.
    #[error("cannot connect to '{0}': it names another machine, and lockstep speaks to unix sockets only")]
    Remote(String),
    /// The folders can not be told.
    #[error(transparent)]
    Paths(#[from] paths::Error),
}

/// What the command line and the environment say about where to connect.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// `--connect`.
    pub uri: Option<String>,
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--readonly`.
    pub readonly: bool,
    /// `LIBVIRT_DEFAULT_URI`; counts only where neither of the above is given.
    pub default_uri: Option<String>,
}

/// Where to connect and what to ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The socket.
    pub socket: PathBuf,
    /// The URI without what says how to get there; `None` lets the host choose.
    pub name: Option<String>,
    /// Whether only reading is wanted.
    pub readonly: bool,
}

impl Target {
    /// The target that is wished for: the socket named in the URI, or that of the root, or that of the instance
    /// (`/session` or `/system`) which the URI or the user means.
    ///
    /// # Errors
    /// A URI that lockstep can not follow.
    pub fn choose(wish: &Wish) -> Result<Self, Error> {
        let default = wish
            .default_uri
            .as_ref()
            .filter(|uri| wish.root.is_none() && !uri.is_empty());
        let uri = wish.uri.as_ref().or(default).map(|uri| Uri::parse(uri)).transpose()?;
        let mut readonly = wish.readonly;
        let socket = match &uri {
            Some(Uri {
                socket: Some(socket), ..
            }) => Some(socket.clone()),
            // As libvirt has it: a user may speak to the system's host, and root's session is the system.
            Some(uri) if wish.root.is_none() && uri.path == "/system" => {
                let system = Paths::find(Some(Path::new("/")))?;
                Some(if readonly {
                    system.readonly_socket()
                } else {
                    system.socket()
                })
            }
            _ => None,
        };
        let socket = match socket {
            Some(socket) => socket,
            None => {
                let paths = Paths::find(wish.root.as_deref())?;
                if readonly {
                    paths.readonly_socket()
                } else {
                    paths.socket()
                }
            }
        };
        // The read-only socket refuses changes whatever is asked for; asking rightly gives the better message.
        readonly |= socket.file_name().is_some_and(|name| name == "libvirt-sock-ro");
        Ok(Self {
            socket,
            name: uri.map(|uri| uri.name),
            readonly,
        })
    }
}

/// The parts of a URI that matter here.
struct Uri {
    name: String,
    path: String,
    socket: Option<PathBuf>,
}

impl Uri {
    fn parse(text: &str) -> Result<Self, Error> {
        let not = || Error::NotAUri(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(not)?;
        let (driver, transport) = scheme.split_once('+').unwrap_or((scheme, "unix"));
        let well_formed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if driver.is_empty() || !driver.chars().all(well_formed) {
            return Err(not());
        }
        if transport != "unix" {
            return Err(Error::Transport {
                uri: text.to_owned(),
                transport: transport.to_owned(),
            });
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        if !host.is_empty() {
            return Err(Error::Remote(text.to_owned()));
        }
        let mut socket = None;
        let mut kept = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("socket", value)) => socket = Some(PathBuf::from(decoded(value).ok_or_else(not)?)),
                Some(("mode" | "auth" | "command" | "no_verify" | "pkipath", _)) => {}
                _ => kept.push(parameter),
            }
        }
        let query = if kept.is_empty() {
            String::new()
        } else {
            format!("?{}", kept.join("&"))
        };
        Ok(Self {
            name: format!("{driver}://{path}{query}"),
            path: path.to_owned(),
            socket,
        })
    }
}

/// Percent signs resolved; `None` where one is not followed by two hexadecimal digits or the bytes are no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(uri: Option<&str>, root: Option<&str>, default_uri: Option<&str>) -> Result<Target, Error> {
        Target::choose(&Wish {
            uri: uri.map(str::to_owned),
            root: root.map(PathBuf::from),
            readonly: false,
            default_uri: default_uri.map(str::to_owned),
        })
    }

    fn target(uri: Option<&str>, root: Option<&str>, default_uri: Option<&str>) -> (String, Option<String>) {
        let target = wish(uri, root, default_uri).unwrap();
        (target.socket.to_str().unwrap().to_owned(), target.name)
    }

    #[test]
    fn socket_in_the_uri_wins_and_is_not_sent() {
        let (socket, name) = target(Some("uml+unix:///system?socket=/a%20b/s&x=1"), Some("/r"), None);
        assert_eq!(
            (socket.as_str(), name.as_deref()),
            ("/a b/s", Some("uml:///system?x=1"))
        );
    }

    #[test]
    fn root_wins_over_the_environment_but_not_over_the_command_line() {
        let (socket, name) = target(None, Some("/r"), Some("uml:///system"));
        assert_eq!((socket.as_str(), name), ("/r/run/lockstep/libvirt-sock", None));
        let (socket, name) = target(Some("uml:///session"), Some("/r"), None);
        assert_eq!(
            (socket.as_str(), name.as_deref()),
            ("/r/run/lockstep/libvirt-sock", Some("uml:///session"))
        );
        let (socket, name) = target(None, None, Some("uml:///system"));
        assert_eq!(
            (socket.as_str(), name.as_deref()),
            ("/run/lockstep/libvirt-sock", Some("uml:///system"))
        );
    }

    #[test]
    fn readonly_takes_the_readonly_socket() {
        let chosen = Target::choose(&Wish {
            root: Some("/r".into()),
            readonly: true,
            ..Wish::default()
        })
        .unwrap();
        assert_eq!(chosen.socket, Path::new("/r/run/lockstep/libvirt-sock-ro"));
        assert!(
            wish(Some("uml:///system?socket=/x/libvirt-sock-ro"), None, None)
                .unwrap()
                .readonly
        );
    }

    #[test]
    fn what_can_not_be_followed_is_refused_by_name() {
        for (uri, message) in [
            ("uml", "'uml' is not a connection URI"),
            ("://x", "'://x' is not a connection URI"),
            ("uml:///system?socket=%zz", "is not a connection URI"),
            (
                "uml+ssh://host/system",
                "over ssh: lockstep speaks to unix sockets only",
            ),
            ("uml://host/system", "it names another machine"),
        ] {
            let error = wish(Some(uri), None, None).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
