//! `Claim`: only one host at a time changes the tables of a network namespace.

use driver_api::error::{Code, Error, Origin, Result};
use rustix::net::sockopt::socket_peercred;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

/// An abstract name: it belongs to the network namespace, as the tables do, and is gone with its last holder however that
/// ended.
const NAME: &str = "lockstep-nwfilter";

/// Holds the name.
#[derive(Debug)]
pub(super) struct Claim {
    _listener: Option<UnixListener>,
}

impl Claim {
    /// Takes the name. Anybody may take such a name, so only a holder with our rights counts.
    ///
    /// # Errors
    /// 55 when another host has it.
    pub(super) fn stake() -> Result<Self> {
        Self::stake_as(NAME)
    }

    fn stake_as(name: &str) -> Result<Self> {
        let failed = |error: io::Error| {
            let message = "cannot find out whether another host filters ports here";
            Error::new(Code::SYSTEM_ERROR, Origin::NWFILTER, message).because(error)
        };
        let address = SocketAddr::from_abstract_name(name).map_err(failed)?;
        match UnixListener::bind_addr(&address) {
            Ok(listener) => {
                return Ok(Self {
                    _listener: Some(listener),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(failed(error)),
        }
        let holder = UnixStream::connect_addr(&address).and_then(|peer| Ok(socket_peercred(&peer)?));
        match holder {
            Ok(holder) if holder.uid == rustix::process::geteuid() => {
                let pid = holder.pid.as_raw_nonzero();
                let message = format!(
                    "another host (pid {pid}) filters ports in this network namespace: stop it, or bind the port there"
                );
                Err(Error::new(Code::OPERATION_INVALID, Origin::NWFILTER, message))
            }
            Ok(holder) => {
                let (pid, uid) = (holder.pid.as_raw_nonzero().get(), holder.uid.as_raw());
                tracing::warn!(
                    pid,
                    uid,
                    name,
                    "a stranger holds the name by which hosts know of one another"
                );
                Ok(Self { _listener: None })
            }
            // It went between the two questions, or holds the name without listening: a host listens.
            Err(error) => {
                tracing::debug!(%error, name, "whoever held the name does not answer");
                Ok(Self {
                    _listener: UnixListener::bind_addr(&address).ok(),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_once_and_free_again() {
        let name = format!("lockstep-test-{}", std::process::id());
        let claim = Claim::stake_as(&name).unwrap();
        let error = Claim::stake_as(&name).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_INVALID);
        assert!(
            error.to_string().contains(&format!("pid {}", std::process::id())),
            "{error}"
        );
        drop(claim);
        assert!(Claim::stake_as(&name).unwrap()._listener.is_some());
    }
}
