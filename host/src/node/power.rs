//! The ways in which the machine can sleep, and the clock that wakes it.

use super::Machine;
use super::machine::{fault, unwritable};
use driver_api::error::{Code, Result};
use std::io;

/// Where the machine's state is kept while it sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// In memory, which stays powered.
    Memory,
    /// On the disk.
    Disk,
    /// In both: awake fast, and safe from a loss of power.
    Hybrid,
}

impl Target {
    /// The target with libvirt's number (`virNodeSuspendTarget`).
    ///
    /// # Errors
    /// 8 for a number that none has.
    pub fn from_number(number: u32) -> Result<Self> {
        match number {
            0 => Ok(Self::Memory),
            1 => Ok(Self::Disk),
            2 => Ok(Self::Hybrid),
            _ => {
                let text = format!("there is no suspend target {number}: 0 is memory, 1 disk, 2 both");
                Err(fault(Code::INVALID_ARG, text))
            }
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Memory => "mem",
            Self::Disk => "disk",
            Self::Hybrid => "hybrid",
        }
    }
}

/// The kernel's words for what it can do, from `/sys/power/state` and `/sys/power/disk`.
#[derive(Debug, Default)]
pub(super) struct Abilities {
    pub(super) states: Vec<String>,
    pub(super) modes: Vec<String>,
    pub(super) mode: Option<String>,
}

impl Abilities {
    fn parse(state: &str, disk: &str) -> Self {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let bare = |word: &String| word.trim_matches(['[', ']']).to_owned();
        let marked = words(disk);
        Self {
            states: words(state),
            mode: marked.iter().find(|word| word.starts_with('[')).map(bare),
            modes: marked.iter().map(bare).collect(),
        }
    }

    fn has(&self, list: &[String], word: &str) -> bool {
        list.iter().any(|known| known == word)
    }

    /// How the machine is switched off once its memory is on the disk.
    fn off(&self) -> Option<&'static str> {
        ["platform", "shutdown"]
            .into_iter()
            .find(|mode| self.has(&self.modes, mode))
    }

    /// What is written, in order, to put the machine to sleep; `None` when the kernel can not.
    pub(super) fn plan(&self, target: Target) -> Option<Vec<(&'static str, &'static str)>> {
        const STATE: &str = "sys/power/state";
        const DISK: &str = "sys/power/disk";
        let (memory, disk) = (self.has(&self.states, "mem"), self.has(&self.states, "disk"));
        match target {
            Target::Memory => memory.then(|| vec![(STATE, "mem")]),
            Target::Disk if disk => Some(vec![(DISK, self.off()?), (STATE, "disk")]),
            Target::Hybrid if disk && self.has(&self.modes, "suspend") => {
                Some(vec![(DISK, "suspend"), (STATE, "disk")])
            }
            Target::Disk | Target::Hybrid => None,
        }
    }
}

impl Machine {
    pub(super) fn sleep_abilities(&self) -> Abilities {
        let text = |name: &str| self.read_if_there(name).ok().flatten().unwrap_or_default();
        Abilities::parse(&text("sys/power/state"), &text("sys/power/disk"))
    }

    /// The ways in which this machine can sleep.
    #[must_use]
    pub fn sleep_targets(&self) -> Vec<Target> {
        let abilities = self.sleep_abilities();
        let mut targets = vec![Target::Memory, Target::Disk, Target::Hybrid];
        targets.retain(|target| abilities.plan(*target).is_some());
        targets
    }

    /// The file of the first clock that can wake the machine.
    pub(super) fn alarm(&self) -> Result<String> {
        const CLOCKS: &str = "sys/class/rtc";
        let mut clocks = self.names(CLOCKS);
        clocks.sort_unstable();
        let files = clocks.iter().map(|clock| format!("{CLOCKS}/{clock}/wakealarm"));
        files.into_iter().find(|file| self.path(file).exists()).ok_or_else(|| {
            let text = "no clock of this machine can wake it again: there is no '/sys/class/rtc/rtc*/wakealarm'";
            fault(Code::OPERATION_UNSUPPORTED, text)
        })
    }

    pub(super) fn set_alarm(&self, file: &str, seconds: u64) -> Result<()> {
        let text = format!("+{seconds}");
        self.write(file, &text).map_err(|error| {
            let taken = error.kind() == io::ErrorKind::ResourceBusy;
            let error = unwritable(&self.path(file), &text, error);
            if taken {
                error.within("another program has set the clock to wake this machine already")
            } else {
                error
            }
        })
    }

    pub(super) fn clear_alarm(&self, file: &str) {
        if let Err(error) = self.write(file, "0") {
            tracing::warn!(file, %error, "the clock's alarm can not be taken back");
        }
    }

    /// Writes what the plan says; returns when the machine is awake again.
    pub(super) fn sleep(&self, plan: &[(&str, &str)]) -> Result<()> {
        plan.iter().try_for_each(|(file, text)| {
            self.write(file, text)
                .map_err(|error| unwritable(&self.path(file), text, error))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{machine, real};
    use super::*;

    #[test]
    fn what_the_kernel_can_is_what_is_offered() {
        for (state, disk, expected) in [
            (
                "freeze mem disk",
                "[platform] suspend",
                vec![Target::Memory, Target::Disk, Target::Hybrid],
            ),
            ("freeze mem disk", "[disabled]", vec![Target::Memory]),
            ("disk", "[shutdown] reboot", vec![Target::Disk]),
            ("freeze", "", vec![]),
            ("", "", vec![]),
        ] {
            let (_root, machine) = machine(&[("sys/power/state", state), ("sys/power/disk", disk)]);
            assert_eq!(machine.sleep_targets(), expected, "{state} / {disk}");
        }
        let (_root, nothing) = machine(&[]);
        assert_eq!(nothing.sleep_targets(), []);
        let _targets = real().sleep_targets();
    }

    #[test]
    fn targets_have_libvirts_numbers() {
        let targets = [0, 1, 2].map(|number| Target::from_number(number).unwrap());
        assert_eq!(targets, [Target::Memory, Target::Disk, Target::Hybrid]);
        assert_eq!(Target::from_number(3).unwrap_err().code(), Code::INVALID_ARG);
    }
}
