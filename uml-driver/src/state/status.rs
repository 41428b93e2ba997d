//! The status document of a running guest: what a new host must know to take the guest over.

use super::machine::Phase;
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
}

impl Intent {
    const ALL: [Self; 4] = [Self::None, Self::Shutdown, Self::Reboot, Self::Destroy];

    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Shutdown => "shutdown",
            Self::Reboot => "reboot",
            Self::Destroy => "destroy",
        }
    }
}

/// One running guest on disk. The document is a few `name value` lines, a blank line, and the live definition.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// The kernel's socket, relative to the run folder.
    pub socket: PathBuf,
    /// The aliases of its consoles, in order.
    pub consoles: Vec<String>,
    /// The host's devices of its interfaces, in order.
    pub devices: Vec<String>,
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
        for alias in &self.consoles {
            // Writing to a string does not fail.
            let _ = writeln!(text, "console {alias}");
        }
        for device in &self.devices {
            let _ = writeln!(text, "device {device}");
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
            socket: field("socket")
                .map(PathBuf::from)
                .ok_or(BadStatus("no socket is named"))?,
            consoles: all("console"),
            devices: all("device"),
            xml: xml.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_status() -> impl Strategy<Value = Status> {
        let phases = prop::sample::select(&Phase::ALL[..]);
        let intents = prop::sample::select(&Intent::ALL[..]);
        let consoles = prop::collection::vec("[a-z]{1,9}[0-9]", 0..4);
        let devices = prop::collection::vec("[a-z]{1,9}[0-9]", 0..4);
        (
            any::<u64>(),
            1..i32::MAX,
            phases,
            any::<u32>(),
            intents,
            consoles,
            devices,
            "(?s).{0,80}",
        )
            .prop_map(|(guest, id, phase, reason, intent, consoles, devices, xml)| Status {
                guest,
                id,
                phase,
                reason: Reason(reason),
                intent,
                socket: "uml/my vm/mconsole".into(),
                consoles,
                devices,
                xml,
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
