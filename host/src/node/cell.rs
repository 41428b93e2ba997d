//! NUMA cells: which there are, and what belongs to each.

use super::cpu::Cpu;
use super::machine::fault;
use super::pages::Pool;
use super::{Machine, list};
use driver_api::error::{Code, Result};

/// The folder of cells, absent where the kernel was built without them.
pub(super) const FOLDER: &str = "sys/devices/system/node";

/// One cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// Its number.
    pub id: u32,
    /// Its memory in KiB.
    pub memory_kib: u64,
    /// Its pages of each size.
    pub pools: Vec<Pool>,
    /// How far other cells are, itself included: the cell and the firmware's measure, 10 being itself.
    pub distances: Vec<(u32, u32)>,
    /// Its processors.
    pub cpus: Vec<Cpu>,
}

/// A cell, or the machine as a whole.
pub type Place = Option<u32>;

impl Machine {
    /// The numbers of the cells, ascending; one when the kernel knows none, which is then the whole machine.
    ///
    /// # Errors
    /// 38 when the kernel does not tell.
    pub fn cells(&self) -> Result<Vec<u32>> {
        let cells = self.numbered_cells()?;
        Ok(if cells.is_empty() { vec![0] } else { cells })
    }

    fn numbered_cells(&self) -> Result<Vec<u32>> {
        let text = self.read_if_there(format!("{FOLDER}/online"))?;
        Ok(text.as_deref().and_then(list::parse).unwrap_or_default())
    }

    /// Where to look for a cell's own files: `None` for the one cell of a machine whose kernel knows none.
    ///
    /// # Errors
    /// 8 for a cell that is not there.
    pub fn place(&self, cell: u32) -> Result<Place> {
        let cells = self.numbered_cells()?;
        if cells.contains(&cell) {
            return Ok(Some(cell));
        }
        if cells.is_empty() && cell == 0 {
            return Ok(None);
        }
        let known = if cells.is_empty() {
            "0".to_owned()
        } else {
            list::format(&cells)
        };
        let text = format!("there is no NUMA cell {cell}: this machine has {known}");
        Err(fault(Code::INVALID_ARG, text))
    }

    /// The cells that a client means by the first number and how many; the last ones may not be there.
    ///
    /// # Errors
    /// 8 for a first cell beyond the last one, or no cell at all.
    pub fn range(&self, first: i32, count: u32) -> Result<std::ops::RangeInclusive<u32>> {
        let last = self.cells()?.last().copied().unwrap_or(0);
        let start = u32::try_from(first).ok().filter(|first| *first <= last);
        match (start, count) {
            (Some(start), 1..) => Ok(start..=last.min(start.saturating_add(count - 1))),
            _ => {
                let text = format!("{count} NUMA cells from {first} on are not within 0 to {last}");
                Err(fault(Code::INVALID_ARG, text))
            }
        }
    }

    /// The places that a client means: as [`Machine::range`], where -1 is the machine as a whole.
    ///
    /// # Errors
    /// 8 for a cell that is not there.
    pub fn places(&self, first: i32, count: u32) -> Result<Vec<Place>> {
        if first == -1 {
            let rest = match count {
                0 | 1 => Vec::new(),
                _ => self.places(0, count - 1)?,
            };
            return Ok(std::iter::once(None).chain(rest).collect());
        }
        self.range(first, count)?.map(|cell| self.place(cell)).collect()
    }

    /// Free memory in bytes of the cells in a range; 0 for numbers that no cell has.
    ///
    /// # Errors
    /// As [`Machine::range`], or 38 when the kernel does not tell.
    pub fn free_of_cells(&self, first: i32, count: u32) -> Result<Vec<u64>> {
        let cells = self.cells()?;
        let free = |cell: u32| match cells.contains(&cell) {
            true => Ok(self.memory(self.place(cell)?)?.free.saturating_mul(1024)),
            false => Ok(0),
        };
        self.range(first, count)?.map(free).collect()
    }

    /// Free memory in bytes of all cells.
    ///
    /// # Errors
    /// 38 when the kernel does not tell.
    pub fn free_memory(&self) -> Result<u64> {
        let mut sum = 0_u64;
        for cell in self.cells()? {
            sum = sum.saturating_add(self.memory(self.place(cell)?)?.free.saturating_mul(1024));
        }
        Ok(sum)
    }

