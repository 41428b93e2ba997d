//! `Failure`: why a verb did not do what was asked, and the exit code that says so to a script.

use crate::client;
use crate::config;
use std::io;
use std::process::ExitCode;

/// One exit code as `--help` and the documentation show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit {
    /// The number.
    pub code: u8,
    /// When it is given.
    pub doc: &'static str,
}

macro_rules! exits {
    ($( $name:ident = $code:literal, $doc:literal; )+) => {
        impl Exit {
            $( #[doc = $doc] pub const $name: Self = Self { code: $code, doc: $doc }; )+
        }

        /// Every exit code there is, in order.
        pub const EXITS: &[Exit] = &[ $( Exit::$name, )+ ];
    };
}

exits! {
    OK = 0, "done; for `run`: the guest powered off by itself";
    FAILED = 1, "the operation failed; the message on standard error says why";
    USAGE = 2, "the command line or lockstep.toml is wrong; nothing was tried";
    NO_HOST = 3, "no host answers at the socket, or the connection was lost";
    TIMEOUT = 4, "what --wait or --timeout waited for did not happen in time";
    UNSUPPORTED = 5, "the host or the driver does not support the operation";
    DENIED = 6, "the operation is not allowed on this connection";
    INTERRUPTED = 130, "`run` was interrupted (SIGINT) and the guest was ended; 143 for SIGTERM, 129 for SIGHUP";
    CRASHED = 134, "`run`: the guest crashed";
}

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// What the host or the way to it says.
    #[error("{context}{}{cause}", if context.is_empty() { "" } else { ": " })]
    Client {
        /// What was tried; may be empty.
        context: String,
        /// What came of it.
        cause: client::Error,
    },
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The command line asks for what can not be.
    #[error("{0}")]
    Usage(String),
    /// Something on this side failed.
    #[error("{context}: {cause}")]
    Local {
        /// What was tried.
        context: String,
        /// Why it failed.
        cause: io::Error,
    },
    /// Standard output can not be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// The operation ended otherwise than asked.
    #[error("{0}")]
    Other(String),
    /// What was waited for did not happen.
    #[error("{0}")]
    Timeout(String),
    /// Nothing to say: the exit code tells all.
    #[error("exit status {0}")]
    Silent(u8),
}

impl From<client::Error> for Failure {
    fn from(cause: client::Error) -> Self {
        Self::Client {
            context: String::new(),
            cause,
        }
    }
}

impl Failure {
    /// The code that the process ends with.
    #[must_use]
    pub fn code(&self) -> u8 {
        let exit = match self {
            Self::Client { cause, .. } => client_exit(cause),
            Self::Config(_) | Self::Usage(_) => Exit::USAGE,
            Self::Local { .. } | Self::Other(_) | Self::Output(_) => Exit::FAILED,
            Self::Timeout(_) => Exit::TIMEOUT,
            Self::Silent(code) => return *code,
        };
        exit.code
    }

    /// Whether the reader of standard output went away, which is its good right and no failure of ours.
    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Says why on standard error, where there is something to say, and gives the code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        if self.is_broken_pipe() {
            return ExitCode::from(Exit::OK.code);
        }
        if !matches!(self, Self::Silent(_)) {
            super::output::complain(self);
        }
        ExitCode::from(self.code())
    }
}

fn client_exit(error: &client::Error) -> Exit {
    use driver_api::error::Code;
    match error {
        client::Error::Target(_) => Exit::USAGE,
        client::Error::Connect { .. } | client::Error::Lost(_) | client::Error::Protocol(_) => Exit::NO_HOST,
        client::Error::Remote(remote) => match remote.code() {
            Code::NO_SUPPORT | Code::CONFIG_UNSUPPORTED | Code::ARGUMENT_UNSUPPORTED | Code::OPERATION_UNSUPPORTED => {
                Exit::UNSUPPORTED
            }
            Code::OPERATION_DENIED | Code::ACCESS_DENIED | Code::AUTH_FAILED => Exit::DENIED,
            Code::OPERATION_TIMEOUT => Exit::TIMEOUT,
            _ => Exit::FAILED,
        },
    }
}

/// The table of exit codes as text, for `--help`.
#[must_use]
pub fn help() -> String {
    let lines: Vec<String> = EXITS
        .iter()
        .map(|exit| format!("  {:>3}  {}", exit.code, exit.doc))
        .collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// What was tried, in front of what came of it.
pub trait Context<T> {
    /// Adds it.
    ///
    /// # Errors
    /// The same one, with the words in front.
    fn context(self, words: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> Context<T> for Result<T, client::Error> {
    fn context(self, words: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|cause| Failure::Client {
            context: words(),
            cause,
        })
    }
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, words: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|cause| Failure::Local {
            context: words(),
            cause,
        })
    }
}
