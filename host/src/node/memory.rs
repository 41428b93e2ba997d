//! Memory: how much there is and how much is free, of the machine and of each cell.

use super::Machine;
use super::machine::fault;
use driver_api::error::{Code, Result};

/// Memory in KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryStats {
    /// All of it.
    pub total: u64,
    /// What nobody uses.
    pub free: u64,
    /// Buffers of block devices; only known of the whole machine.
    pub buffers: Option<u64>,
    /// Pages of files; only known of the whole machine.
    pub cached: Option<u64>,
}

/// The text is `/proc/meminfo`, or a cell's, whose lines begin with `Node N`.
fn parse(text: &str) -> Option<MemoryStats> {
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let line = match line.strip_prefix("Node ") {
                Some(rest) => rest.split_once(' ')?.1,
                None => line,
            };
            let value = line.strip_prefix(name)?.strip_prefix(':')?;
            value.trim().strip_suffix("kB")?.trim().parse().ok()
        })
    };
    Some(MemoryStats {
        total: field("MemTotal")?,
        free: field("MemFree")?,
        buffers: field("Buffers"),
        cached: field("Cached"),
    })
}

impl Machine {
    /// Memory of the machine, or of one cell that exists.
    ///
    /// # Errors
    /// 38 when the kernel does not tell.
    pub fn memory(&self, cell: Option<u32>) -> Result<MemoryStats> {
        let name = match cell {
            Some(cell) => format!("sys/devices/system/node/node{cell}/meminfo"),
            None => "proc/meminfo".to_owned(),
        };
        let text = self.read(&name)?;
        parse(&text).ok_or_else(|| {
            let text = format!("'/{name}' does not tell how much memory there is and is free");
            fault(Code::SYSTEM_ERROR, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{real, two_cells};
    use super::*;

    #[test]
    fn the_machine_and_its_cells_are_read() {
        let (_root, machine) = two_cells();
        let all = MemoryStats {
            total: 3000,
            free: 1000,
            buffers: Some(10),
            cached: Some(20),
        };
        assert_eq!(machine.memory(None).unwrap(), all);
        let cell = MemoryStats {
            total: 1000,
            free: 600,
            buffers: None,
            cached: None,
        };
        assert_eq!(machine.memory(Some(2)).unwrap(), cell);
    }

    #[test]
    fn a_text_without_the_fields_is_an_error() {
        assert_eq!(parse("MemTotal: 5 kB\n"), None);
        assert_eq!(parse("MemTotal: 5 kB\nMemFree: many\n"), None);
        assert_eq!(
            parse("SwapCached: 1 kB\nMemTotal: 5 kB\nMemFree: 4 kB\n")
                .unwrap()
                .cached,
            None
        );
    }

    #[test]
    fn the_real_machine_has_more_memory_than_is_free() {
        let memory = real().memory(None).unwrap();
        assert!(memory.total > memory.free && memory.buffers.is_some() && memory.cached.is_some());
    }
}
