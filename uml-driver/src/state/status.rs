//! The status document of a running guest: what a new host must know to take the guest over.

use super::machine::Phase;
use super::remnant::Remnant;
use crate::def::DomainDef;
use driver_api::error::Result as DriverResult;
use driver_api::types::domain::Reason;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

const HEADER: &str = "lockstep-uml-status 1";

/// What a client last asked of a guest: tells a reboot from a power-off, which end alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Intent {
    /// Nothing: what happens is the guest's own doing.
    #[default]
    None,
    /// To shut down.
    Shutdown,
    /// To reboot.
    Reboot,
    /// To be gone.
    Destroy,
    /// To be gone, and to begin anew.
    Reset,
}

impl Intent {
    const ALL: [Self; 5] = [Self::None, Self::Shutdown, Self::Reboot, Self::Destroy, Self::Reset];

    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Shutdown => "shutdown",
            Self::Reboot => "reboot",
            Self::Destroy => "destroy",
            Self::Reset => "reset",
        }
    }
}

/// A console with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Served {
    /// Its place at the supervisor.
    pub index: u32,
    /// Its alias.
    pub alias: String,
    /// The pty's path, or empty.
    pub pty: String,
}

/// One running guest on disk. The document is a few `name value` lines, a blank line, and the live definition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// The process tree.
    pub guest: u64,
    /// The domain's id.
    pub id: i32,
    /// Where it is in its life.
    pub phase: Phase,
    /// Why.
    pub reason: Reason,
    /// What was asked of it.
    pub intent: Intent,
    /// Whether it ends with the connection of the client that started it, which no next host has.
    pub autodestroy: bool,
    /// The kernel's socket, relative to the run folder.
    pub socket: PathBuf,
    /// The aliases of its consoles, in the order of their places at the supervisor, as far as none is left out: all that an
    /// older driver knows of them.
    pub consoles: Vec<String>,
    /// All consoles; empty in a document of an older driver.
    pub lines: Vec<Served>,
    /// The host's devices of its interfaces, in order.
    pub devices: Vec<String>,
    /// The numbers of its interfaces (`vecN`), in order; empty in a document of a driver that did not note them.
    pub interfaces: Vec<u32>,
    /// The ports of the consoles of its definition (`conN`), in order; as above.
    pub ports: Vec<u32>,
    /// How much memory it has, in KiB, when that is less than it booted with.
    pub balloon: Option<u64>,
    /// What a change that is under way may leave.
    pub remnants: Vec<Remnant>,
    /// The live definition.
    pub xml: String,
}

/// What is wrong with a status document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadStatus(&'static str);

impl fmt::Display for BadStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is not a whole status document: {}", self.0)
    }
}

impl std::error::Error for BadStatus {}

impl Status {
    /// The document.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{HEADER}\nguest {}\nid {}\nphase {}\nreason {}\nintent {}\nsocket {}\n",
            self.guest,
            self.id,
            self.phase.name(),
            self.reason.0,
            self.intent.name(),
            self.socket.display(),
        );
        if self.autodestroy {
            text.push_str("autodestroy yes\n");
        }
        for alias in &self.consoles {
            // Writing to a string does not fail.
            let _ = writeln!(text, "console {alias}");
        }
        for Served { index, alias, pty } in &self.lines {
            let _ = writeln!(text, "line {index} {alias} {pty}");
        }
        for device in &self.devices {
            let _ = writeln!(text, "device {device}");
        }
        for number in &self.interfaces {
            let _ = writeln!(text, "vec {number}");
        }
        for port in &self.ports {
            let _ = writeln!(text, "con {port}");
        }
        if let Some(kib) = self.balloon {
            let _ = writeln!(text, "balloon {kib}");
        }
        for remnant in &self.remnants {
            let _ = writeln!(text, "remnant {remnant}");
        }
        text.push('\n');
        text.push_str(&self.xml);
        text
    }

    /// Reads a document.
    ///
    /// # Errors
    /// Which part is missing or makes no sense.
    pub fn from_text(text: &str) -> Result<Self, BadStatus> {
        let (head, xml) = text.split_once("\n\n").ok_or(BadStatus("there is no definition"))?;
        let mut lines = head.lines();
        if lines.next() != Some(HEADER) {
            return Err(BadStatus("the first line is another"));
        }
        let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(' ')).collect();
        let field = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        let all = |name: &str| {
            let named = fields.iter().filter(|(n, _)| *n == name);
            named.map(|(_, value)| (*value).to_owned()).collect()
        };
        let number = |name| field(name)?.parse::<u64>().ok();
        let numbers = |name: &str| {
            let named = fields.iter().filter(|(n, _)| *n == name);
            named.filter_map(|(_, value)| value.parse().ok()).collect()
        };
        let lines = fields.iter().filter(|(name, _)| *name == "line");
        let remnants = fields.iter().filter(|(name, _)| *name == "remnant");
        Ok(Self {
            guest: number("guest").ok_or(BadStatus("no guest is named"))?,
            id: number("id")
                .and_then(|id| i32::try_from(id).ok())
                .filter(|id| *id > 0)
                .ok_or(BadStatus("there is no positive id"))?,
            phase: field("phase")
                .and_then(Phase::named)
                .ok_or(BadStatus("the phase is unknown"))?,
            reason: number("reason")
                .and_then(|reason| u32::try_from(reason).ok())
                .map(Reason)
                .ok_or(BadStatus("there is no reason"))?,
            intent: field("intent")
                .and_then(|name| Intent::ALL.into_iter().find(|intent| intent.name() == name))
                .ok_or(BadStatus("the intent is unknown"))?,
            // Absent from documents of hosts that did not know it, too.
            autodestroy: field("autodestroy") == Some("yes"),
            socket: field("socket")
                .map(PathBuf::from)
                .ok_or(BadStatus("no socket is named"))?,
            consoles: all("console"),
            lines: lines.filter_map(|(_, value)| served(value)).collect(),
            devices: all("device"),
            interfaces: numbers("vec"),
            ports: numbers("con"),
            balloon: number("balloon"),
            remnants: remnants.filter_map(|(_, value)| Remnant::read(value)).collect(),
            xml: xml.to_owned(),
        })
    }

    /// The live definition, with the numbers that its devices have in the guest.
    ///
    /// # Errors
    /// As `DomainDef::from_xml`.
    pub fn definition(&self) -> DriverResult<DomainDef> {
        let mut def = DomainDef::from_xml(self.xml.as_bytes())?;
        for (interface, number) in def.interfaces.iter_mut().zip(&self.interfaces) {
            interface.number = *number;
        }
        for (console, port) in def.consoles.iter_mut().zip(&self.ports) {
            console.port = *port;
        }
        Ok(def)
    }

    /// All devices of the host that belong to the guest or were about to.
    pub fn taken(&self) -> impl Iterator<Item = &str> {
        let arriving = self.remnants.iter().filter_map(Remnant::port);
        let arriving = arriving.filter(|device| !self.devices.iter().any(|known| known == device));
        self.devices.iter().map(String::as_str).chain(arriving)
    }
}

