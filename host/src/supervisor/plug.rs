//! What is put into a running guest and taken out of it, as the host asks its supervisor.

use super::address;
use super::control::{Reply, Request};
use super::extras::{BackendOrder, CompanionOrder, LinkOrder};
use super::guests::{Guests, system, unknown};
use super::hotplug::{Outcome, PlugOrder, UnplugOrder};
use super::launch::absolute;
use super::link::NAME;
use super::order::{ConsoleOrder, FileOrder, GUEST_DIR};
use super::survey;
use super::table::State;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::{GuestId, VisibleFile};
use driver_api::types::launch::{Link, Plug, Plugged, Unplug};
use driver_api::types::param::Param;
use std::fs::DirEntry;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Component;
use std::time::{Duration, Instant};

/// How long a supervisor may take to answer; what it waits for itself has a shorter deadline.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long figures are waited for.
const MOMENT: Duration = Duration::from_millis(500);

impl Guests {
    /// Puts something into a running guest; a tap comes with its descriptor.
    ///
    /// # Errors
    /// 8 for what makes no sense, 9 for a name that is taken and for want of a spare console, 55 when the guest does not
    /// run, 38 when there is no such guest or with the step that failed; then nothing is left of it.
    pub fn plug(&self, guest: GuestId, plug: &Plug, tap: Option<BorrowedFd<'_>>) -> Result<Plugged> {
        let name = self.running(guest)?;
        let context = |e: Error| e.within(format!("cannot plug {} into domain '{name}'", of_plug(plug)));
        if let Plug::Companion(companion) = plug {
            return self
                .start_companion(guest, companion)
                .map(|()| Plugged::default())
                .map_err(context);
        }
        let order = self.complete(plug).map_err(context)?;
        let tap = tap.filter(|_| matches!(plug, Plug::Link(Link::Tap { .. })));
        let outcome = self.change(guest, &Request::Plug(order), tap).map_err(context)?;
        match outcome {
            Outcome::Plugged { index, descriptor, pty } => Ok(Plugged { index, descriptor, pty }),
            other => Err(context(refused(other))),
        }
    }

    /// Takes something out of a running guest.
    ///
    /// # Errors
    /// 99 when it is not there, 55 when the guest does not run, 38 when there is no such guest or with the step that failed.
    pub fn unplug(&self, guest: GuestId, unplug: &Unplug) -> Result<()> {
        let name = self.running(guest)?;
        let context = |e: Error| e.within(format!("cannot take {} out of domain '{name}'", of_unplug(unplug)));
        if let Unplug::Companion(companion) = unplug {
            return self.stop_companion(guest, companion).map_err(context);
        }
        let request = Request::Unplug(UnplugOrder::from(unplug));
        match self.change(guest, &request, None).map_err(context)? {
            Outcome::Unplugged => Ok(()),
            other => Err(context(refused(other))),
        }
    }

    /// What went through a guest's multicast and UDP links, as `link.NAME.rx_bytes` and so on. Nothing when its supervisor
    /// does not answer at once: figures are read by those who wait for nobody.
    pub(super) fn link_usage(&self, guest: GuestId) -> Vec<Param> {
        let dir = self.dir(guest);
        let is_link = |entry: io::Result<DirEntry>| entry.is_ok_and(|e| e.file_name().as_bytes().ends_with(b".link"));
        if !std::fs::read_dir(dir.join(GUEST_DIR)).is_ok_and(|mut folder| folder.any(is_link)) {
            return Vec::new();
        }
        let Ok(Reply::Traffic(traffic)) = survey::ask(&dir, &Request::Traffic, MOMENT) else {
            return Vec::new();
        };
        let counts = traffic.iter().flat_map(|link| {
            let param = |what: &str, value: u64| Param::new(format!("link.{}.{what}", link.name), value);
            [
                param("rx_bytes", link.rx_bytes),
                param("rx_packets", link.rx_packets),
                param("tx_bytes", link.tx_bytes),
                param("tx_packets", link.tx_packets),
            ]
        });
        counts.collect()
    }

