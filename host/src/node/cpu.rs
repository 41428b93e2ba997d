//! Processors: which there are, which are online, where they sit, and what they spent their time with.

use super::machine::fault;
use super::{Machine, list};
use driver_api::error::{Code, Result};

/// What processors spent their time with since boot, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuTimes {
    /// In the kernel, interrupts included.
    pub kernel: u64,
    /// In programs, those of low priority included.
    pub user: u64,
    /// With nothing.
    pub idle: u64,
    /// With nothing, while some program waited for a disk.
    pub iowait: u64,
}

/// Which processors there are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CpuMap {
    /// One more than the highest number of a processor that is plugged in.
    pub present: u32,
    /// Those that run, ascending.
    pub online: Vec<u32>,
}

impl CpuMap {
    /// The wire's form: bit `n` of the bytes says whether processor `n` is online.
    #[must_use]
    pub fn bits(&self) -> Vec<u8> {
        let place = |cpu: u32| usize::try_from(cpu).unwrap_or(usize::MAX);
        let mut bits = vec![0_u8; place(self.present).div_ceil(8)];
        for &cpu in &self.online {
            if let Some(byte) = bits.get_mut(place(cpu) / 8) {
                *byte |= 1 << (cpu % 8);
            }
        }
        bits
    }
}

/// Where a processor sits; nothing is known of one that is offline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cpu {
    /// Its number.
    pub id: u32,
    /// Its place, while it is online.
    pub place: Option<Place>,
}

/// A processor's place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The socket.
    pub socket: u32,
    /// The die in the socket.
    pub die: u32,
    /// The core in the die.
    pub core: u32,
    /// The threads of that core, ascending.
    pub siblings: Vec<u32>,
}

/// The times of one processor, or of all, from `/proc/stat`; `tick` is the length of its unit in nanoseconds.
fn parse_times(stat: &str, cpu: Option<u32>, tick: u64) -> Option<CpuTimes> {
    let label = cpu.map_or_else(|| "cpu".to_owned(), |cpu| format!("cpu{cpu}"));
    let line = stat.lines().find_map(|line| {
        let (name, rest) = line.split_once(' ')?;
        (name == label).then_some(rest)
    })?;
    let times: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    // user nice system idle [iowait irq softirq ...]: old kernels end earlier.
    let time = |place: usize| times.get(place).copied().unwrap_or(0).saturating_mul(tick);
    (times.len() >= 4).then(|| CpuTimes {
        kernel: time(2).saturating_add(time(5)).saturating_add(time(6)),
        user: time(0).saturating_add(time(1)),
        idle: time(3),
        iowait: time(4),
    })
}

impl Machine {
    /// What one processor spent its time with, or all of them.
    ///
    /// # Errors
    /// 8 for a processor that does not run, 38 when the kernel does not tell.
    pub fn cpu_times(&self, cpu: Option<u32>) -> Result<CpuTimes> {
        let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
        let stat = self.read("proc/stat")?;
        parse_times(&stat, cpu, tick).ok_or_else(|| match cpu {
            Some(cpu) => fault(
                Code::INVALID_ARG,
                format!("there is no processor {cpu} that runs: 'nodecpumap' shows those that do"),
            ),
            None => fault(Code::SYSTEM_ERROR, "'/proc/stat' does not tell the processors' times"),
        })
    }

    /// Which processors there are.
    ///
    /// # Errors
    /// 38 when the kernel does not tell.
    pub fn cpu_map(&self) -> Result<CpuMap> {
        let list = |name: &str| -> Result<Option<Vec<u32>>> {
            let text = self.read_if_there(format!("sys/devices/system/cpu/{name}"))?;
            Ok(text.as_deref().and_then(list::parse))
        };
        let present = list("present")?.ok_or_else(|| {
            let text = "'/sys/devices/system/cpu/present' does not tell which processors there are";
            fault(Code::SYSTEM_ERROR, text)
        })?;
        // A kernel that can not take processors offline may have no list of those that are not.
        let online = list("online")?.unwrap_or_else(|| present.clone());
        Ok(CpuMap {
            present: present.iter().max().map_or(0, |last| last + 1),
            online,
        })
    }

