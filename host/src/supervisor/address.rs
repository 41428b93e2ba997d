//! Addresses that a console leads to, looked up by the host: a supervisor may not wait for a name server.

use super::extras::BackendOrder;
use driver_api::error::{Code, Error, Origin, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

const SERVICES: &str = "/etc/services";

/// The same with every host and service in figures.
///
/// # Errors
/// 8 for what is no port, no service and no path, 38 for a name without an address.
pub(super) fn resolve(backend: BackendOrder) -> Result<BackendOrder> {
    match &backend {
        BackendOrder::Unix { path, .. } | BackendOrder::Device { path } | BackendOrder::Pipe { path }
            if !path.is_absolute() =>
        {
            Err(wrong(format!("'{}' is not an absolute path", path.display())))
        }
        BackendOrder::None | BackendOrder::Unix { .. } | BackendOrder::Device { .. } | BackendOrder::Pipe { .. } => {
            Ok(backend)
        }
        BackendOrder::Tcp {
            host,
            service,
            listen,
            telnet,
        } => {
            let (host, service) = figures(look_up(host, service, "tcp")?);
            Ok(BackendOrder::Tcp {
                host,
                service,
                listen: *listen,
                telnet: *telnet,
            })
        }
        BackendOrder::Udp { remote, local } => {
            let remote = match remote {
                (host, service) if host.is_empty() && service.is_empty() => None,
                (host, service) => Some(look_up(host, service, "udp")?),
            };
            let local = match local {
                (host, service) if host.is_empty() && service.is_empty() => None,
                (host, service) if host.is_empty() => {
                    Some(SocketAddr::new(any(remote.as_ref()), port(service, "udp")?))
                }
                // A port that the kernel chooses.
                (host, service) if service.is_empty() => Some(look_up(host, "0", "udp")?),
                (host, service) => Some(look_up(host, service, "udp")?),
            };
            if remote.is_none() && local.is_none() {
                return Err(wrong(
                    "it has neither an address to send to nor one to receive at".to_owned(),
                ));
            }
            if let (Some(remote), Some(local)) = (remote, local)
                && remote.is_ipv4() != local.is_ipv4()
            {
                return Err(wrong(format!("datagrams can not be sent from '{local}' to '{remote}'")));
            }
            let text = |address: Option<SocketAddr>| address.map(figures).unwrap_or_default();
            Ok(BackendOrder::Udp {
                remote: text(remote),
                local: text(local),
            })
        }
    }
}

fn wrong(what: String) -> Error {
    Error::new(Code::INVALID_ARG, Origin::DOMAIN, what)
}

fn figures(address: SocketAddr) -> (String, String) {
    (address.ip().to_string(), address.port().to_string())
}

fn any(like: Option<&SocketAddr>) -> IpAddr {
    match like {
        Some(SocketAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// The first address of a name.
fn look_up(host: &str, service: &str, protocol: &str) -> Result<SocketAddr> {
    let port = port(service, protocol)?;
    if host.is_empty() {
        return Ok(SocketAddr::new(any(None), port));
    }
    let failed = || {
        let message = format!("cannot find the address of host '{}'", host.escape_debug());
        Error::new(Code::SYSTEM_ERROR, Origin::DOMAIN, message)
    };
    let mut found = (host, port).to_socket_addrs().map_err(|e| failed().because(e))?;
    found.next().ok_or_else(failed)
}

fn port(service: &str, protocol: &str) -> Result<u16> {
    if let Ok(port) = service.parse() {
        return Ok(port);
    }
    let services = std::fs::read_to_string(SERVICES).unwrap_or_default();
    service_port(&services, service, protocol).ok_or_else(|| {
        wrong(format!(
            "'{}' is neither a port (0 to 65535) nor a service of {SERVICES}",
            service.escape_debug()
        ))
    })
}

/// The port of a service, by its name or another name of it, in a file as services(5) describes it.
fn service_port(services: &str, name: &str, protocol: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let (first, place) = (words.next()?, words.next()?);
        let (port, kind) = place.split_once('/')?;
        let known = kind == protocol && (first == name || words.any(|other| other == name));
        known.then(|| port.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# comment\ntelnet\t23/tcp\nsyslog 514/udp\nshell 514/tcp cmd syslog # no passwords\n";

    #[test]
    fn services_are_found_by_any_name_and_protocol() {
        assert_eq!(service_port(FILE, "telnet", "tcp"), Some(23));
        assert_eq!(service_port(FILE, "cmd", "tcp"), Some(514));
        assert_eq!(service_port(FILE, "cmd", "udp"), None);
        assert_eq!(service_port(FILE, "comment", "tcp"), None);
        assert_eq!(service_port(FILE, "no", "tcp"), None);
    }

    fn tcp(host: &str, service: &str) -> Result<BackendOrder> {
        resolve(BackendOrder::Tcp {
            host: host.to_owned(),
            service: service.to_owned(),
            listen: true,
            telnet: false,
        })
    }

    fn udp(remote: (&str, &str), local: (&str, &str)) -> Result<BackendOrder> {
        let pair = |(host, service): (&str, &str)| (host.to_owned(), service.to_owned());
        resolve(BackendOrder::Udp {
            remote: pair(remote),
            local: pair(local),
        })
    }

    #[test]
    fn every_address_becomes_figures_of_one_family() {
        let BackendOrder::Tcp { host, service, .. } = tcp("::1", "4555").unwrap() else {
            panic!("another kind")
        };
        assert_eq!((host.as_str(), service.as_str()), ("::1", "4555"));
        let BackendOrder::Udp { remote, local } = udp(("::1", "70"), ("", "71")).unwrap() else {
            panic!("another kind")
        };
        assert_eq!(
            (remote.0.as_str(), local.0.as_str(), local.1.as_str()),
            ("::1", "::", "71")
        );
        assert!(udp(("::1", "70"), ("127.0.0.1", "71")).is_err());
        assert!(udp(("", ""), ("", "")).is_err());
    }

    #[test]
    fn what_is_wrong_is_quoted() {
        let error = tcp("127.0.0.1", "70000").unwrap_err();
        assert_eq!(error.code(), Code::INVALID_ARG);
        assert!(error.to_string().contains("'70000' is neither a port"), "{error}");
        let error = tcp("no such host", "1").unwrap_err();
        assert!(error.to_string().contains("host 'no such host'"), "{error}");
    }
}