    /// The domain's name of a guest that runs.
    fn running(&self, guest: GuestId) -> Result<String> {
        let table = self.shared.table.lock();
        let entry = table.entries.get(&guest).ok_or_else(|| unknown(guest))?;
        match entry.state {
            State::Alive { .. } => Ok(entry.order.name.clone()),
            State::Gone(_) => Err(over(guest)),
        }
    }

    /// Checks what the supervisor can not, and looks up what it must not wait for.
    fn complete(&self, plug: &Plug) -> Result<PlugOrder> {
        Ok(match plug {
            Plug::File(file) => {
                self.presentable(file).map_err(wrong)?;
                PlugOrder::File(FileOrder::from(file))
            }
            Plug::Console(console, backend) => {
                let order = ConsoleOrder {
                    alias: console.alias.clone(),
                    pty: console.pty,
                    logs: console.log.as_deref().map(absolute).into_iter().collect(),
                };
                PlugOrder::Console(order, address::resolve(BackendOrder::from(backend))?)
            }
            Plug::Link(new) => {
                link(new).map_err(wrong)?;
                PlugOrder::Link(LinkOrder::from(new))
            }
            Plug::Companion(companion) => PlugOrder::Companion(CompanionOrder::from(companion)),
        })
    }

    /// Whether a file can be shown to a guest that runs.
    fn presentable(&self, file: &VisibleFile) -> std::result::Result<(), String> {
        let mut parts = file.path.components();
        if parts.next() != Some(Component::RootDir) || !parts.all(|part| matches!(part, Component::Normal(_))) {
            return Err("its path is not absolute, or has '..' in it".to_owned());
        }
        if file.path.parent().is_none() {
            return Err("the whole file system of the host can not be shown".to_owned());
        }
        // What a guest made there may be a link to anywhere.
        if file.path.starts_with(absolute(&self.shared.run)) {
            return Err("it lies in the run folder of a guest, which sees that anyway".to_owned());
        }
        Ok(())
    }

    fn change(&self, guest: GuestId, request: &Request, descriptor: Option<BorrowedFd<'_>>) -> Result<Outcome> {
        let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
        match survey::ask_with(&self.dir(guest), request, &descriptors, PATIENCE) {
            Ok(Reply::Outcome(outcome)) => Ok(outcome),
            Ok(Reply::Unknown(_)) => Err(Error::new(
                Code::NO_SUPPORT,
                Origin::DOMAIN,
                "its supervisor is of an older version of this host; start the domain anew",
            )),
            Ok(other) => Err(system(format!("its supervisor answered {other:?}"))),
            // It may have ended between the two looks.
            Err(_) if self.await_gone(guest, Instant::now() + Duration::from_secs(1)) => Err(over(guest)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(system(format!(
                "its supervisor did not answer within {} s",
                PATIENCE.as_secs()
            ))),
            Err(e) => Err(system("its supervisor does not answer").because(e)),
        }
    }
}

fn wrong(what: String) -> Error {
    Error::new(Code::INVALID_ARG, Origin::DOMAIN, what)
}

fn over(guest: GuestId) -> Error {
    let message = format!("guest process '{}' does not run any more", guest.0);
    Error::new(Code::OPERATION_INVALID, Origin::DOMAIN, message)
}

fn refused(outcome: Outcome) -> Error {
    match outcome {
        Outcome::Taken(what) => Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, what),
        Outcome::Missing(what) => Error::new(Code::DEVICE_MISSING, Origin::DOMAIN, format!("it has no {what}")),
        Outcome::Failed(failure) => system(format!("cannot {failure}")),
        Outcome::Plugged { .. } | Outcome::Unplugged => system("its supervisor did the opposite"),
    }
}

