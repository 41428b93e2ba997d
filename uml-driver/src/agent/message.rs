//! What an agent says, one line each: `lockstep-agent 1 WORD ...` (docs/uml-agent.md).

use crate::def::interface::Mac;
use driver_api::types::device::Address;
use std::net::IpAddr;
use std::time::Duration;

/// What begins every line.
const GREETING: [&str; 2] = ["lockstep-agent", "1"];
/// How often an agent that does not say so tells that it is there.
const USUAL: Duration = Duration::from_secs(30);
/// The longest time between two signs of life that is believed.
const LONGEST: u64 = 3600;

/// One line of an agent.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Message {
    /// It is there, and says so again within this time.
    Hello(Duration),
    /// What the guest calls itself.
    Hostname(String),
    /// Its load over 1, 5 and 15 minutes.
    Load([f64; 3]),
    /// A new table of addresses begins.
    Begin,
    /// One address of the new table.
    Addr {
        interface: String,
        mac: Option<Mac>,
        address: Address,
    },
    /// The new table is whole.
    End,
}

/// The lines of a notification that an agent may have written. Whoever is root in the guest can write anything: what is
/// none is left out.
pub(crate) fn read(notification: &str) -> impl Iterator<Item = Message> {
    notification.lines().filter_map(line)
}

fn line(text: &str) -> Option<Message> {
    let mut words = text.split_ascii_whitespace();
    if GREETING.iter().any(|greeting| words.next() != Some(greeting)) {
        return None;
    }
    let what = words.next()?;
    Some(match what {
        "HELLO" => Message::Hello(match words.next() {
            Some(seconds) => Duration::from_secs(seconds.parse().ok().filter(|s| (1..=LONGEST).contains(s))?),
            None => USUAL,
        }),
        "HOSTNAME" => Message::Hostname(words.next().filter(|name| is_host(name))?.to_owned()),
        "LOAD" => Message::Load([load(words.next()?)?, load(words.next()?)?, load(words.next()?)?]),
        "BEGIN" => Message::Begin,
        "ADDR" => Message::Addr {
            interface: words.next().filter(|name| is_interface(name))?.to_owned(),
            mac: match words.next()? {
                "-" => None,
                mac => Some(mac.parse().ok()?),
            },
            address: address(words.next()?)?,
        },
        "END" => Message::End,
        _ => return None,
    })
}

fn is_host(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (1..=253).contains(&name.len()) && name.chars().all(plain)
}

fn is_interface(name: &str) -> bool {
    (1..=15).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic() && c != '/')
}

fn load(text: &str) -> Option<f64> {
    let load: f64 = text.parse().ok()?;
    (load.is_finite() && load >= 0.0).then_some(load)
}

fn address(text: &str) -> Option<Address> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.parse().ok().filter(|prefix| *prefix <= bits)?;
    Some(Address { address, prefix })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> Option<Message> {
        read(&format!("lockstep-agent 1 {text}")).next()
    }

    #[test]
    fn every_line_of_the_protocol_is_read() {
        assert_eq!(one("HELLO"), Some(Message::Hello(USUAL)));
        assert_eq!(one("HELLO 5"), Some(Message::Hello(Duration::from_secs(5))));
        assert_eq!(
            one("HOSTNAME box-1.lan"),
            Some(Message::Hostname("box-1.lan".to_owned()))
        );
        assert_eq!(one("LOAD 0.50 1 2.25"), Some(Message::Load([0.5, 1.0, 2.25])));
        let addr = Message::Addr {
            interface: "vec0".to_owned(),
            mac: Some("52:54:00:01:02:03".parse().unwrap()),
            address: Address {
                address: "10.0.0.2".parse().unwrap(),
                prefix: 24,
            },
        };
        assert_eq!(one("ADDR vec0 52:54:00:01:02:03 10.0.0.2/24"), Some(addr));
        assert!(one("ADDR lo - ::1/128").is_some());
        let several = "lockstep-agent 1 BEGIN\nnoise\nlockstep-agent 1 END\n";
        assert_eq!(read(several).collect::<Vec<_>>(), [Message::Begin, Message::End]);
    }

    #[test]
    fn what_is_no_line_of_the_protocol_is_left_out() {
        for text in [
            "lockstep-agent 2 HELLO",
            "HELLO",
            "lockstep-agent 1",
            "lockstep-agent 1 HELLO 0",
            "lockstep-agent 1 HELLO 3601",
            "lockstep-agent 1 HOSTNAME a/b",
            "lockstep-agent 1 LOAD 1 2",
            "lockstep-agent 1 LOAD 1 2 inf",
            "lockstep-agent 1 LOAD 1 2 -3",
            "lockstep-agent 1 ADDR vec0 - 10.0.0.1/33",
            "lockstep-agent 1 ADDR vec0 - 10.0.0.1",
            "lockstep-agent 1 ADDR an-interface-name - 10.0.0.1/8",
            "lockstep-agent 1 ADDR vec0 5254 10.0.0.1/8",
            "lockstep-agent 1 REBOOT",
        ] {
            assert_eq!(read(text).next(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_any_text_never_panics(text in "(lockstep-agent|1|HELLO|ADDR|LOAD|[ -~]{0,9}| |\n){0,40}") {
            read(&text).for_each(drop);
        }
    }
}
