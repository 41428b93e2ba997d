//! `Error`: why a call brought no result, from a missing socket to the host's own refusal.

use std::io;
use std::path::PathBuf;

/// The result of whatever a client does.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Where to connect can not be told.
    #[error(transparent)]
    Target(#[from] super::target::Error),
    /// No host answers at the socket.
    #[error("cannot connect to '{}': {cause}; {}", socket.display(), remedy(cause))]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the host was lost: {0}")]
    Lost(io::Error),
    /// The host says what no host should.
    #[error("the host broke the protocol: {0}")]
    Protocol(String),
    /// The host refuses.
    #[error("{}", .0)]
    Remote(driver_api::error::Error),
}

fn remedy(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            "no host runs there: start one with `lockstep serve`, or name another with --root DIR or --connect URI"
        }
        io::ErrorKind::PermissionDenied => {
            "ask for membership in the socket's group, or run your own instance with `lockstep serve`"
        }
        _ => "look at the host's log",
    }
}
