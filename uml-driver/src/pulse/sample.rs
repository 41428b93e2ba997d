//! What a guest's kernel says of itself: `/proc/meminfo` and `/proc/diskstats`, read as any text from outside.

use std::sync::Arc;
use std::time::SystemTime;

/// The most devices that are noted of one guest: it has 16 `ubd`, and what it makes itself is of no interest here.
const DEVICES: usize = 64;

/// A guest's memory, in KiB, as its kernel counts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Memory {
    /// All that it has (`MemTotal`).
    pub(crate) total: Option<u64>,
    /// Used for nothing (`MemFree`).
    pub(crate) free: Option<u64>,
    /// What programs could have without swapping (`MemAvailable`).
    pub(crate) available: Option<u64>,
    /// What can be thrown away: `Buffers` and `Cached`.
    pub(crate) caches: Option<u64>,
    /// When it said so, in seconds since 1970.
    pub(crate) at: u64,
}

/// What passed one block device of a guest, as its kernel counts it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) struct Disk {
    pub(crate) name: String,
    pub(crate) read: Transfers,
    pub(crate) written: Transfers,
    /// Kernels before 5.5 do not count flushes.
    pub(crate) flushed: Option<Transfers>,
}

/// Requests of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Transfers {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) nanoseconds: u64,
}

/// The release in a kernel's answer to `version` (`Linux  6.1.176 #1 ...`).
pub(crate) fn release(version: &str) -> Option<Arc<str>> {
    let release = version.split_ascii_whitespace().nth(1)?;
    let plain = release.len() <= 64 && release.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| Arc::from(release))
}

/// Reads `/proc/meminfo`.
pub(crate) fn memory(text: &str) -> Memory {
    let field = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    Memory {
        total: field("MemTotal"),
        free: field("MemFree"),
        available: field("MemAvailable"),
        caches: field("Buffers").zip(field("Cached")).map(|(a, b)| a.saturating_add(b)),
        at: SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
    }
}

/// Reads `/proc/diskstats`; what is no line of it is left out.
pub(crate) fn disks(text: &str) -> Vec<Disk> {
    let named = text.lines().filter_map(disk);
    // A kernel lists its 16 RAM disks first, which nobody asks for.
    named
        .filter(|disk| !disk.name.starts_with("ram"))
        .take(DEVICES)
        .collect()
}

fn disk(line: &str) -> Option<Disk> {
    let mut words = line.split_ascii_whitespace().skip(2);
    let name = words.next().filter(|name| name.len() <= 32)?.to_owned();
    let numbers: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
    let transfers = |place: usize| {
        Some(Transfers {
            requests: *numbers.get(place)?,
            // Sectors have 512 bytes whatever the device's own are.
            bytes: numbers.get(place + 2)?.saturating_mul(512),
            nanoseconds: numbers.get(place + 3)?.saturating_mul(1_000_000),
        })
    };
    let flushed = numbers.get(15).zip(numbers.get(16)).map(|(requests, time)| Transfers {
        requests: *requests,
        bytes: 0,
        nanoseconds: time.saturating_mul(1_000_000),
    });
    Some(Disk {
        name,
        read: transfers(0)?,
        written: transfers(4)?,
        flushed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn release_is_the_kernels_second_word() {
        assert_eq!(release("Linux  6.1.176 #1 Mon x86_64").as_deref(), Some("6.1.176"));
        assert_eq!(release("Linux"), None);
        assert_eq!(release(&format!("Linux {}", "9".repeat(65))), None);
    }

    #[test]
    fn memory_is_read_and_what_is_missing_is_not_made_up() {
        let text =
            "MemTotal:          53448 kB\nMemFree:   40000 kB\nMemAvailable:\t41000 kB\nBuffers: 10 kB\nCached: 7 kB\n";
        let memory = memory(text);
        assert_eq!((memory.total, memory.free), (Some(53_448), Some(40_000)));
        assert_eq!((memory.available, memory.caches), (Some(41_000), Some(17)));
        assert!(memory.at > 0);
        let none = super::memory("MemTotal: x kB\nMemFree: 5\nBuffers: 1 kB");
        assert_eq!((none.total, none.free, none.caches), (None, None, None));
    }

    #[test]
    fn disks_of_new_and_old_kernels_are_read() {
        let text = "   1       0 ram0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n\
                    98       0 ubda 10 1 80 5 20 2 160 7 0 8 9 0 0 0 0 3 4\n\
                    98      16 ubdb 1 0 8 0 0 0 0 0 0 0 0\nnonsense\n 98 32 ubdc 1 2\n";
        let disks = disks(text);
        assert_eq!(disks.len(), 2, "{disks:?}");
        let transfers = |requests, bytes, nanoseconds| Transfers {
            requests,
            bytes,
            nanoseconds,
        };
        assert_eq!(disks[0].name, "ubda");
        assert_eq!(disks[0].read, transfers(10, 80 * 512, 5_000_000));
        assert_eq!(disks[0].written, transfers(20, 160 * 512, 7_000_000));
        assert_eq!(disks[0].flushed, Some(transfers(3, 0, 4_000_000)));
        assert_eq!((disks[1].read.bytes, disks[1].flushed), (8 * 512, None));
    }

    proptest! {
        #[test]
        fn whatever_a_guest_says_is_bounded(text in "(?s)([0-9]{1,25} |[a-z]{1,40} |\n){0,400}") {
            prop_assert!(disks(&text).len() <= DEVICES);
            memory(&text);
        }
    }
}
