//! The leases of dnsmasq: a text file with a line for each.
//!
//! ```text
//! 1764448000 52:54:00:01:02:03 10.0.0.2 name 01:52:54:00:01:02:03     end, address of the card, address, name, client
//! duid 00:01:00:01:2d:...                                             what follows is IPv6
//! 1764448000 7209986 fd00::2 name 00:01:00:01:2d:5e:00:00:52:54:00:01:02:03
//! ```

use crate::core::fault;
use crate::def::interface::Mac;
use driver_api::error::{Code, Result};
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// No more is read of one file, in bytes; a lease has some 80.
const MAX_FILE: u64 = 8 << 20;

/// An address that was given to a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lease {
    pub(super) mac: Mac,
    pub(super) address: IpAddr,
}

/// The leases of all files that are not over.
///
/// # Errors
/// 38 for a file that can not be read; one that is not there has no leases yet.
pub(super) fn read_all(files: &[PathBuf]) -> Result<Vec<Lease>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let mut leases = Vec::new();
    for file in files {
        match text(file) {
            Ok(text) => leases.extend(read(&text, now)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => {
                let message = format!("cannot read the leases in '{}'", file.display());
                return Err(fault(Code::SYSTEM_ERROR, message).because(cause));
            }
        }
    }
    Ok(leases)
}

fn text(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read(text: &str, now: u64) -> Vec<Lease> {
    text.lines().filter_map(|line| lease(line, now)).collect()
}

fn lease(line: &str, now: u64) -> Option<Lease> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [end, card, address, _, client, ..] = words[..] else {
        return None;
    };
    let end: u64 = end.parse().ok()?;
    let address: IpAddr = address.parse().ok()?;
    let mac = if address.is_ipv4() {
        // A card that is no Ethernet stands with its kind before it.
        card.parse().ok()
    } else {
        card_of(client)
    };
    // 0 has no end.
    Some(Lease { mac: mac?, address }).filter(|_| end == 0 || end > now)
}

/// The card in a DHCPv6 client's identifier, for the kinds that are made of it (1 with a time before it, 3 without).
fn card_of(identifier: &str) -> Option<Mac> {
    let card = match identifier.get(..12)? {
        "00:01:00:01:" => identifier.get(24..)?,
        "00:03:00:01:" => identifier.get(12..)?,
        _ => return None,
    };
    card.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_of_both_families_are_read_until_they_end() {
        let text = "1000 52:54:00:01:02:03 10.0.0.2 box 01:52:54:00:01:02:03\n\
                    0 52:54:00:01:02:04 10.0.0.3 * *\n\
                    999 52:54:00:01:02:05 10.0.0.4 * *\n\
                    1000 06-52:54:00:01:02:05 10.0.0.5 * *\n\
                    duid 00:01:00:01:2d:5e:00:00:0a:0b:0c:0d:0e:0f\n\
                    1000 7209986 fd00::2 box 00:01:00:01:2d:5e:00:00:52:54:00:01:02:03\n\
                    1000 7209986 fd00::3 box 00:03:00:01:52:54:00:01:02:04\n\
                    1000 7209986 fd00::4 box 00:02:00:00:ab:11\nnonsense\n";
        let found: Vec<String> = read(text, 999)
            .iter()
            .map(|lease| format!("{} {}", lease.mac, lease.address))
            .collect();
        assert_eq!(
            found,
            [
                "52:54:00:01:02:03 10.0.0.2",
                "52:54:00:01:02:04 10.0.0.3",
                "52:54:00:01:02:03 fd00::2",
                "52:54:00:01:02:04 fd00::3",
            ]
        );
    }

    #[test]
    fn file_that_is_not_there_has_no_leases_and_one_that_can_not_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_all(&[dir.path().join("none")]).unwrap(), []);
        let error = read_all(&[dir.path().to_owned()]).unwrap_err();
        assert!(error.to_string().contains("cannot read the leases"), "{error}");
    }
}