fn of_plug(plug: &Plug) -> String {
    match plug {
        Plug::File(file) => format!("file '{}'", file.path.display()),
        Plug::Console(console, _) => format!("console '{}'", console.alias),
        Plug::Link(link) => format!("link '{}'", link.name()),
        Plug::Companion(companion) => format!("program '{}'", companion.name),
    }
}

fn of_unplug(unplug: &Unplug) -> String {
    match unplug {
        Unplug::File(path) => format!("file '{}'", path.display()),
        Unplug::Console(alias) => format!("console '{alias}'"),
        Unplug::Link(name) => format!("link '{name}'"),
        Unplug::Companion(name) => format!("program '{name}'"),
    }
}

/// Whether a guest can have such a link.
///
/// # Errors
/// Why not, in words.
pub(super) fn link(link: &Link) -> std::result::Result<(), String> {
    let name = link.name();
    let plain = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
    if name.is_empty() || name.starts_with('.') || name.len() > NAME || !name.chars().all(plain) {
        return Err(format!(
            "'{}' can not be the name of a link (1 to {NAME} characters of ASCII, no '/', no ':', no '.' in front)",
            name.escape_debug()
        ));
    }
    let address = |text: &str| {
        text.parse::<SocketAddr>()
            .map_err(|_| format!("'{}' of link '{name}' is not 'address:port'", text.escape_debug()))
    };
    match link {
        Link::Tap { .. } => Ok(()),
        Link::Multicast { group, .. } => match address(group)? {
            group if group.ip().is_multicast() && group.port() != 0 => Ok(()),
            group => Err(format!("'{group}' of link '{name}' is no multicast group with a port")),
        },
        Link::Udp { local, remote, .. } => {
            let (local, remote) = (address(local)?, address(remote)?);
            if local.is_ipv4() != remote.is_ipv4() || remote.port() == 0 {
                return Err(format!("link '{name}' can not send from '{local}' to '{remote}'"));
            }
            Ok(())
        }
        Link::Program { socket, .. } => match socket.strip_prefix("@RUN@/") {
            Some(file) if !file.is_empty() && !file.starts_with('.') && !file.contains('/') => Ok(()),
            _ => Err(format!(
                "'{}' of link '{name}' is no socket in the run folder",
                socket.escape_debug()
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_short_plain_names_and_addresses_in_figures() {
        let tap = |name: &str| link(&Link::Tap { name: name.to_owned() });
        assert!(tap("vnet0").is_ok() && tap("fifteen-letters").is_ok());
        for name in ["", ".", "..", "a/b", "a b", "a:b", "sixteen-letters!", "ä"] {
            assert!(tap(name).unwrap_err().contains("can not be the name"), "{name}");
        }
        let wire = |group: &str| {
            link(&Link::Multicast {
                name: "wire".to_owned(),
                group: group.to_owned(),
            })
        };
        assert!(wire("230.0.0.1:5558").is_ok() && wire("[ff02::9]:5558").is_ok());
        assert!(wire("10.0.0.1:5558").unwrap_err().contains("no multicast group"));
        assert!(wire("230.0.0.1:0").is_err() && wire("group:5558").unwrap_err().contains("is not 'address:port'"));
        let udp = |local: &str, remote: &str| {
            link(&Link::Udp {
                name: "peer".to_owned(),
                local: local.to_owned(),
                remote: remote.to_owned(),
            })
        };
        assert!(udp("0.0.0.0:0", "127.0.0.1:5000").is_ok());
        let program = |socket: &str| {
            link(&Link::Program {
                name: "net0".to_owned(),
                socket: socket.to_owned(),
            })
        };
        assert!(program("@RUN@/net0.stack").is_ok());
        for socket in ["", "/run/x", "@RUN@/", "@RUN@/.x", "@RUN@/a/b", "net0.stack"] {
            assert!(
                program(socket).unwrap_err().contains("is no socket in the run folder"),
                "{socket}"
            );
        }
        assert!(udp("[::]:0", "127.0.0.1:5000").is_err() && udp("0.0.0.0:1", "127.0.0.1:0").is_err());
    }
}
