//! What is put into a running guest and taken out of it, as the host asks its supervisor.

use super::link::NAME;
use driver_api::types::launch::Link;
use std::net::SocketAddr;

/// Whether a guest can have such a link.
///
/// # Errors
/// Why not, in words.
pub(super) fn link(link: &Link) -> Result<(), String> {
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
    }
}