fn served(text: &str) -> Option<Served> {
    let mut words = text.splitn(3, ' ');
    Some(Served {
        index: words.next()?.parse().ok()?,
        alias: words.next()?.to_owned(),
        pty: words.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::order::Unit;
    use proptest::prelude::*;

    fn some_status() -> impl Strategy<Value = Status> {
        let phases = prop::sample::select(&Phase::ALL[..]);
        let intents = prop::sample::select(&Intent::ALL[..]);
        let consoles = prop::collection::vec("[a-z]{1,9}[0-9]", 0..4);
        let devices = prop::collection::vec("[a-z]{1,9}[0-9]", 0..4);
        let line = (any::<u32>(), "[a-z]{1,9}[0-9]", "(/dev/pts/[0-9])?");
        let line = line.prop_map(|(index, alias, pty)| Served { index, alias, pty });
        let numbers = || prop::collection::vec(any::<u32>(), 0..4);
        let remnant = prop_oneof![
            (0_u8..16).prop_map(|number| Remnant::Unit(Unit::Disk(number))),
            "/[a-z ]{1,9}".prop_map(|path| Remnant::File(path.into())),
            "[a-z]{1,9}".prop_map(Remnant::Console),
            "[a-z]{1,9}".prop_map(Remnant::Link),
            "[a-z]{1,9}".prop_map(Remnant::Companion),
            "[a-z]{1,9}".prop_map(Remnant::Tap),
            "[a-z]{1,9}".prop_map(Remnant::Port),
        ];
        let changed = (
            prop::collection::vec(line, 0..3),
            numbers(),
            numbers(),
            any::<Option<u64>>(),
            prop::collection::vec(remnant, 0..4),
        );
        (
            (
                any::<u64>(),
                1..i32::MAX,
                phases,
                any::<u32>(),
                (intents, any::<bool>()),
            ),
            consoles,
            devices,
            changed,
            "(?s).{0,80}",
        )
            .prop_map(|((guest, id, phase, reason, asked), consoles, devices, changed, xml)| {
                let (lines, interfaces, ports, balloon, remnants) = changed;
                Status {
                    guest,
                    id,
                    phase,
                    reason: Reason(reason),
                    intent: asked.0,
                    autodestroy: asked.1,
                    socket: "uml/my vm/mconsole".into(),
                    consoles,
                    lines,
                    devices,
                    interfaces,
                    ports,
                    balloon,
                    remnants,
                    xml,
                }
            })
    }

    proptest! {
        #[test]
        fn document_reads_back_as_it_was_written(status in some_status()) {
            prop_assert_eq!(Status::from_text(&status.to_text()), Ok(status));
        }

        #[test]
        fn document_cut_in_its_head_is_refused(status in some_status(), cut in 0_usize..1000) {
            let text = status.to_text();
            let head = text.find("\n\n").unwrap() + 1;
            prop_assert!(Status::from_text(&text[..cut % head]).is_err());
        }

        #[test]
        fn reading_any_text_never_panics(text in "(?s).{0,200}") {
            drop(Status::from_text(&text));
        }
    }
}
