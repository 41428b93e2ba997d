//! Pages: the sizes that the machine has, how many of each there are, and the pools of huge ones.

use super::Machine;
use super::cell::{FOLDER, Place};
use super::machine::{fault, unwritable};
use driver_api::error::{Code, Result};

/// The pages of one size in one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    /// The size of a page in KiB.
    pub size_kib: u64,
    /// How many there are, in use or not.
    pub total: u64,
    /// How many nobody uses.
    pub free: u64,
}

/// What a pool shall become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// So many pages more.
    Add(u64),
    /// So many pages.
    Set(u64),
}

fn huge_size(name: &str) -> Option<u64> {
    name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()
}

/// The size of an ordinary page in KiB.
fn base_size() -> u64 {
    u64::try_from(rustix::param::page_size() / 1024).unwrap_or(4).max(1)
}

fn huge_folder(place: Place) -> String {
    match place {
        Some(cell) => format!("{FOLDER}/node{cell}/hugepages"),
        None => "sys/kernel/mm/hugepages".to_owned(),
    }
}

fn named(place: Place) -> String {
    place.map_or_else(|| "this machine".to_owned(), |cell| format!("NUMA cell {cell}"))
}

impl Machine {
    /// The sizes of pages that the machine has, in KiB, the smallest first.
    #[must_use]
    pub fn page_sizes(&self) -> Vec<u64> {
        let huge = self.names(huge_folder(None));
        let mut sizes: Vec<u64> = huge.iter().filter_map(|name| huge_size(name)).collect();
        sizes.push(base_size());
        sizes.sort_unstable();
        sizes
    }

    /// The pages of each size in a place.
    ///
    /// # Errors
    /// 38 when the kernel does not tell.
    pub fn pools(&self, place: Place) -> Result<Vec<Pool>> {
        let huge: Vec<Pool> = self.page_sizes()[1..]
            .iter()
            .filter_map(|size| self.huge_pool(place, *size))
            .collect();
        let memory = self.memory(place)?;
        let taken: u64 = huge.iter().map(|pool| pool.total.saturating_mul(pool.size_kib)).sum();
        let base = Pool {
            size_kib: base_size(),
            total: memory.total.saturating_sub(taken) / base_size(),
            // What is in a pool of huge pages does not count as free memory already.
            free: memory.free / base_size(),
        };
        Ok(std::iter::once(base).chain(huge).collect())
    }

    fn huge_pool(&self, place: Place, size_kib: u64) -> Option<Pool> {
        let folder = format!("{}/hugepages-{size_kib}kB", huge_folder(place));
        Some(Pool {
            size_kib,
            total: self.value(format!("{folder}/nr_hugepages"))?,
            free: self.value(format!("{folder}/free_hugepages"))?,
        })
    }

    /// The free pages of these sizes in each of these places, place by place.
    ///
    /// # Errors
    /// 9 for a size that a place does not have, 38 when the kernel does not tell.
    pub fn free_pages(&self, sizes: &[u32], places: &[Place]) -> Result<Vec<u64>> {
        let mut counts = Vec::new();
        for &place in places {
            let pools = self.pools(place)?;
            for &size in sizes {
                let pool = pools.iter().find(|pool| pool.size_kib == u64::from(size));
                counts.push(pool.ok_or_else(|| no_size(size, place))?.free);
            }
        }
        Ok(counts)
    }

