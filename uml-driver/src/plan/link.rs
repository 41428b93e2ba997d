//! One interface towards the guest and the host: the `vec` argument by which the guest finds it, the link that the
//! supervisor serves, and the program beside it.

use super::{Nic, RUN, Way, refuse};
use driver_api::error::Result;
use driver_api::types::guest::{DESCRIPTOR_FD, VisibleFile};
use driver_api::types::launch::{Companion, Link};
use std::fmt::Write as _;

/// The program behind interfaces of type `user`.
pub const USER_STACK: &str = "slirp4netns";
/// What it reads: the servers that it passes queries to.
const RESOLVER: &str = "/etc/resolv.conf";
/// What the guest's network is unless the user says otherwise, in bytes.
const USER_MTU: u32 = 1500;

impl Nic {
    /// The name of its link and program.
    #[must_use]
    pub fn link_name(&self) -> String {
        format!("net{}", self.number)
    }

    /// What the guest is told of it; `device` is the host's. The form is that of the kernel's
    /// command line, and the monitor's `config` takes the same.
    #[must_use]
    pub fn argument(&self, device: &str) -> String {
        // Without `gro` the driver drops every packet that the host did not cut.
        let transport = match self.way {
            Way::Tap | Way::ForeignTap => format!("tap,ifname={device},depth=64,gro=1"),
            _ => format!("bess,dst={RUN}/{}.link", self.link_name()),
        };
        self.addressed(&transport)
    }

    /// The same for a tap whose descriptor the guest is born with, as number `place` of them.
    ///
    /// UML can not read and write several frames of it at once (`vec=0`), and it carries no packet that would have to be
    /// cut or merged (so no `gro`).
    ///
    /// # Errors
    /// 67 for one more than can be numbered.
    pub fn born_argument(&self, place: usize) -> Result<String> {
        let descriptor = i32::try_from(place)
            .ok()
            .and_then(|place| DESCRIPTOR_FD.checked_add(place));
        let descriptor =
            descriptor.ok_or_else(|| refuse(format!("interface '{}' is one more than can be numbered", self.mac)))?;
        Ok(self.addressed(&format!("fd,fd={descriptor},vec=0")))
    }

    fn addressed(&self, transport: &str) -> String {
        let mut argument = format!("vec{}:transport={transport},mac={}", self.number, self.mac);
        if let Some(mtu) = self.mtu {
            // Writing to a string does not fail.
            let _ = write!(argument, ",mtu={mtu}");
        }
        argument
    }

    /// What the supervisor serves for it.
    #[must_use]
    pub fn link(&self, device: &str) -> Link {
        let name = self.link_name();
        match self.way {
            Way::Tap | Way::ForeignTap => Link::Tap {
                name: device.to_owned(),
            },
            Way::User { .. } => Link::Program {
                socket: self.stack_socket(),
                name,
            },
            Way::Multicast(group) => Link::Multicast {
                name,
                group: group.to_string(),
            },
            Way::Udp { local, remote } => Link::Udp {
                name,
                local: local.to_string(),
                remote: remote.to_string(),
            },
        }
    }

    /// Where the program behind it listens.
    fn stack_socket(&self) -> String {
        format!("{RUN}/{}.stack", self.link_name())
    }

    /// The program beside the guest that serves it; its path is still to be found.
    #[must_use]
    pub fn companion(&self) -> Option<Companion> {
        let Way::User { subnet } = self.way else {
            return None;
        };
        let socket = self.stack_socket();
        let mut argv = vec![
            USER_STACK.to_owned(),
            "--target-type=bess".to_owned(),
            // The guest is a stranger to what listens on the host's loopback.
            "--disable-host-loopback".to_owned(),
            format!("--mtu={}", self.mtu.unwrap_or(USER_MTU)),
        ];
        argv.extend(subnet.map(|(network, bits)| format!("--cidr={network}/{bits}")));
        argv.push(socket.clone());
        Some(Companion {
            name: self.link_name(),
            argv,
            files: vec![VisibleFile {
                path: RESOLVER.into(),
                writable: false,
            }],
            ready: socket,
            network: true,
            restart: true,
        })
    }
}
