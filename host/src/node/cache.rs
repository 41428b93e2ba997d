//! Banks of processor caches that processors share.

use super::{Machine, list};

/// The lowest level that is told of: lower ones belong to single cores.
const LOWEST: u32 = 3;

/// What a cache holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Instructions.
    Code,
    /// Data.
    Data,
    /// Both.
    Both,
}

impl Kind {
    /// libvirt's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Data => "data",
            Self::Both => "both",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        match word {
            "Instruction" => Some(Self::Code),
            "Data" => Some(Self::Data),
            "Unified" => Some(Self::Both),
            _ => None,
        }
    }
}

/// One bank.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bank {
    /// Its level, 3 or more.
    pub level: u32,
    /// What it holds.
    pub kind: Kind,
    /// Its number among those of its level and kind.
    pub id: u32,
    /// Its size in KiB.
    pub size_kib: u64,
    /// The processors that share it.
    pub cpus: Vec<u32>,
}

impl Machine {
    /// The banks that these processors share, each once.
    #[must_use]
    pub fn caches(&self, cpus: &[u32]) -> Vec<Bank> {
        let mut banks: Vec<Bank> = cpus.iter().flat_map(|cpu| self.caches_of(*cpu)).collect();
        banks.sort_unstable();
        banks.dedup();
        banks
    }

    fn caches_of(&self, cpu: u32) -> Vec<Bank> {
        let folder = format!("sys/devices/system/cpu/cpu{cpu}/cache");
        let bank = |index: &String| {
            let word = |name: &str| self.value::<String>(format!("{folder}/{index}/{name}"));
            Some(Bank {
                level: word("level")?.parse().ok().filter(|level| *level >= LOWEST)?,
                kind: Kind::parse(&word("type")?)?,
                // Kernels that do not number caches tell nothing that could stand for one.
                id: word("id")?.parse().ok()?,
                size_kib: word("size")?.strip_suffix('K')?.parse().ok()?,
                cpus: list::parse(&word("shared_cpu_list")?)?,
            })
        };
        self.names(&folder).iter().filter_map(bank).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{machine, real, two_cells};
    use super::*;

    #[test]
    fn shared_banks_are_told_once_and_those_of_cores_not_at_all() {
        let (_root, machine) = two_cells();
        let bank = |id, cpus: &[u32]| Bank {
            level: 3,
            kind: Kind::Both,
            id,
            size_kib: 32768,
            cpus: cpus.to_vec(),
        };
        assert_eq!(machine.caches(&[0, 1, 2, 3]), [bank(0, &[0, 1]), bank(1, &[2])]);
    }

    #[test]
    fn a_machine_that_tells_nothing_has_none() {
        let (_root, machine) = machine(&[]);
        assert_eq!(machine.caches(&[0]), []);
        let _banks = real().caches(&[0]);
    }
}