    /// Changes the pool of huge pages of this size in a place.
    ///
    /// # Errors
    /// 84 for ordinary pages, 9 for a size that is not there or when there is not enough memory in one piece, 38 when the
    /// kernel refuses.
    pub fn change_pool(&self, place: Place, size: u32, change: Change) -> Result<()> {
        if u64::from(size) == base_size() {
            let text =
                format!("pages of {size} KiB are the machine's ordinary memory: only pools of larger ones can change");
            return Err(fault(Code::OPERATION_UNSUPPORTED, text));
        }
        let pool = self.huge_pool(place, size.into()).ok_or_else(|| no_size(size, place))?;
        let wanted = match change {
            Change::Add(more) => pool.total.saturating_add(more),
            Change::Set(count) => count,
        };
        let file = format!("{}/hugepages-{size}kB/nr_hugepages", huge_folder(place));
        let text = wanted.to_string();
        self.write(&file, &text)
            .map_err(|error| unwritable(&self.path(&file), &text, error))?;
        let got = self.huge_pool(place, size.into()).map_or(0, |pool| pool.total);
        judged(place, size, wanted, got)
    }
}

/// What the kernel made of a wish, which it fulfils as far as it can.
fn judged(place: Place, size: u32, wanted: u64, got: u64) -> Result<()> {
    // More than was wanted is left while a smaller pool's pages are in use: they go as they are freed.
    if got >= wanted {
        return Ok(());
    }
    let text = format!(
        "{} has only {got} pages of {size} KiB now and not {wanted}: there is not enough free memory in one piece",
        named(place)
    );
    Err(fault(Code::OPERATION_FAILED, text))
}

fn no_size(size: u32, place: Place) -> driver_api::error::Error {
    let text = format!(
        "{} has no pages of {size} KiB ('capabilities' lists the sizes)",
        named(place)
    );
    fault(Code::OPERATION_FAILED, text)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{real, two_cells};
    use super::*;

    #[test]
    fn pools_are_told_with_ordinary_pages_first() {
        let (_root, machine) = two_cells();
        assert_eq!(machine.page_sizes(), [base_size(), 2048, 1_048_576]);
        let pools = machine.pools(Some(0)).unwrap();
        let base = Pool {
            size_kib: base_size(),
            total: (8192 - 3 * 2048) / base_size(),
            free: 400 / base_size(),
        };
        let huge = Pool {
            size_kib: 2048,
            total: 3,
            free: 2,
        };
        assert_eq!(pools, [base, huge]);
    }

    #[test]
    fn free_pages_stand_place_by_place() {
        let (_root, machine) = two_cells();
        let counts = machine.free_pages(&[2048], &[None, Some(0), Some(2)]).unwrap();
        assert_eq!(counts, [2, 2, 0]);
        let error = machine.free_pages(&[8], &[Some(0)]).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_FAILED);
        assert!(
            error.to_string().contains("NUMA cell 0 has no pages of 8 KiB"),
            "{error}"
        );
    }

    #[test]
    fn a_pool_is_set_or_added_to_and_read_back() {
        let (root, machine) = two_cells();
        let file = root
            .path()
            .join("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages");
        machine.change_pool(Some(0), 2048, Change::Set(1)).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), "1");
        machine.change_pool(Some(0), 2048, Change::Add(4)).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().starts_with('5'));
        assert!(machine.change_pool(None, 2048, Change::Set(9)).is_ok());
    }

    #[test]
    fn ordinary_pages_and_unknown_sizes_have_no_pool() {
        let (_root, machine) = two_cells();
        let base = u32::try_from(base_size()).unwrap();
        let error = machine.change_pool(None, base, Change::Set(1)).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_UNSUPPORTED);
        assert!(machine.change_pool(None, 8, Change::Set(1)).is_err());
    }

    #[test]
    fn a_kernel_that_gives_less_is_told_of() {
        let error = judged(None, 2048, 9, 4).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_FAILED);
        assert!(
            error.to_string().contains("only 4 pages of 2048 KiB now and not 9"),
            "{error}"
        );
        assert!(judged(None, 2048, 1, 4).is_ok());
    }

    #[test]
    fn the_real_machine_has_ordinary_pages() {
        let pools = real().pools(None).unwrap();
        assert!(pools[0].total > pools[0].free && pools[0].free > 0);
        let place = real().place(real().cells().unwrap()[0]).unwrap();
        assert!(real().pools(place).unwrap()[0].total > 0);
    }
}