    /// A processor with its place.
    #[must_use]
    pub fn cpu(&self, id: u32) -> Cpu {
        let folder = format!("sys/devices/system/cpu/cpu{id}/topology");
        let number = |name: &str| self.value::<u32>(format!("{folder}/{name}"));
        let siblings = self.value::<String>(format!("{folder}/thread_siblings_list"));
        let place = number("physical_package_id").zip(number("core_id"));
        Cpu {
            id,
            place: place.map(|(socket, core)| Place {
                socket,
                // Kernels before 5.2 know no dies.
                die: number("die_id").unwrap_or(0),
                core,
                siblings: siblings.as_deref().and_then(list::parse).unwrap_or_else(|| vec![id]),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{machine, real, two_cells};
    use super::*;

    const STAT: &str =
        "cpu  100 20 30 4000 50 6 7 8 9 10\ncpu0 60 10 20 2000 30 3 4 8 9 10\ncpu10 1 2 3 4\nintr 1 2 3\n";

    #[test]
    fn times_of_all_and_of_one_are_summed_as_libvirt_does() {
        let all = CpuTimes {
            kernel: 430,
            user: 1200,
            idle: 40000,
            iowait: 500,
        };
        assert_eq!(parse_times(STAT, None, 10), Some(all));
        let short = CpuTimes {
            kernel: 3,
            user: 3,
            idle: 4,
            iowait: 0,
        };
        assert_eq!(parse_times(STAT, Some(10), 1), Some(short));
        assert_eq!(parse_times(STAT, Some(1), 1), None);
        assert_eq!(parse_times("cpu 1 2 3\n", None, 1), None);
    }

    #[test]
    fn a_processor_that_is_not_there_is_an_argument_error() {
        let (_root, machine) = machine(&[("proc/stat", STAT)]);
        let error = machine.cpu_times(Some(7)).unwrap_err();
        assert_eq!(error.code(), Code::INVALID_ARG);
        assert!(error.to_string().contains("no processor 7"), "{error}");
    }

    #[test]
    fn the_map_has_a_bit_for_each_processor_and_tells_offline_ones() {
        let (_root, two_cells) = two_cells();
        let map = two_cells.cpu_map().unwrap();
        assert_eq!((map.present, map.online.as_slice()), (4, &[0, 1, 2][..]));
        assert_eq!(map.bits(), [0b0111]);
        let many = CpuMap {
            present: 10,
            online: vec![0, 9],
        };
        assert_eq!(many.bits(), [1, 2]);
    }

    #[test]
    fn without_a_list_of_online_processors_all_are() {
        let (_root, machine) = machine(&[("sys/devices/system/cpu/present", "0-1\n")]);
        assert_eq!(machine.cpu_map().unwrap().online, [0, 1]);
        let (_root, nothing) = super::super::testing::machine(&[]);
        assert_eq!(nothing.cpu_map().unwrap_err().code(), Code::SYSTEM_ERROR);
    }

    #[test]
    fn an_offline_processor_has_no_place() {
        let (_root, machine) = two_cells();
        assert_eq!(machine.cpu(1).place.unwrap().siblings, [0, 1]);
        assert_eq!(machine.cpu(2).place.unwrap().core, 4);
        assert_eq!(machine.cpu(3), Cpu { id: 3, place: None });
    }

    #[test]
    fn the_real_machine_tells_its_processors() {
        let map = real().cpu_map().unwrap();
        assert!(!map.online.is_empty() && map.present > *map.online.last().unwrap());
        let (all, first) = (
            real().cpu_times(None).unwrap(),
            real().cpu_times(Some(map.online[0])).unwrap(),
        );
        assert!(
            all.idle >= first.idle && first.user + first.kernel > 0,
            "{all:?} {first:?}"
        );
        assert!(real().cpu_times(Some(map.present + 7)).is_err());
    }
}