    /// Every cell with what belongs to it.
    ///
    /// # Errors
    /// 38 when the kernel does not tell.
    pub fn topology(&self) -> Result<Vec<Cell>> {
        let cells = self.cells()?;
        let cell = |id: u32| -> Result<Cell> {
            let place = self.place(id)?;
            let cpus = match place {
                Some(cell) => self
                    .value::<String>(format!("{FOLDER}/node{cell}/cpulist"))
                    .as_deref()
                    .and_then(list::parse),
                None => Some(self.cpu_map()?.online),
            };
            let distances = self
                .value::<String>(format!("{FOLDER}/node{id}/distance"))
                .unwrap_or_default();
            let distances = distances.split_whitespace().map_while(|word| word.parse().ok());
            Ok(Cell {
                id,
                memory_kib: self.memory(place)?.total,
                pools: self.pools(place)?,
                // The kernel lists distances to cells that are online, in their order.
                distances: cells.iter().copied().zip(distances).collect(),
                cpus: cpus.unwrap_or_default().into_iter().map(|cpu| self.cpu(cpu)).collect(),
            })
        };
        cells.iter().map(|id| cell(*id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{machine, real, two_cells};
    use super::*;

    #[test]
    fn ranges_end_at_the_last_cell_and_start_before_it() {
        let (_root, machine) = two_cells();
        assert_eq!(machine.range(0, 1).unwrap(), 0..=0);
        assert_eq!(machine.range(1, 64).unwrap(), 1..=2);
        for (first, count) in [(3, 1), (-1, 1), (0, 0)] {
            assert_eq!(machine.range(first, count).unwrap_err().code(), Code::INVALID_ARG);
        }
    }

    #[test]
    fn free_memory_is_told_in_bytes_and_holes_have_none() {
        let (_root, machine) = two_cells();
        assert_eq!(machine.free_of_cells(0, 3).unwrap(), [400 << 10, 0, 600 << 10]);
        assert_eq!(machine.free_memory().unwrap(), 1000 << 10);
    }

    #[test]
    fn minus_one_is_the_whole_machine() {
        let (_root, machine) = two_cells();
        assert_eq!(machine.places(-1, 1).unwrap(), [None]);
        assert_eq!(machine.places(2, 1).unwrap(), [Some(2)]);
        let error = machine.places(0, 3).unwrap_err();
        assert!(
            error.to_string().contains("no NUMA cell 1: this machine has 0,2"),
            "{error}"
        );
    }

    #[test]
    fn a_kernel_without_cells_has_one() {
        let (_root, machine) = machine(&[
            ("proc/meminfo", "MemTotal: 50 kB\nMemFree: 40 kB\n"),
            ("sys/devices/system/cpu/present", "0-1\n"),
        ]);
        assert_eq!(machine.free_of_cells(0, 8).unwrap(), [40 << 10]);
        assert_eq!(machine.free_memory().unwrap(), 40 << 10);
        let cells = machine.topology().unwrap();
        assert_eq!((cells.len(), cells[0].memory_kib, cells[0].cpus.len()), (1, 50, 2));
        assert_eq!(machine.place(1).unwrap_err().code(), Code::INVALID_ARG);
    }

    #[test]
    fn the_topology_tells_memory_pages_distances_and_processors() {
        let (_root, machine) = two_cells();
        let cells = machine.topology().unwrap();
        assert_eq!(cells.iter().map(|cell| cell.id).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(cells[1].distances, [(0, 21), (2, 10)]);
        assert_eq!(cells[1].cpus.iter().map(|cpu| cpu.id).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn the_real_machine_adds_up() {
        let cells = real().topology().unwrap();
        let cpus: usize = cells.iter().map(|cell| cell.cpus.len()).sum();
        assert!(cpus >= real().cpu_map().unwrap().online.len());
        assert!(cells.iter().map(|cell| cell.memory_kib).sum::<u64>() > 0);
        assert!(real().free_memory().unwrap() > 0);
    }
}
